/** The part of a graph that a run under way depends on, as JSON. */
import type { Json } from "@kahn/core";

/** A structure, JSON throughout. */
export interface GraphStructure {
  readonly id: string;
  readonly start: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly nodes: Readonly<Record<string, Json>>;
  readonly edges: Readonly<Record<string, Json>>;
}
