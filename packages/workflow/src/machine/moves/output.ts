/** What a node returned, checked and encoded. */
import type { Json, Problem, Result } from "@kahn/core";
import { closestName, err, ok, problem } from "@kahn/core";
import type { AnyNode } from "../../definition/nodes.ts";
import { isCustom, reduceValue } from "../../definition/reducers.ts";
import type { StateSchema } from "../../definition/state.ts";
import type { WriteSet } from "../state/records.ts";
import type { Values } from "../state/run-state.ts";
import type { ValueCodec } from "../state/values.ts";

/** A checked output. */
export interface Output {
  readonly writes: WriteSet;
  readonly goto?: string;
  readonly end?: true;
  readonly fallback?: string;
  readonly cost?: number;
}

/** An output that says nothing. */
export const NOTHING: Output = { writes: {} };

/** What is known of the visit whose output it is. */
export interface OutputPlace {
  readonly schema: StateSchema;
  /** What reducers meet. */
  readonly values: Values;
  readonly codec: ValueCodec;
  /** For messages. */
  readonly path: string;
  /** The only keys that may be written, if that was declared. */
  readonly writes?: readonly string[] | undefined;
}

/** The keys that a node may write, if it says so. */
export function declaredWrites(node: AnyNode | undefined): readonly string[] | undefined {
  return node !== undefined && "writes" in node ? node.writes : undefined;
}

type Members = Readonly<Record<string, unknown>>;
interface Draft {
  s?: Record<string, Json>;
  r?: Record<string, Json>;
  d?: readonly string[];
}

/** Checks and encodes; the first thing wrong is the problem, and names node and key. */
export function readOutput(returned: unknown, place: OutputPlace): Result<Output, Problem> {
  if (returned === undefined || returned === null) return ok(NOTHING);
  if (typeof returned !== "object" || Array.isArray(returned))
    return err(nonsense(place, `returned ${typeOf(returned)}`));
  const writes: Draft = {};
  const rest: { goto?: string; end?: true; fallback?: string; cost?: number } = {};
  for (const member of Object.keys(returned)) {
    const value: unknown = (returned as Members)[member];
    const wrong = value === undefined ? undefined : readMember(member, value, { place, writes, rest });
    if (wrong !== undefined) return err(wrong);
  }
  return ok({ writes, ...rest });
}

interface Reading {
  readonly place: OutputPlace;
  readonly writes: Draft;
  readonly rest: { goto?: string; end?: true; fallback?: string; cost?: number };
}

function readMember(member: string, value: unknown, reading: Reading): Problem | undefined {
  const { place, writes, rest } = reading;
  switch (member) {
    case "set":
    case "add":
    case "replace":
      if (typeof value !== "object" || value === null)
        return nonsense(place, `returned a "${member}" that is no object`);
      return readWrites(member, value as Members, reading);
    case "delete": {
      if (!Array.isArray(value)) return nonsense(place, `returned a "delete" that is no list`);
      const keys = value as readonly string[];
      const unknown = keys.find((key) => !Object.hasOwn(place.schema.keys, key));
      if (unknown !== undefined) return unknownKey(place, unknown);
      const astray = keys.find((key) => isUndeclared(place, key));
      if (astray !== undefined) return undeclaredKey(place, astray);
      if (keys.length > 0) writes.d = keys;
      return undefined;
    }
    case "goto":
    case "fallback":
      if (typeof value !== "string") return nonsense(place, `returned a "${member}" that is no text`);
      rest[member] = value;
      return undefined;
    case "end":
      if (value === true) rest.end = true;
      return undefined;
    case "cost":
      if (typeof value !== "number" || !Number.isFinite(value))
        return nonsense(place, `returned a "cost" that is no number`);
      rest.cost = value;
      return undefined;
    default:
      return nonsense(place, `returned a member "${member}", which means nothing`);
  }
}

function readWrites(how: "set" | "add" | "replace", members: Members, { place, writes }: Reading): Problem | undefined {
  for (const key of Object.keys(members)) {
    const given = members[key];
    if (given === undefined) continue;
    const spec = Object.hasOwn(place.schema.keys, key) ? place.schema.keys[key] : undefined;
    if (spec === undefined) return unknownKey(place, key);
    if (isUndeclared(place, key)) return undeclaredKey(place, key);
    const { reducer } = spec;
    if (how === "add" && !/^(sum|append|union)$/.test(reducer.name)) return notAddable(place, key, reducer.name);
    const value = how === "add" && reducer.name !== "sum" && !Array.isArray(given) ? [given] : given;
    const isReduced = how !== "replace";
    if (isReduced && isCustom(reducer)) {
      const outcome = reduceValue(reducer, place.values[key], value);
      if (!outcome.ok) return named(place, key, outcome.problem);
    } else if (isReduced) {
      const fits = reduceValue(reducer, emptied(place.values[key]), value);
      if (!fits.ok) return named(place, key, fits.problem);
    }
    const encoded = place.codec.encode(value);
    if (!encoded.ok) return named(place, key, encoded.problem);
    const written = isReduced ? (writes.s ??= {}) : (writes.r ??= {});
    written[key] = encoded.value;
  }
  return undefined;
}

/** Of the same type and without content: enough to see whether a write fits. */
function emptied(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? [] : {};
}

/** Replaces writes of custom reducers by their outcomes, which is all that a journal can hold of them. */
export function withOutcomes(
  writes: WriteSet,
  values: Values,
  place: Pick<OutputPlace, "schema" | "codec">,
): Result<WriteSet, Problem> {
  const { s } = writes;
  if (s === undefined) return ok(writes);
  const left: Record<string, Json> = {};
  const outcomes: Record<string, Json> = {};
  for (const key in s) {
    if (!isCustom(place.schema.keys[key]!.reducer)) {
      left[key] = s[key]!;
      continue;
    }
    const encoded = place.codec.encode(values[key]);
    if (!encoded.ok) return err(encoded.problem);
    outcomes[key] = encoded.value;
  }
  if (Object.keys(outcomes).length === 0) return ok(writes);
  const { s: _, ...rest } = writes;
  return ok({ ...rest, ...(Object.keys(left).length === 0 ? {} : { s: left }), p: { ...writes.p, ...outcomes } });
}

function unknownKey({ schema, path }: OutputPlace, key: string): Problem {
  const near = closestName(key, Object.keys(schema.keys));
  return problem("flow-key-unknown", `${path} writes the key "${key}", which the state does not have`, {
    next: near === undefined ? "Declare the key in the state, or mend its name." : `Did you mean "${near}"?`,
  });
}

function isUndeclared({ writes }: OutputPlace, key: string): boolean {
  return writes !== undefined && !writes.includes(key);
}

function undeclaredKey({ path }: OutputPlace, key: string): Problem {
  return problem("flow-key-undeclared", `${path} writes the key "${key}", which its "writes" does not name`, {
    next: `Add "${key}" to the node's "writes", or do not write it there.`,
  });
}

function notAddable({ path }: OutputPlace, key: string, reducer: string): Problem {
  return problem("flow-value-type", `${path} adds to the key "${key}", whose reducer is "${reducer}"`, {
    next: "Write it with `set`, or declare reduce.sum, reduce.append or reduce.union.",
  });
}

function nonsense({ path }: OutputPlace, what: string): Problem {
  return problem("flow-output-invalid", `${path} ${what}`, {
    next: "Return nothing, or an object of set, add, replace, delete, goto, end, fallback and cost.",
  });
}

function named({ path }: OutputPlace, key: string, refused: Problem): Problem {
  return { ...refused, message: `${path}, key "${key}": ${refused.message}` };
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
