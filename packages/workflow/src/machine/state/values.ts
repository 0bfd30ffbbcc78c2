/**
 * Values as journals hold them.
 *
 * Owns:      the encoding of what JSON cannot say (dates, maps, sets, bigints, bytes, NaN), and the way of large values
 *            into the durable value store.
 * Invariant: decoding gives back what was encoded; a value that cannot be kept is refused by name, never turned into
 *            null; nothing is revived by the name of a class. The state shares with nobody what can be changed: plain
 *            data is frozen where it is, of anything else it has a copy. Its maps and sets refuse to be changed.
 * Limit:     dates and bytes cannot be frozen. A node that changes in place one that it was given changes what others
 *            see until the run is resumed, and no journal has it: copy first, and return the copy.
 */
import type { Digest, Json, Problem, Result } from "@kahn/core";
import { err, ok, ProblemError, problem } from "@kahn/core";
import type { WriteProblem } from "../../definition/reducers.ts";
import { cycleIn, placeText } from "./value-places.ts";

/** Where large values are kept: `ValueStore` of `@kahn/cas`, or memory. */
export interface FlowValues {
  put(bytes: Uint8Array): Result<Digest, Problem>;
  /** Keeps a file of any size by its absolute path. Left out by stores that have no files. */
  putFile?(path: string): Result<Digest, Problem>;
  get(digest: Digest): Result<Uint8Array | undefined, Problem>;
  flush(): Promise<Result<void, Problem>>;
}

/** A value of more characters than this goes to the value store. */
export const INLINE_MAX = 4096;
/** Deeper than this nothing is kept. */
const DEPTH_MAX = 200;

/** Raised inside a walk; turned into a problem at its border. */
class Unserialisable extends Error {
  readonly at: string;
  constructor(what: string, at: string) {
    super(what);
    this.at = at;
  }
}

const TOO_DEEP = `A value nested more than ${DEPTH_MAX} deep`;

function unserialisable({ message, at }: Unserialisable, value: unknown): WriteProblem {
  // Found only when it is too late: a look at all that is above each object would cost every value that is kept.
  const cycle = message === TOO_DEEP ? cycleIn(value, DEPTH_MAX) : undefined;
  const next = "Write plain data: JSON, Date, Map, Set, bigint or bytes; for anything else write what it is made from.";
  if (cycle === undefined) {
    const facts = [["at", placeText(at)]] as const;
    return problem("flow-value-unserialisable", `${message} cannot be kept`, { facts, next });
  }
  return problem("flow-value-unserialisable", "A value that contains itself cannot be kept", {
    facts: [
      ["at", placeText(cycle.at)],
      ["which is", placeText(cycle.is)],
    ],
    next,
  });
}

/** Encodes and decodes the values of one flow. */
export class ValueCodec {
  readonly #values: FlowValues;
  readonly #inlineMax: number;
  /** Values behind references made here, so that what was just written is not read again. */
  readonly #known = new WeakMap<object, unknown>();
  #size = 0;
  #special = false;

  /** @param values keeps what is large: of more characters than `inlineMax`. */
  constructor(values: FlowValues, inlineMax = INLINE_MAX) {
    this.#values = values;
    this.#inlineMax = inlineMax;
  }

  /** The stored form; freezes plain data, so that it stays as it was written. */
  encode(value: unknown): Result<Json, WriteProblem> {
    if (typeof value === "number" && Number.isFinite(value)) return ok(value);
    if (typeof value === "boolean" || value === null) return ok(value);
    if (typeof value === "string" && value.length <= this.#inlineMax) return ok(value);
    this.#size = 0;
    this.#special = false;
    try {
      const tree = this.#walk(value, "", 0);
      const json: Json = this.#special ? { $: "c", v: tree } : tree;
      return this.#size > this.#inlineMax ? this.#store(json, value) : ok(json);
    } catch (error) {
      if (!(error instanceof Unserialisable)) throw error;
      return err(unserialisable(error, value));
    }
  }

  /** The value behind a stored form. Throws `ProblemError` when it is gone or damaged. */
  decode(json: Json): unknown {
    if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
    const form = json as { readonly $?: Json; readonly v?: Json; readonly d?: Json };
    if (form.$ === undefined) return json;
    if (form.$ === "d") return this.#known.get(json) ?? this.#load(json, form.d as Digest);
    return freeze(revive(form.v!));
  }

  #store(json: Json, value: unknown): Result<Json, WriteProblem> {
    const bytes = Buffer.from(JSON.stringify(json));
    const put = this.#values.put(bytes);
    if (!put.ok) throw new ProblemError(put.problem);
    const reference = { $: "d", d: put.value };
    // Whoever made a map, a date or bytes still holds them; plain data is frozen, and costs nothing here.
    this.#known.set(reference, this.#special ? this.decode(json) : value);
    return ok(reference);
  }

