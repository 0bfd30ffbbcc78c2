/**
 * Writes: applied by the fold and, before that, tried by the machine, which must know where they lead.
 *
 * Invariant: the values of a frame are replaced as a whole or not at all; a refusal leaves nothing half done.
 */
import type { Json, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { Reducer } from "../../definition/reducers.ts";
import { reduceValue } from "../../definition/reducers.ts";
import type { WriteSet, Writes } from "../state/records.ts";
import type { Fan, Frame, Values } from "../state/run-state.ts";
import { freeze } from "../state/values.ts";

/** The keys that sets write, each once. */
export function writtenKeys(sets: readonly WriteSet[]): Iterable<string> {
  if (sets.length === 1) {
    const { s, p, r, d } = sets[0]!;
    if (p === undefined && r === undefined && d === undefined) return Object.keys(s ?? {});
  }
  const keys = new Set<string>();
  for (const { s, p, r, d } of sets) {
    for (const writes of [s, p, r]) for (const key in writes) keys.add(key);
    for (const key of d ?? []) keys.add(key);
  }
  return keys;
}

/** What applying needs: decoded values, and the code of custom reducers where the journal has no outcome yet. */
export interface ApplyOptions {
  readonly decode: (json: Json) => unknown;
  readonly reducers?: Readonly<Record<string, { readonly reducer: Reducer<never> }>>;
}

interface ApplyPlace {
  readonly decode: ApplyOptions["decode"];
  readonly reducers: ApplyOptions["reducers"] | undefined;
  readonly frame: Frame;
}

/** The values of a frame after some writes, in order. */
export function applySets(frame: Frame, sets: readonly WriteSet[], options: ApplyOptions): Result<Values, Problem> {
  const values: Record<string, unknown> = { ...frame.values };
  const { decode, reducers } = options;
  // Not `{ ...options, frame }`: at every step V8 would make a hidden class for it, which lives until a full collection.
  const place = { decode, reducers, frame };
  for (const set of sets) {
    const refused = applyReduced(values, set.s, place);
    if (refused !== undefined) return err(refused);
    put(values, set.p, options);
    put(values, set.r, options);
    if (set.d !== undefined) for (const key of set.d) delete values[key];
  }
  return ok(values);
}

function put(values: Record<string, unknown>, writes: Writes | undefined, { decode }: ApplyOptions): void {
  for (const key in writes) values[key] = decode(writes[key]!);
}

function applyReduced(
  values: Record<string, unknown>,
  writes: Writes | undefined,
  { decode, reducers, frame }: ApplyPlace,
): Problem | undefined {
  if (writes === undefined) return undefined;
  for (const key in writes) {
    const reducer = reducers?.[key]?.reducer ?? namedReducer(frame.keys[key]);
    const result = reduceValue(reducer, values[key], decode(writes[key]!));
    if (!result.ok) return { ...result.problem, message: `key "${key}": ${result.problem.message}` };
    values[key] = freeze(result.value);
  }
  return undefined;
}

const NAMED = new Map<string, Reducer<never>>();

function namedReducer(name = "error"): Reducer<never> {
  const plain = name === "blob" ? "error" : name;
  const known = NAMED.get(plain);
  if (known !== undefined) return known;
  const reducer: Reducer<never> = { name: plain };
  NAMED.set(plain, reducer);
  return reducer;
}

/** Two branches that wrote a key for which that is a conflict; `undefined` when there is none. */
export function branchConflict(fan: Fan, frame: Frame, path: string): Problem | undefined {
  const writers = new Map<string, string>();
  for (const [name, sets] of fan.done) {
    for (const key of writtenKeys(sets)) {
      const reducer = frame.keys[key] ?? "error";
      if (reducer !== "error" && reducer !== "blob") continue;
      const other = writers.get(key);
      if (other !== undefined) return conflict(key, path, [other, name]);
      writers.set(key, name);
    }
  }
  return undefined;
}

function conflict(key: string, path: string, writers: readonly string[]): Problem {
  return problem("flow-write-conflict", `branches of ${path} both wrote the key "${key}"`, {
    facts: writers.map((writer) => ["branch", writer] as const),
    next: `Declare a reducer for "${key}", for example reduce.append, or let one branch write it.`,
  });
}
