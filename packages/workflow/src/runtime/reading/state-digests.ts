/**
 * Digests of values and states: equal ones have equal digests, in any run and any process.
 *
 * Invariant: whatever a state may hold tells apart here, too, dates and maps included; the order of members does not.
 *            A digest costs what has changed, for values are frozen and remembered by identity.
 */
import type { Digest } from "@kahn/core";
import { canonicalJson, digestOf, InvariantError, ok, ProblemError } from "@kahn/core";
import type { Values } from "../../machine/state/run-state.ts";
import { ValueCodec } from "../../machine/state/values.ts";

/** Nothing is large enough to be kept elsewhere, so nothing is kept. */
const INLINE = new ValueCodec(
  {
    put: () => {
      throw new InvariantError("a value was to be kept for its digest");
    },
    get: () => ok(undefined),
    flush: async () => ok(undefined),
  },
  Number.POSITIVE_INFINITY,
);

/** One text for equal values. */
export function textOf(value: unknown): string {
  const json = INLINE.encode(value);
  if (!json.ok) throw new ProblemError(json.problem);
  return canonicalJson(json.value);
}

/** Digests of the states of one run. */
export class StateDigests {
  readonly #known = new WeakMap<object, Digest>();

  /** The digest of a state: over those of its values, by key. */
  of(values: Values): Digest {
    const digests: Record<string, Digest> = {};
    for (const [key, value] of Object.entries(values)) digests[key] = this.#ofValue(value);
    return digestOf(canonicalJson(digests));
  }

  #ofValue(value: unknown): Digest {
    if (typeof value !== "object" || value === null) return digestOf(textOf(value));
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const digest = digestOf(textOf(value));
    this.#known.set(value, digest);
    return digest;
  }
}
