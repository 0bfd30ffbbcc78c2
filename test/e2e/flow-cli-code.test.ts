// Goal: whatever the code of a graph does to the process, the run can be taken up, and people and machines are told.
// Method: the built command line on graphs that end the process, throw where nobody catches, and print.
import { expect, test } from "vitest";
import { Workspace } from "./rig/workspace.ts";

/** Two nodes; the second does what `code` says. */
const graph = (code: string, head = "") => `import { defineGraph, END, reduce, state } from "kahn/flow";
${head}
const S = state({ n: state.value(0, reduce.sum) });
export default defineGraph(S, { id: "g", version: "1", start: "a", maxSteps: 10,
  nodes: { a: { run: () => ({ add: { n: 1 } }) }, b: { run: async () => { ${code} } } },
  edges: [["a", "b"], ["b", END]],
});
`;

const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const ENDINGS: readonly (readonly [what: string, code: string, problem: string, ...parts: readonly string[]])[] = [
  ["ends the process", "process.exit(0);", "flow-process-ended", "process.exit", "running"],
  [
    "throws in a timer",
    "await new Promise(() => setTimeout(() => { throw new TypeError('late'); }, 1));",
    "flow-code-uncaught",
    "TypeError: late",
    "graph.ts:5",
  ],
  [
    "leaves a promise rejected",
    "void Promise.reject(new Error('lost')); await new Promise((done) => setTimeout(done, 1000));",
    "flow-code-uncaught",
    "nobody awaits",
  ],
];

test.each(ENDINGS)(
  "a node that %s leaves a run that can be resumed, and exit code 1",
  async (_, code, problem, ...parts) => {
    const workspace = new Workspace({ "graph.ts": graph(code) });
    const text = await workspace.kahn("flow run graph.ts --id t");
    expect(text).toMatchObject({ exitCode: 1 });
    for (const part of [problem, "b#1", "kahn flow resume t", ...parts]) expect(text.stderr).toContain(part);
    const json = await workspace.kahn("flow run graph.ts --id j --json");
    expect(json).toMatchObject({ exitCode: 1 });
    expect(linesOf(json.stdout).at(-1)).toMatchObject({
      kind: "flow.finished",
      run: "j",
      status: "interrupted",
      problem: { code: problem },
    });
    workspace.write("graph.ts", graph("return { add: { n: 10 } };"));
    const done = await workspace.kahn("flow resume t --json");
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    expect(linesOf(done.stdout).at(-1)).toMatchObject({ status: "completed", state: { n: 11 } });
  },
);

test("what a graph prints goes beside the JSON lines, and with text stays where it was", async () => {
  const printing = "console.log('from the node'); process.stdout.write('and more\\n');";
  const workspace = new Workspace({ "graph.ts": graph(printing, "console.log('from the file');") });
  const json = await workspace.kahn("flow run graph.ts --json");
  expect(json).toMatchObject({ exitCode: 0 });
  expect(linesOf(json.stdout).at(-1)).toMatchObject({ status: "completed" });
  for (const part of ["from the file", "from the node", "and more"]) expect(json.stderr).toContain(part);
  const text = await workspace.kahn("flow run graph.ts");
  expect(text.stdout).toContain("from the node");
});

test("a node that throws says where in its file, and the history keeps the stack", async () => {
  const workspace = new Workspace({ "graph.ts": graph("const none = undefined as never as { x: number }; none.x;") });
  const failed = await workspace.kahn("flow run graph.ts --id f");
  expect(failed).toMatchObject({ exitCode: 1 });
  expect(failed.stdout).toMatch(/✖ b#1 .*\[flow-node-failed\] at \S*graph\.ts:5:\d+/);
  expect(failed.stdout).toMatch(/ at +.*graph\.ts:5:\d+/);
  const events = linesOf((await workspace.kahn("flow show f --events")).stdout);
  expect(events.find(({ type }) => type === "node.failed")).toMatchObject({
    error: { stack: expect.stringMatching(/graph\.ts:5:\d+/) },
  });
});

test("a barrier whose time is up is decided by its default when the run is resumed without a terminal", async () => {
  const timed = `import { barrier, defineGraph, END, state } from "kahn/flow";
const S = state({ how: state.value("") });
export default defineGraph(S, { id: "g", version: "1", start: "ask", maxSteps: 10,
  nodes: { ask: barrier({ timeout: 20, onTimeout: "approve", decided: (o) => ({ set: { how: o.kind } }) }) },
  edges: [["ask", END]],
});
`;
  const workspace = new Workspace({ "graph.ts": timed });
  for (const id of ["t", "u"]) {
    expect(await workspace.kahn(`flow run graph.ts --id ${id}`)).toMatchObject({ exitCode: 4 });
  }
  // Starting a process takes longer than 20 ms.
  const late = await workspace.kahn("flow decide u ask#1 --reject no");
  expect(late).toMatchObject({ exitCode: 1 });
  expect(late.stdout).toContain("late: its time was up");
  for (const id of ["t", "u"]) {
    const done = await workspace.kahn(`flow resume ${id} --json`);
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    expect(linesOf(done.stdout).at(-1)).toMatchObject({ state: { how: "approve" } });
  }
});
