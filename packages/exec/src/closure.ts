/**
 * Closures: what a finished node means to those that require it.
 *
 * Owns:      sound early cutoff. A closure covers the node's outputs and, through them, everything it rests on, so a
 *            dependent is cut off only when nothing that it can reach has changed.
 * Invariant: equal closures of all requirements ⇒ no reachable output differs. With A ← B ← C where C loads A through
 *            B at run time, an edit of A that leaves B's bytes equal still changes B's closure.
 */
import { createHash } from "node:crypto";
import { type Digest, makeDigest, type ResolvedAction } from "@kahn/core";

/** What a node gives to its dependents' keys. */
export interface FinishedNode {
  /** The action's digest; `undefined` for one that is never keyed. */
  readonly action: Digest | undefined;
  /** Digest over the outputs. */
  readonly outputs: Digest;
}

/**
 * `H(outputs, sorted closures of all requirements)`.
 *
 * A node that declares no outputs stands for its own key: what it did is known only by what it was given. One that
 * `reach`es only its own outputs (a bundler that inlines) leaves its requirements out.
 *
 * @param requirements closures of the nodes it requires directly.
 */
export function closureOf(resolved: ResolvedAction, finished: FinishedNode, requirements: readonly Digest[]): Digest {
  const opaque = resolved.outputs.roots.length === 0;
  const own = opaque ? (finished.action ?? finished.outputs) : finished.outputs;
  const hash = createHash("sha256").update(own);
  if (resolved.reach === "transitive") {
    const below = [...requirements, ...resolved.contributions.map(([, digest]) => digest)].sort();
    for (const closure of below) hash.update("\n").update(closure);
  }
  return makeDigest("sha256", hash.digest("hex"), 0);
}
