// Goal: the published entry `kahn/flow` does what its guide shows: a run waits at a barrier, its process ends, and another
// process decides and finishes it. Method: two small programs on the built file, one folder.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kahnBinary } from "./rig/kahn-process.ts";

const directory = mkdtempSync(join(tmpdir(), "kahn-flow-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(() => {
  const entry = pathToFileURL(join(kahnBinary(), "../flow.mjs")).href;
  writeFileSync(
    join(directory, "review.mjs"),
    `import { barrier, defineGraph, END, openFlow, reduce, state } from ${JSON.stringify(entry)};
    const S = state({ topic: state.value(""), notes: state.value([], reduce.append) });
    export const review = defineGraph(S, {
      id: "review", version: "1", start: "draft", maxSteps: 100,
      nodes: {
        draft: { run: async ({ state: { topic } }) => ({ set: { notes: ["a note on " + topic] } }) },
        approve: barrier({ timeout: "24h", onReject: { goto: "draft" } }),
      },
      edges: [["draft", "approve"], ["approve", END]],
    });
    export const open = () => openFlow(${JSON.stringify(join(directory, "runs"))});`,
  );
});

function program(text: string): string {
  const path = join(directory, "program.mjs");
  writeFileSync(
    path,
    `import { open, review } from "./review.mjs";\nconst flow = open();\n${text}\nawait flow.close();`,
  );
  return execFileSync(process.execPath, [path], { encoding: "utf8", timeout: 50_000 }).trim();
}

test("a run that waits for a person outlives its process and is finished by another", () => {
  const started = program(`const run = await flow.start(review, { topic: "kernels" }, { id: "r-1" });
    console.log((await run.settled()).status);`);
  expect(started).toBe("waiting");
  const rejected = program(`const run = await flow.resume("r-1", review);
    await run.decide("approve#1", { reject: "too thin" }, { by: "ann" });
    console.log((await run.settled()).status);`);
  expect(rejected).toBe("waiting");
  const finished = program(`const run = await flow.resume("r-1", review);
    await run.decide("approve#2", { approve: true }, { by: "ann" });
    const { status, state } = await run.result;
    console.log(JSON.stringify({ status, notes: state.notes }));`);
  expect(JSON.parse(finished)).toEqual({ status: "completed", notes: ["a note on kernels", "a note on kernels"] });
});
