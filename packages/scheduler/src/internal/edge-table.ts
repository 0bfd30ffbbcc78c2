/**
 * The edges of all admitted nodes, in typed arrays that double when they are full.
 *
 * Owns:      the rows of dependencies (contiguous, by admission) and the chains of dependents (in order of number).
 * Invariant: a pair of nodes has at most one edge; where it was offered as `requires` and `after`, it is `requires`.
 */
import { grown } from "./node-table.ts";

/** Columns indexed by edge number, and the entry points per node. */
export class EdgeTable {
  count = 0;
  dependent = new Int32Array(128);
  dependency = new Int32Array(128);
  /** 1 = requires, 0 = after. */
  strict = new Uint8Array(128);
  /** Next edge to the same dependency, −1 at the end. */
  nextDependent = new Int32Array(128);
  /** By node: its first edge to a dependency; its last is before the first of the next node. */
  rowStart = new Int32Array(64);
  /** By node: first and last edge from a dependent, −1 for none. */
  firstDependent = new Int32Array(64);
  lastDependent = new Int32Array(64);

  /** Makes room for so many nodes in all, and so many more edges. */
  reserve(nodes: number, moreEdges: number): void {
    if (nodes + 1 > this.rowStart.length) {
      const size = Math.max(nodes + 1, this.rowStart.length * 2);
      this.rowStart = grown(this.rowStart, new Int32Array(size));
      this.firstDependent = grown(this.firstDependent, new Int32Array(size));
      this.lastDependent = grown(this.lastDependent, new Int32Array(size));
    }
    if (this.count + moreEdges > this.dependent.length) {
      const size = Math.max(this.count + moreEdges, this.dependent.length * 2);
      this.dependent = grown(this.dependent, new Int32Array(size));
      this.dependency = grown(this.dependency, new Int32Array(size));
      this.strict = grown(this.strict, new Uint8Array(size));
      this.nextDependent = grown(this.nextDependent, new Int32Array(size));
    }
  }

  /** Enters a node; its edges follow, before the next node. */
  addNode(node: number): void {
    this.rowStart[node] = this.count;
    this.rowStart[node + 1] = this.count;
    this.firstDependent[node] = -1;
    this.lastDependent[node] = -1;
  }

  /** Adds an edge to a dependency, which may be entered later (in the same delta: see `link`). */
  add(dependent: number, dependency: number, strict: 0 | 1): void {
    const edge = this.count++;
    this.dependent[edge] = dependent;
    this.dependency[edge] = dependency;
    this.strict[edge] = strict;
    this.rowStart[dependent + 1] = this.count;
  }

  /** Hangs an edge into the chain of its dependency. Called once per edge, when all nodes of its delta are entered. */
  link(edge: number): void {
    const dependency = this.dependency[edge]!;
    const last = this.lastDependent[dependency]!;
    if (last === -1) this.firstDependent[dependency] = edge;
    else this.nextDependent[last] = edge;
    this.lastDependent[dependency] = edge;
    this.nextDependent[edge] = -1;
  }
}
