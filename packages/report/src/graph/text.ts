/** Graphs as text: JSON, DOT, Mermaid and a page that needs nothing else. */

import type { DrawnNode } from "./drawn-node.ts";
import { graphPage } from "./page.ts";

/** The formats of `--graph`. */
export type GraphFormat = "json" | "dot" | "mermaid" | "html";

/** Draws a graph, ending with a newline. */
export function graphText(nodes: readonly DrawnNode[], format: GraphFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify({ nodes }, null, 2)}\n`;
    case "dot":
      return dot(nodes);
    case "mermaid":
      return mermaid(nodes);
    case "html":
      return graphPage(nodes);
  }
}

function dot(nodes: readonly DrawnNode[]): string {
  const quote = (label: string) => `"${label.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const lines = nodes.flatMap((node) => [
    `  ${quote(node.label)};`,
    ...node.requires.map((target) => `  ${quote(node.label)} -> ${quote(target)};`),
    ...node.after.map((target) => `  ${quote(node.label)} -> ${quote(target)} [style=dashed];`),
    ...node.validates.map((target) => `  ${quote(node.label)} -> ${quote(target)} [style=dotted];`),
  ]);
  return `digraph kahn {\n  rankdir=LR;\n  node [shape=box];\n${lines.join("\n")}\n}\n`;
}

function mermaid(nodes: readonly DrawnNode[]): string {
  const ids = new Map(nodes.map((node, index) => [node.label, `n${index}`]));
  const quote = (label: string) => `["${label.replaceAll('"', "#quot;")}"]`;
  const lines = nodes.flatMap((node) => {
    const from = ids.get(node.label)!;
    return [
      `  ${from}${quote(node.label)}`,
      ...node.requires.map((target) => `  ${from} --> ${ids.get(target)}`),
      ...node.after.map((target) => `  ${from} -.-> ${ids.get(target)}`),
      ...node.validates.map((target) => `  ${from} -. validates .-> ${ids.get(target)}`),
    ];
  });
  return `graph LR\n${lines.join("\n")}\n`;
}
