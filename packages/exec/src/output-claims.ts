/**
 * Output claims: no two nodes of a run may make one path.
 *
 * Owns:      the table of who made what. Roots that no other node's root touches are never compared path by path, so
 *            the ordinary case costs one map entry per root.
 * Source:    invariant P17: two actions never publish one path in a run.
 */

/** A path that two nodes made. */
export interface OutputConflict {
  readonly path: string;
  readonly other: number;
}

interface Claim {
  readonly node: number;
  readonly root: string;
  readonly paths: () => readonly string[];
}

/** The outputs of one run so far. */
export class OutputClaims {
  /** Claims by each prefix of their root, the root included. */
  readonly #below = new Map<string, Claim[]>();
  readonly #at = new Map<string, Claim[]>();

  /**
   * Claims a node's outputs.
   *
   * @param roots workspace-relative output roots.
   * @param paths gives the workspace-relative output paths; called only when roots overlap.
   * @returns the first path that another node made, and that node; the claim then does not count.
   */
  claim(node: number, roots: readonly string[], paths: () => readonly string[]): OutputConflict | undefined {
    for (const root of roots) {
      for (const other of this.#overlapping(root)) {
        if (other.node === node) continue;
        const theirs = new Set(other.paths());
        const path = paths().find((candidate) => theirs.has(candidate));
        if (path !== undefined) return { path, other: other.node };
      }
    }
    for (const root of roots) this.#add({ node, root, paths });
    return undefined;
  }

  *#overlapping(root: string): Iterable<Claim> {
    yield* this.#below.get(root) ?? [];
    for (const prefix of properPrefixes(root)) yield* this.#at.get(prefix) ?? [];
  }

  #add(claim: Claim): void {
    append(this.#at, claim.root, claim);
    append(this.#below, claim.root, claim);
    for (const prefix of properPrefixes(claim.root)) append(this.#below, prefix, claim);
  }
}

function append(map: Map<string, Claim[]>, key: string, claim: Claim): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [claim]);
  else list.push(claim);
}

/** `a/b/c` gives ``, `a`, `a/b`; the root of the workspace has none. */
function* properPrefixes(path: string): Iterable<string> {
  if (path === "") return;
  yield "";
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) yield path.slice(0, at);
}
