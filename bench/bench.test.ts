/** The parts of the benchmark that could lie: the graph, the reading of processor times, the table. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { childrenCpuMs, measure } from "./measure.ts";
import { packageGraph } from "./package-graph.ts";
import { median, table } from "./table.ts";

// Goal: what `bench.json` says about the reach of an edit is what a verified run counts on.
// Method: random sizes and seeds against a plain search over the edges.
test("the root reaches as many packages as the graph says, and the leaf only itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 60 }), fc.integer(), (count, seed) => {
      const graph = packageGraph(count, seed);
      const reach = (from: number): number => {
        const reached = new Set([from]);
        for (let before = -1; before !== reached.size; ) {
          before = reached.size;
          graph.dependencies.forEach((each, index) => {
            if (each.some((dependency) => reached.has(dependency))) reached.add(index);
          });
        }
        return reached.size;
      };
      expect(reach(graph.root)).toBe(graph.rootClosure);
      expect(reach(graph.leaf)).toBe(1);
      graph.dependencies.forEach((each, index) => {
        expect(each.every((dependency) => dependency < index)).toBe(true);
        expect(new Set(each).size).toBe(each.length);
      });
      expect(packageGraph(count, seed)).toEqual(graph);
    }),
  );
});

test("a graph of a hundred packages has five layers or more, and three dependencies above the lowest", () => {
  const graph = packageGraph(100, 1);
  expect(graph.layerCount).toBe(6);
  const counts = graph.dependencies.map((each) => each.length);
  expect(new Set(counts)).toEqual(new Set([0, 3]));
});

test("bash's times are read in milliseconds, those of the children only", () => {
  expect(childrenCpuMs("0m0.001s 0m0.002s\n1m2.345s 0m0.055s\n")).toBe(62_400);
  expect(childrenCpuMs("bash: nothing\n")).toBeNaN();
});

// Goal: what a grandchild uses must count. Method: a child that lets its child work; the amount is not asserted
// beyond what no idle program uses.
test("the processor time of a whole tree is measured", () => {
  const busy = "const end = process.cpuUsage().user + 50000; while (process.cpuUsage().user < end);";
  const command = ["sh", "-c", `"$0" -e "$1"; true`, process.execPath, busy];
  const cost = measure({ command, cwd: ".", env: { PATH: process.env.PATH }, output: 2, timeoutMs: 60_000 });
  expect(cost.exitCode).toBe(0);
  expect(cost.cpuMs).toBeGreaterThanOrEqual(50);
});

test("void runs count for nothing, and a floor is no best", () => {
  const run = { n: 10, scenario: "a: cold", wallMs: 100, isFloor: false };
  const text = table([
    { ...run, peer: "slow", cpuMs: 300 },
    { ...run, peer: "slow", cpuMs: 1, fault: "0 scripts ran" },
    { ...run, peer: "fast", cpuMs: 100 },
    { ...run, peer: "fast", cpuMs: 300 },
    { ...run, peer: "floor", cpuMs: 50, isFloor: true },
    { ...run, peer: "broken", cpuMs: 1, fault: "exit code 1" },
  ]);
  expect(text.split("\n").slice(4)).toEqual([
    "| floor | 50 | 50 | 0.25× | 100 | 100 | 1.00× | 1 |",
    "| fast | 200 | 100 | 1.00× | 100 | 100 | 1.00× | 2 |",
    "| slow | 300 | 300 | 1.50× | 100 | 100 | 1.00× | 1 (1 void) |",
  ]);
  expect(median([3, 1, 2])).toBe(2);
});
