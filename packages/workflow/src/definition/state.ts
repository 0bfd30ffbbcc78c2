/**
 * State schemas: the keys of a graph's state, the type of each, and how writes to it are reduced.
 *
 * Owns:      keys and their identities.
 * Invariant: a reducer is declared with its key and nowhere else, so a graph means the same under every executor.
 */
import type { Digest } from "@kahn/core";
import { type Reducer, reduce } from "./reducers.ts";

/** A large value: it lives in the durable value store, and the state holds only this. */
export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** One key of a schema. `T` is for the type checker alone. */
export interface StateKey<T = unknown> {
  readonly reducer: Reducer<never>;
  /** The value at the start of a run, unless the input gives another. */
  readonly identity: unknown;
  readonly isBlob: boolean;
  readonly type?: T;
}

/** A schema: what `state({...})` gives. */
export interface StateSchema<S = unknown> {
  readonly keys: Readonly<Record<string, StateKey>>;
  readonly type?: S;
}

/** The state that a schema describes. A key without identity is absent until it is first written. */
export type StateOf<Keys extends Readonly<Record<string, StateKey>>> = {
  readonly [K in keyof Keys]: Keys[K] extends StateKey<infer T> ? T : never;
};

function declareState<const Keys extends Readonly<Record<string, StateKey>>>(keys: Keys): StateSchema<StateOf<Keys>> {
  return { keys };
}

/** A key without identity, of `state.value<T>()`, or with one. */
function declareValue<T>(): StateKey<T>;
function declareValue<T>(identity: T, reducer?: Reducer<T>): StateKey<Widened<T>>;
function declareValue(identity?: unknown, reducer: Reducer<never> = reduce.error): StateKey {
  return { reducer, identity, isBlob: false };
}

/** `0` declares a number, not the number 0. */
type Widened<T> = T extends number
  ? number
  : T extends bigint
    ? bigint
    : T extends string
      ? string
      : T extends boolean
        ? boolean
        : T;

/**
 * Declares the state of a graph: `state({ topic: state.value<string>(), notes: state.value<string[]>([], reduce.append) })`.
 *
 * `state.value<T>(identity?, reducer?)`: the default reducer replaces, and takes two parallel writers for a conflict.
 * `state.blob()`: a value of any size by its digest; write what `ctx.putBlob(bytes)` gives.
 */
export const state = Object.assign(declareState, {
  value: declareValue,
  blob: (): StateKey<Blob> => ({ reducer: reduce.error, identity: undefined, isBlob: true }),
});
