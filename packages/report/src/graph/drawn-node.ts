/** The least that drawing a graph needs of a node. */

/** A node to be drawn. Edges name labels. */
export interface DrawnNode {
  readonly label: string;
  readonly requires: readonly string[];
  readonly after: readonly string[];
  readonly validates: readonly string[];
}
