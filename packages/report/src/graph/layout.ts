/**
 * A layered layout: each node one layer right of the furthest thing it waits for, layers ordered by barycentres.
 *
 * Owns:   positions only; drawing is the caller's. Linear in nodes and edges per sweep.
 */

/** Edges of a graph by node index, from a node to what it waits for. */
export type Adjacency = readonly (readonly number[])[];

/** Node indices of each layer, first layer first, in drawing order. */
export function layersOf(edges: Adjacency): number[][] {
  const depth = new Int32Array(edges.length).fill(-1);
  const depthOf = (node: number): number => {
    if (depth[node]! >= 0) return depth[node]!;
    depth[node] = 0;
    for (const target of edges[node]!) depth[node] = Math.max(depth[node]!, depthOf(target) + 1);
    return depth[node]!;
  };
  const layers: number[][] = [];
  for (let node = 0; node < edges.length; node++) {
    const layer = depthOf(node);
    (layers[layer] ??= []).push(node);
  }
  orderLayers(layers, edges);
  return layers;
}

const SWEEPS = 4;

function orderLayers(layers: number[][], edges: Adjacency): void {
  const reverse: number[][] = edges.map(() => []);
  for (const [node, targets] of edges.entries()) for (const target of targets) reverse[target]!.push(node);
  const place = new Float64Array(edges.length);
  const number = (layer: readonly number[]) => {
    for (const [index, node] of layer.entries()) place[node] = index;
  };
  for (const layer of layers) number(layer);
  const settle = (layer: number[], neighbours: Adjacency) => {
    const centre = new Map(layer.map((node) => [node, mean(neighbours[node]!, place) ?? place[node]!]));
    layer.sort((a, b) => centre.get(a)! - centre.get(b)! || a - b);
    number(layer);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of layers) settle(layer, edges);
    for (const layer of [...layers].reverse()) settle(layer, reverse);
  }
}

function mean(nodes: readonly number[], place: Float64Array): number | undefined {
  if (nodes.length === 0) return undefined;
  let sum = 0;
  for (const node of nodes) sum += place[node]!;
  return sum / nodes.length;
}
