/**
 * Why one action's result does not serve another: everything in which the two differ.
 *
 * Owns:      which parts make an action's digest, and how each is shown.
 * Invariant: two actions of different digests have at least one difference.
 */
import type { BlobStore, Problem, Property, Result } from "@kahn/core";
import { ok } from "@kahn/core";
import { compareInputs } from "./input-trees.ts";
import type { StoredAction } from "./stored-action.ts";

/** Parts of an action, in the order in which differences are told. */
export const ACTION_PARTS = [
  "argument",
  "variable",
  "working directory",
  "platform",
  "output",
  "output format",
  "input",
  "timeout",
  "salt",
  "caching",
  "encoding",
] as const;

/** One thing that two actions do not share; `undefined` on a side that has none of it. */
export interface ActionDifference {
  readonly part: (typeof ACTION_PARTS)[number];
  /** An argument's place (from 0), a variable's or property's name, a path; empty where the part says it all. */
  readonly name: string;
  readonly first: string | undefined;
  readonly second: string | undefined;
}

/** Compares two actions. Inputs are compared by path, reading only directories that differ. */
export async function compareActions(
  blobs: Pick<BlobStore, "read">,
  first: StoredAction,
  second: StoredAction,
): Promise<Result<readonly ActionDifference[], Problem>> {
  const inputs = await compareInputs(blobs, first.inputRoot, second.inputRoot);
  if (!inputs.ok) return inputs;
  const [one, two] = [first.command, second.command];
  const found = [
    ...compareArguments(one.arguments, two.arguments),
    ...compareNamed("variable", one.environment, two.environment),
    ...compareOne("working directory", one.workingDirectory, two.workingDirectory),
    ...compareNamed("platform", first.platform, second.platform),
    ...compareNamed("output", outputsOf(first), outputsOf(second)),
    ...compareOne("output format", formatOf(first), formatOf(second)),
    ...inputs.value.map(({ path, ...sides }) => ({ part: "input" as const, name: path, ...sides })),
    ...compareOne("timeout", timeoutOf(first), timeoutOf(second)),
    ...compareOne("salt", hexOf(first.salt), hexOf(second.salt)),
    ...compareOne("caching", cachingOf(first), cachingOf(second)),
  ];
  if (found.length > 0 || first.digest === second.digest) return ok(found);
  // The same values in another order, or written by another rule.
  const different = first.commandDigest === second.commandDigest ? [first.digest, second.digest] : undefined;
  const [a, b] = different ?? [first.commandDigest, second.commandDigest];
  return ok([{ part: "encoding", name: "", first: a, second: b }]);
}

/** What stands between the parts that both command lines share at their ends. */
function compareArguments(first: readonly string[], second: readonly string[]): ActionDifference[] {
  const shorter = Math.min(first.length, second.length);
  let start = 0;
  while (start < shorter && first[start] === second[start]) start++;
  let end = 0;
  while (end < shorter - start && first.at(-1 - end) === second.at(-1 - end)) end++;
  const one = first.slice(start, first.length - end);
  const two = second.slice(start, second.length - end);
  const found: ActionDifference[] = [];
  for (let index = 0; index < Math.max(one.length, two.length); index++) {
    const [a, b] = [one[index], two[index]];
    if (a !== b) found.push({ part: "argument", name: String(start + index), first: a, second: b });
  }
  return found;
}

function compareNamed(
  part: ActionDifference["part"],
  first: readonly Property[],
  second: readonly Property[],
): ActionDifference[] {
  const [one, two] = [valuesOf(first), valuesOf(second)];
  return [...new Set([...one.keys(), ...two.keys()])]
    .sort()
    .map((name) => ({ part, name, first: one.get(name), second: two.get(name) }))
    .filter((difference) => difference.first !== difference.second);
}

/** A platform may give one name several values. */
function valuesOf(properties: readonly Property[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of properties) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return values;
}

function compareOne(part: ActionDifference["part"], first: string, second: string): ActionDifference[] {
  return first === second ? [] : [{ part, name: "", first, second }];
}

function outputsOf({ command }: StoredAction): Property[] {
  const all = [
    ...command.outputPaths.map((name) => ({ name, value: "declared" })),
    ...(command.outputFiles ?? []).map((name) => ({ name, value: "declared as a file" })),
    ...(command.outputDirectories ?? []).map((name) => ({ name, value: "declared as a directory" })),
  ];
  return [...new Map(all.map((each) => [`${each.name}\0${each.value}`, each])).values()];
}

function formatOf({ command }: StoredAction): string {
  const properties = [...(command.outputNodeProperties ?? [])].sort();
  const parts = [command.wantsDirectories === true ? "with directories" : "trees only", ...properties];
  return parts.join(", ");
}

function timeoutOf({ timeoutMs }: StoredAction): string {
  return timeoutMs === undefined ? "none" : `${timeoutMs} ms`;
}

function hexOf(salt: Uint8Array): string {
  return salt.byteLength === 0 ? "none" : Buffer.from(salt).toString("hex");
}

function cachingOf({ doNotCache }: StoredAction): string {
  return doNotCache ? "not to be cached" : "may be cached";
}
