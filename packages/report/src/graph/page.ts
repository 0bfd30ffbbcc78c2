/** A graph as one HTML page without anything from elsewhere: an SVG, a filter, and highlighting of what a node needs. */

import type { DrawnNode } from "./drawn-node.ts";
import { layersOf } from "./layout.ts";

const ROW = 34;
const COLUMN_GAP = 90;
const CHARACTER = 7.3;

/** The page. */
export function graphPage(nodes: readonly DrawnNode[]): string {
  const index = new Map(nodes.map((node, at) => [node.label, at]));
  const targets = (labels: readonly string[]) => labels.map((label) => index.get(label)!);
  const edges = nodes.map((node) => [...targets(node.requires), ...targets(node.after)]);
  const layers = layersOf(edges);
  const x = new Float64Array(nodes.length);
  const y = new Float64Array(nodes.length);
  let left = 20;
  for (const layer of layers) {
    const width = Math.max(...layer.map((node) => nodes[node]!.label.length)) * CHARACTER + 20;
    for (const [row, node] of layer.entries()) {
      x[node] = left;
      y[node] = 20 + row * ROW;
    }
    left += width + COLUMN_GAP;
  }
  const boxes = nodes.map((node, at) => box(node.label, at, { x: x[at]!, y: y[at]! }));
  const place = (at: number) => ({ x: x[at]!, y: y[at]! });
  const widthOf = (at: number) => nodes[at]!.label.length * CHARACTER + 16;
  const lines = nodes.flatMap((node, from) => [
    ...targets(node.requires).map((to) => line({ from, to, kind: "requires" }, place, widthOf)),
    ...targets(node.after).map((to) => line({ from, to, kind: "after" }, place, widthOf)),
    ...targets(node.validates).map((to) => line({ from, to, kind: "validates" }, place, widthOf)),
  ]);
  const height = 60 + Math.max(0, ...layers.map((layer) => layer.length)) * ROW;
  return page(`<svg width="${left}" height="${height}">${lines.join("")}${boxes.join("")}</svg>`, edges);
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function box(label: string, at: number, { x, y }: Point): string {
  const width = label.length * CHARACTER + 16;
  return `<g class="node" data-node="${at}"><rect x="${x}" y="${y}" width="${width}" height="24" rx="4"/><text x="${x + 8}" y="${y + 16}">${escapeText(label)}</text></g>`;
}

function line(
  { from, to, kind }: { readonly from: number; readonly to: number; readonly kind: string },
  place: (node: number) => Point,
  widthOf: (node: number) => number,
): string {
  const start = place(from);
  const end = place(to);
  const [x1, y1, x2, y2] = [start.x, start.y + 12, end.x + widthOf(to), end.y + 12];
  const bend = Math.max(30, (x1 - x2) / 2);
  return `<path class="${kind}" data-from="${from}" data-to="${to}" d="M${x1},${y1} C${x1 - bend},${y1} ${x2 + bend},${y2} ${x2},${y2}"/>`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function page(svg: string, edges: readonly (readonly number[])[]): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Task graph</title>
<style>
  body { font: 13px system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; color-scheme: light dark; }
  header { position: sticky; top: 0; left: 0; padding: 8px 20px; background: Canvas; }
  text { font: 12px ui-monospace, monospace; fill: CanvasText; }
  rect { fill: Canvas; stroke: GrayText; }
  path { fill: none; stroke: GrayText; opacity: .6; } .after { stroke-dasharray: 6 4; } .validates { stroke-dasharray: 2 3; }
  .on rect { stroke: Highlight; stroke-width: 2; } path.on { stroke: Highlight; opacity: 1; } .off { opacity: .15; }
</style>
<header><label>Filter <input type="search" autofocus></label> <span>solid: requires · dashed: after · dotted: validates · click a task to see what it rests on</span></header>
${svg}
<script>
  const edges = ${JSON.stringify(edges)};
  const nodes = [...document.querySelectorAll(".node")], paths = [...document.querySelectorAll("path")];
  const show = (chosen) => {
    for (const node of nodes) { node.classList.toggle("on", chosen?.has(+node.dataset.node) ?? false); node.classList.toggle("off", chosen ? !chosen.has(+node.dataset.node) : false); }
    for (const path of paths) { const on = chosen?.has(+path.dataset.from) && chosen.has(+path.dataset.to); path.classList.toggle("on", !!on); path.classList.toggle("off", chosen ? !on : false); }
  };
  const below = (start) => { const seen = new Set([start]); for (const node of seen) for (const next of edges[node]) seen.add(next); return seen; };
  for (const node of nodes) node.addEventListener("click", (event) => { event.stopPropagation(); show(below(+node.dataset.node)); });
  document.addEventListener("click", () => show(undefined));
  document.querySelector("input").addEventListener("input", (event) => {
    const text = event.target.value.toLowerCase();
    show(text ? new Set(nodes.filter((node) => node.textContent.toLowerCase().includes(text)).map((node) => +node.dataset.node)) : undefined);
  });
</script>
</html>
`;
}
