/**
 * Reducers: how a write to a key of the state meets what is there.
 *
 * Invariant: one fold serves every write, sequential or parallel, so n writers give what n writes in a row give.
 *            Whole numbers stay whole; a value of the wrong type is refused, never dropped.
 */
import type { Json, Problem, Result } from "@kahn/core";
import { canonicalJson, err, ok, problem } from "@kahn/core";

/** The reducers that every reader of a journal knows without the graph's code. */
export type BuiltInReducer = "error" | "replace" | "append" | "merge" | "sum" | "min" | "max" | "union";

/** A reducer for values of type `T`. */
export interface Reducer<in T> {
  /** Its name in hashes and journals; a custom one is `custom:<name>`. */
  readonly name: string;
  /** Only of custom reducers: pure, and given the identity when there is no value yet. */
  readonly fold?: (existing: unknown, value: unknown) => unknown;
  /** What the first write meets, of a custom reducer. */
  readonly identity?: unknown;
  readonly accepts?: (value: T) => void;
}

/** The reducers by name. Of `error`, the default, two branches that write one key in parallel are a conflict. */
export const reduce = {
  /** A write replaces the value; two parallel writers are a conflict. */
  error: { name: "error" } as Reducer<unknown>,
  /** A write replaces the value; of parallel writers the last in order wins. */
  replace: { name: "replace" } as Reducer<unknown>,
  /** Lists are joined. */
  append: { name: "append" } as Reducer<readonly unknown[]>,
  /** Objects are merged one level deep; later members win. */
  merge: { name: "merge" } as Reducer<object>,
  /** Numbers (or bigints) are added. */
  sum: { name: "sum" } as Reducer<number | bigint>,
  /** The smallest number stays. */
  min: { name: "min" } as Reducer<number | bigint>,
  /** The largest number stays. */
  max: { name: "max" } as Reducer<number | bigint>,
  /** Lists as sets: an item that is there already (as JSON) is not added again. */
  union: { name: "union" } as Reducer<readonly unknown[]>,
  /** Your own: `fold(existing, value)` must be pure; `identity` is what the first write meets. */
  custom: <T>(name: string, fold: (existing: T, value: T) => T, identity: T): Reducer<T> => ({
    name: `custom:${name}`,
    fold: fold as (existing: unknown, value: unknown) => unknown,
    identity,
  }),
} as const;

/** Why a write was refused. */
export type WriteProblem = Problem<
  | "flow-key-unknown"
  | "flow-write-conflict"
  | "flow-value-type"
  | "flow-value-unserialisable"
  | "flow-output-invalid"
  | "flow-reducer-failed"
>;

/** Applies one write to what is there (`undefined`: nothing). */
export function reduceValue(reducer: Reducer<never>, existing: unknown, value: unknown): Result<unknown, WriteProblem> {
  switch (reducer.name) {
    case "error":
    case "replace":
      return ok(value);
    case "append":
      return lists(reducer, { existing, value }, (a, b) => (a.length === 0 ? b : [...a, ...b]));
    case "union":
      return lists(reducer, { existing, value }, unite);
    case "merge":
      return mergeObjects(existing, value);
    case "sum":
    case "min":
    case "max":
      return numbers(reducer.name, existing, value);
    default:
      return custom(reducer, existing, value);
  }
}

/**
 * Whether a key may hold a value that is put there as it is, by a person or at the start: what its reducer takes. Of
 * `error`, `replace` and custom reducers anything.
 */
export function heldValue(key: string, reducer: Reducer<never>, value: unknown): Result<unknown, WriteProblem> {
  if (isCustom(reducer)) return ok(value);
  const met = reduceValue(reducer, undefined, value);
  if (met.ok) return ok(value);
  const facts = met.problem.facts?.filter(([name]) => name === "written") ?? [];
  const next = "Give the whole value that the key shall hold, of that type: it takes the place of what is there.";
  return err({ ...met.problem, message: `key "${key}": ${met.problem.message}`, facts, next });
}

/** Whether journals must hold the outcome of a write, since only the graph's code can compute it. */
export function isCustom(reducer: Reducer<never>): boolean {
  return reducer.name.startsWith("custom:");
}

interface Meeting {
  readonly existing: unknown;
  readonly value: unknown;
}

function lists(
  reducer: Reducer<never>,
  { existing, value }: Meeting,
  join: (a: readonly unknown[], b: readonly unknown[]) => readonly unknown[],
): Result<unknown, WriteProblem> {
  const before = existing ?? [];
  if (!Array.isArray(before) || !Array.isArray(value))
    return err(wrongType(reducer.name, "a list", { existing: before, value }));
  return ok(join(before, value));
}

function unite(a: readonly unknown[], b: readonly unknown[]): readonly unknown[] {
  const seen = new Set(a.map((item) => canonicalJson(item as Json)));
  const fresh = b.filter((item) => {
    const text = canonicalJson(item as Json);
    return !seen.has(text) && seen.add(text);
  });
  return fresh.length === 0 ? a : [...a, ...fresh];
}

function mergeObjects(existing: unknown, value: unknown): Result<unknown, WriteProblem> {
  const before = existing ?? {};
  if (!isPlain(before) || !isPlain(value)) return err(wrongType("merge", "an object", { existing: before, value }));
  return ok({ ...before, ...value });
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numbers(name: "sum" | "min" | "max", existing: unknown, value: unknown): Result<unknown, WriteProblem> {
  if (!isNumber(value) || (existing !== undefined && !isNumber(existing))) {
    return err(wrongType(name, "a number", { existing: existing, value }));
  }
  if (existing === undefined) return ok(value);
  if (name !== "sum") return ok((name === "min" ? value < existing : value > existing) ? value : existing);
  if (typeof value === "bigint" && typeof existing === "bigint") return ok(existing + value);
  if (typeof value === "bigint" || typeof existing === "bigint") {
    return err(wrongType(name, "two numbers of one type", { existing: existing, value }));
  }
  return ok(existing + value);
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && !Number.isNaN(value));
}

function custom(reducer: Reducer<never>, existing: unknown, value: unknown): Result<unknown, WriteProblem> {
  try {
    return ok(reducer.fold!(existing ?? reducer.identity, value));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return err(
      problem("flow-reducer-failed", `the reducer ${reducer.name} threw: ${why}`, {
        next: "A reducer must be pure and take every value that nodes write.",
      }),
    );
  }
}

function wrongType(name: string, wanted: string, { existing, value }: Meeting): WriteProblem {
  return problem("flow-value-type", `the reducer "${name}" takes ${wanted}`, {
    facts: [
      ["there is", typeName(existing)],
      ["written", typeName(value)],
    ],
    next: "Write a value of that type, declare another reducer, or use `replace` to set the value aside from it.",
  });
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return Array.isArray(value) ? "a list" : typeof value;
}
