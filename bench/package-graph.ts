/**
 * The packages of a benchmark workspace and who depends on whom: layers of packages, each package on some below it.
 *
 * Invariant: the same size and seed give the same graph; package numbers ascend from layer to layer, so their order is
 *            a topological one.
 */
import { seededRandom } from "./random.ts";

/** A layered acyclic graph over packages 0 … count - 1. */
export interface PackageGraph {
  readonly count: number;
  readonly layerCount: number;
  /** By package: those it depends on, ascending. */
  readonly dependencies: readonly (readonly number[])[];
  /** Package of the lowest layer with the most dependents, and how many packages an edit of it reaches, itself included. */
  readonly root: number;
  readonly rootClosure: number;
  /** A package of the highest layer: nothing depends on it. */
  readonly leaf: number;
}

const DEPENDENCIES_EACH = 3;

/** Makes the graph of so many packages (at least 3). */
export function packageGraph(count: number, seed: number): PackageGraph {
  const random = seededRandom(seed);
  const layerCount = Math.max(3, Math.round(Math.log2(count)) - 1);
  const layerOf = (each: number): number => Math.floor((each * layerCount) / count);
  const firstOf = (layer: number): number => Math.ceil((layer * count) / layerCount);
  const below = (bound: number): number => Math.floor(random() * bound);
  const dependencies = Array.from({ length: count }, (_, each): readonly number[] => {
    const layer = layerOf(each);
    if (layer === 0) return [];
    const first = firstOf(layer);
    // One from the layer right below, so that there are as many layers as promised.
    const chosen = new Set([firstOf(layer - 1) + below(first - firstOf(layer - 1))]);
    while (chosen.size < Math.min(DEPENDENCIES_EACH, first)) chosen.add(below(first));
    return [...chosen].sort((a, b) => a - b);
  });
  const reach = Array.from({ length: firstOf(1) }, (_, each) => closureSize(dependencies, each));
  const rootClosure = Math.max(...reach);
  return { count, layerCount, dependencies, root: reach.indexOf(rootClosure), rootClosure, leaf: count - 1 };
}

/** How many packages depend on one, directly or not, itself included. Uses that dependencies have smaller numbers. */
function closureSize(dependencies: readonly (readonly number[])[], from: number): number {
  const reached = new Set([from]);
  for (let each = from + 1; each < dependencies.length; each++) {
    if (dependencies[each]!.some((dependency) => reached.has(dependency))) reached.add(each);
  }
  return reached.size;
}
