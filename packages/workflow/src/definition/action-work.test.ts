import { expect, test } from "vitest";
import type { ActionWork } from "./action-work.ts";
import { workMistakes } from "./action-work.ts";
import { action } from "./construct.ts";
import { defineGraph } from "./graph.ts";
import { END } from "./nodes.ts";
import { state } from "./state.ts";

function graphOf(work: ActionWork | (() => ActionWork)) {
  return defineGraph(state({}), {
    id: "g",
    version: "1",
    start: "act",
    maxSteps: 1,
    nodes: { act: action({ work }) },
    edges: [["act", END]],
  });
}

// Goal: what cannot be meant is refused when a graph is built. Method: one mistake at a time, and none.
test("each word of an action's work that cannot be meant is named", () => {
  const cases: readonly (readonly [work: unknown, mistake: string | undefined])[] = [
    [{ tasks: ["build", "app#test"] }, undefined],
    [{ command: ["node", ""], inputs: [], outputs: ["dist/**"], env: { A: "" }, cwd: "x", tools: [] }, undefined],
    [undefined, "has no work"],
    [{}, "needs either tasks or a command"],
    [{ tasks: ["a"], command: ["b"] }, "needs either tasks or a command"],
    [{ tasks: [] }, "has no tasks"],
    [{ command: "node x" }, "has no command"],
    [{ command: [""] }, "has command that are not all texts"],
    [{ command: ["a", 1] }, "has command that are not all texts"],
    [{ command: ["a\0b"] }, "has command that are not all texts"],
    [{ command: ["a"], inputs: "src" }, "has no inputs"],
    [{ command: ["a"], cwd: 1 }, "has a cwd that is no text"],
    [{ command: ["a"], env: "A=1" }, "has an env that is no object"],
    [{ command: ["a"], env: { "A*": "1" } }, 'sets a variable that cannot be called "A*"'],
    [{ command: ["a"], env: { A: 1 } }, "sets A to what is no text"],
  ];
  for (const [work, mistake] of cases) {
    const found = [...workMistakes(work)];
    if (mistake === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(mistake)]);
  }
  expect(() => graphOf({ tasks: [] })).toThrow('node "act" has no tasks');
});

test("a graph's hash knows its commands, and no values of variables", () => {
  const command = (parts: object = {}) => graphOf({ command: ["make"], ...parts });
  expect(command().hash).not.toBe(graphOf({ command: ["make", "all"] }).hash);
  expect(command().hash).not.toBe(command({ env: { TOKEN: "secret" } }).hash);
  expect(command({ env: { TOKEN: "secret" } }).hash).toBe(command({ env: { TOKEN: "other" } }).hash);
  expect(JSON.stringify(command({ env: { TOKEN: "secret" } }).structure)).not.toContain("secret");
  expect(graphOf(() => ({ tasks: ["a"] })).hash).toBe(graphOf(() => ({ tasks: ["b"] })).hash);
});
