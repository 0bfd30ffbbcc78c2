/**
 * What every command that looks into actions begins and ends with.
 *
 * Owns:      reading the digests of the command line, finding their actions, and closing the stores they are in.
 * Invariant: whatever becomes of it, the place is closed.
 */
import { type DigestFunction, type Problem, problem } from "@kahn/core";
import type { StoredAction } from "@kahn/remote/look";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { refuse } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import { type ActionName, parseActionName } from "../../session/action/name.ts";
import { type ActionPlace, openActionPlace } from "../../session/action/place.ts";

/** Actions that were asked for, all of one digest function. */
export interface FoundActions {
  readonly place: ActionPlace;
  readonly fn: DigestFunction;
  readonly first: StoredAction;
  /** Of a second digest. */
  readonly second?: StoredAction;
}

/** Finds the actions that a command was given, and uses them. @returns the exit code of the use, or of the refusal. */
export async function withActions(
  host: Host,
  given: ParsedArguments,
  use: (found: FoundActions) => Promise<number>,
): Promise<number> {
  const names: ActionName[] = [];
  for (const text of given.positionals) {
    const name = parseActionName(text);
    if (!name.ok) return refuse(host, [name.problem]);
    names.push(name.value);
  }
  const [one, other] = names as [ActionName, ActionName?];
  if (other !== undefined && other.fn !== one.fn) return refuse(host, [otherFunction(one, other)]);
  const opened = await openActionPlace(host, given, one.fn);
  if (!opened.ok) return refuse(host, opened.problem);
  const place = opened.value;
  try {
    const first = await place.find(one);
    if (!first.ok) return refuse(host, [first.problem]);
    if (other === undefined) return await use({ place, fn: one.fn, first: first.value });
    const second = await place.find(other);
    if (!second.ok) return refuse(host, [second.problem]);
    return await use({ place, fn: one.fn, first: first.value, second: second.value });
  } finally {
    await place.close();
  }
}

/** Does something that a signal aborts. */
export async function untilSignal<T>(host: Host, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = host.onSignal(() => abort.abort());
  try {
    return await work(abort.signal);
  } finally {
    stop();
  }
}

function otherFunction(first: ActionName, second: ActionName): Problem<"digest-malformed"> {
  return problem("digest-malformed", `${second.text} is of another digest function than ${first.text}`, {
    next: "Compare actions of one server and one client.",
  });
}
