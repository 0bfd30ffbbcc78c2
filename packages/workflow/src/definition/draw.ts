/** Drawings of a graph: Mermaid and DOT. */

import { kindOf } from "./construct.ts";
import type { FlowEdge, FlowGraph } from "./nodes.ts";
import { END } from "./nodes.ts";

const SHAPES: Readonly<Record<string, readonly [open: string, close: string]>> = {
  task: ["[", "]"],
  condition: ["{", "}"],
  barrier: ["{{", "}}"],
  parallel: ["[[", "]]"],
  map: ["[[", "]]"],
  subgraph: ["[/", "/]"],
  action: ["[(", ")]"],
};

/** What a drawing tells of a run, by node: `done` was visited, `open` runs or waits, `failed` did. */
export type DrawMarks = ReadonlyMap<string, "done" | "open" | "failed">;

const FILLS = { done: "#d4edda", open: "#fff3cd", failed: "#f8d7da" } as const;

/** The graph as a Mermaid flowchart; `marks` colours nodes. */
export function toMermaid(graph: FlowGraph, marks: DrawMarks = new Map()): string {
  const ids = numbers(graph);
  const lines = ["flowchart TD", '  start(("start"))', '  finish(("end"))'];
  for (const [name, node] of graph.nodes) {
    const [open, close] = SHAPES[kindOf(node)]!;
    lines.push(`  ${ids.get(name)}${open}"${quoted(node.label ?? name)}"${close}`);
  }
  lines.push(`  start --> ${ids.get(graph.start)}`);
  for (const { from, to, label, kind } of links(graph)) {
    const arrow = kind === "normal" ? "-->" : "-.->";
    lines.push(`  ${ids.get(from)} ${arrow}${label === "" ? "" : `|"${quoted(label)}"|`} ${ids.get(to)}`);
  }
  for (const [mark, fill] of Object.entries(FILLS)) {
    const marked = [...graph.nodes.keys()].filter((name) => marks.get(name) === mark).map((name) => ids.get(name));
    if (marked.length > 0) lines.push(`  classDef ${mark} fill:${fill}`, `  class ${marked.join(",")} ${mark}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The graph in the language of Graphviz; `marks` colours nodes. */
export function toDot(graph: FlowGraph, marks: DrawMarks = new Map()): string {
  const lines = [
    `digraph ${JSON.stringify(graph.id)} {`,
    "  node [shape=box];",
    `  "$end" [shape=doublecircle, label="end"];`,
  ];
  for (const [name, node] of graph.nodes) {
    const shape = kindOf(node) === "barrier" ? "hexagon" : kindOf(node) === "condition" ? "diamond" : "box";
    const mark = marks.get(name);
    const fill = mark === undefined ? "" : `, style=filled, fillcolor="${FILLS[mark]}"`;
    lines.push(`  ${JSON.stringify(name)} [label=${JSON.stringify(node.label ?? name)}, shape=${shape}${fill}];`);
  }
  lines.push(`  "$start" [shape=circle, label="start"];`, `  "$start" -> ${JSON.stringify(graph.start)};`);
  for (const { from, to, label, kind } of links(graph)) {
    const style = kind === "normal" ? "" : ", style=dashed";
    lines.push(`  ${JSON.stringify(from)} -> ${JSON.stringify(to)} [label=${JSON.stringify(label)}${style}];`);
  }
  return `${[...lines, "}"].join("\n")}\n`;
}

interface Link {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly kind: FlowEdge["kind"];
}

/** One link for each edge and target, then those of conditions and rejections. */
function links(graph: FlowGraph): Link[] {
  const found: Link[] = [];
  for (const edge of graph.edges) {
    for (const to of edge.to) found.push({ from: edge.from, to, label: labelOf(edge), kind: edge.kind });
  }
  for (const [from, node] of graph.nodes) {
    if (node.kind === "condition") {
      for (const [to] of node.choices) found.push({ from, to, label: "", kind: "conditional" });
    }
    if (node.kind === "barrier" && typeof node.onReject === "object") {
      found.push({ from, to: node.onReject.goto, label: "reject", kind: "conditional" });
    }
  }
  return found;
}

function labelOf(edge: FlowEdge): string {
  if (edge.label !== undefined) return edge.label;
  if (edge.kind === "error") return Array.isArray(edge.onError) ? edge.onError.join(", ") : "error";
  return edge.kind === "fallback" ? "fallback" : edge.maxVisits === undefined ? "" : `≤ ${edge.maxVisits}`;
}

function numbers(graph: FlowGraph): ReadonlyMap<string, string> {
  return new Map([...[...graph.nodes.keys()].map((name, index) => [name, `n${index}`] as const), [END, "finish"]]);
}

function quoted(text: string): string {
  return text.replaceAll('"', "#quot;");
}
