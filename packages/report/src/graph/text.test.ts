// Goal: each format is valid in its own syntax and shows the three kinds of edges; the layout puts nothing before what
// it waits for. Method: small graphs by eye, layers as a property over random acyclic graphs.
import fc from "fast-check";
import { expect, test } from "vitest";
import { layersOf } from "./layout.ts";
import { graphText } from "./text.ts";

const NODES = [
  { label: "a#build", requires: [], after: [], validates: [] },
  { label: 'b"q#build', requires: ["a#build"], after: [], validates: [] },
  { label: "b#check", requires: [], after: ["a#build"], validates: ['b"q#build'] },
];

test("DOT quotes labels and draws the kinds of edges differently", () => {
  expect(graphText(NODES, "dot")).toBe(`digraph kahn {
  rankdir=LR;
  node [shape=box];
  "a#build";
  "b\\"q#build";
  "b\\"q#build" -> "a#build";
  "b#check";
  "b#check" -> "a#build" [style=dashed];
  "b#check" -> "b\\"q#build" [style=dotted];
}
`);
});

test("Mermaid numbers nodes, so labels may hold anything", () => {
  const text = graphText(NODES, "mermaid");
  expect(text).toContain('n1["b#quot;q#build"]');
  expect(text).toContain("n2 -.-> n0");
});

test("JSON is the nodes as they are", () => {
  expect(JSON.parse(graphText(NODES, "json"))).toEqual({ nodes: NODES });
});

test("the page stands alone and escapes labels", () => {
  const page = graphText([{ label: "<x>&#build", requires: [], after: [], validates: [] }], "html");
  expect(page).toContain("&lt;x&gt;&amp;#build");
  expect(page).not.toMatch(/src=|href=/);
});

test("every node lies in a later layer than all that it waits for, and each is placed once", () => {
  const acyclic = fc.array(fc.array(fc.nat(50), { maxLength: 4 }), { maxLength: 50 }).map((lists) => {
    return lists.map((list, node) => [...new Set(list.filter((target) => target < node))]);
  });
  fc.assert(
    fc.property(acyclic, (edges) => {
      const layer = new Map(layersOf(edges).flatMap((nodes, index) => nodes.map((node) => [node, index] as const)));
      expect(layer.size).toBe(edges.length);
      for (const [node, targets] of edges.entries()) {
        for (const target of targets) expect(layer.get(node)!).toBeGreaterThan(layer.get(target)!);
      }
    }),
  );
});