  #load(reference: object, digest: Digest): unknown {
    const bytes = this.#values.get(digest);
    if (!bytes.ok) throw new ProblemError(bytes.problem);
    if (bytes.value === undefined) {
      throw new ProblemError(
        problem("flow-value-missing", `the value ${digest} that this run refers to is gone`, {
          next: "Restore the folder of durable values, or fork the run from a point before the value was written.",
        }),
      );
    }
    const value = freeze(this.decode(JSON.parse(Buffer.from(bytes.value).toString("utf8")) as Json));
    this.#known.set(reference, value);
    return value;
  }

  #walk(value: unknown, at: string, depth: number): Json {
    if (depth > DEPTH_MAX) throw new Unserialisable(TOO_DEEP, at);
    switch (typeof value) {
      case "string":
        this.#size += value.length + 2;
        return value;
      case "number":
        this.#size += 8;
        return Number.isFinite(value) ? value : this.#tag("n", String(value));
      case "boolean":
        this.#size += 5;
        return value;
      case "bigint":
        return this.#tag("i", String(value));
      case "object":
        return value === null ? null : this.#object(value, at, depth);
      default:
        throw new Unserialisable(`A ${typeof value}`, at);
    }
  }

  #object(value: object, at: string, depth: number): Json {
    if (Array.isArray(value)) {
      Object.freeze(value);
      this.#size += 2 + value.length;
      const items = value.map((item: unknown, index) =>
        item === undefined ? null : this.#walk(item, `${at}[${index}]`, depth + 1),
      );
      return this.#special ? items : (value as Json);
    }
    if (value instanceof Date) return this.#tag("t", value.getTime());
    if (value instanceof Uint8Array) return this.#tag("b", Buffer.from(value).toString("base64"));
    if (value instanceof Map) {
      const entries = [...value].map(([key, item], index) => [
        this.#walk(key, `${at}<${index}>`, depth + 1),
        this.#walk(item, `${at}<${index}>`, depth + 1),
      ]);
      return this.#tag("m", entries);
    }
    if (value instanceof Set)
      return this.#tag(
        "s",
        [...value].map((item) => this.#walk(item, at, depth + 1)),
      );
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new Unserialisable(`An object of class ${value.constructor?.name ?? "?"}`, at);
    }
    return this.#record(value as Readonly<Record<string, unknown>>, at, depth);
  }

  #record(value: Readonly<Record<string, unknown>>, at: string, depth: number): Json {
    Object.freeze(value);
    const members: Record<string, Json> = {};
    for (const key of Object.keys(value)) {
      if (value[key] === undefined) continue;
      this.#size += key.length + 4;
      members[key] = this.#walk(value[key], at === "" ? key : `${at}.${key}`, depth + 1);
    }
    if (Object.hasOwn(value, "$")) return this.#tag("o", members);
    return this.#special ? members : (value as Json);
  }

  #tag(kind: string, v: Json): Json {
    this.#special = true;
    this.#size += 16 + (typeof v === "string" ? v.length : 0);
    return { $: kind, v };
  }
}

function revive(json: Json): unknown {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map((item) => revive(item as Json));
  const { $: kind, v = null } = json as { readonly $?: Json; readonly v?: Json };
  if (kind === undefined) return reviveMembers(json as { readonly [key: string]: Json });
  switch (kind) {
    case "n":
      return Number(v);
    case "i":
      return BigInt(v as string);
    case "t":
      return new Date(v as number);
    case "b":
      return new Uint8Array(Buffer.from(v as string, "base64"));
    case "m":
      return fixed(new Map((v as readonly (readonly [Json, Json])[]).map(([key, item]) => [held(key), held(item)])));
    case "s":
      return fixed(new Set((v as readonly Json[]).map(held)));
    default:
      return reviveMembers(v as { readonly [key: string]: Json });
  }
}

/** What is in a map or a set, which `freeze` does not reach. */
function held(json: Json): unknown {
  return freeze(revive(json));
}

const REFUSAL: PropertyDescriptor = {
  value: () => {
    throw new TypeError("The state is not changed in place: copy the map or set, and return the copy");
  },
};
const REFUSALS: PropertyDescriptorMap = { set: REFUSAL, add: REFUSAL, delete: REFUSAL, clear: REFUSAL };

/** A map or set that throws when somebody changes it, as frozen data does. Copies of it do not. */
function fixed<T extends object>(collection: T): T {
  return Object.defineProperties(collection, REFUSALS);
}

function reviveMembers(members: { readonly [key: string]: Json }): unknown {
  return Object.fromEntries(Object.entries(members).map(([key, item]) => [key, revive(item)]));
}

/** Freezes plain data, so that no node changes the state by accident. */
export function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) freeze(item);
  return value;
}

/** Large values in memory, for flows that keep nothing. */
export function memoryValues(hash: (bytes: Uint8Array) => Digest): FlowValues {
  const kept = new Map<Digest, Uint8Array>();
  return {
    put: (bytes) => {
      const digest = hash(bytes);
      // Whoever gave the bytes, or is given them, may change them.
      if (!kept.has(digest)) kept.set(digest, new Uint8Array(bytes));
      return ok(digest);
    },
    get: (digest) => {
      const bytes = kept.get(digest);
      return ok(bytes && new Uint8Array(bytes));
    },
    flush: async () => ok(undefined),
  };
}
