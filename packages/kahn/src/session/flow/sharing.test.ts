// Goal: commands of one flow have the workspace together and never beside another run; what they made outlives the
// cache. Method: commands that wait for each other's files, so that they end only if they run as they should.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "@kahn/core";
import { acquireLock, nodeClock } from "@kahn/system";
import { expect, onTestFinished, test } from "vitest";
import { action, type Blob, barrier, defineGraph, END, type Flow, openFlow, parallel, state } from "../../flow.ts";

function workspace(config: object = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-flow-sharing-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "package.json"), "{}");
  writeFileSync(join(directory, "kahn.jsonc"), JSON.stringify(config));
  return directory;
}

/** Its runs are beside the workspace's own state, so that all of `.kahn/cache` may go. */
function flowIn(directory: string): Flow {
  const flow = openFlow(join(directory, ".runs"));
  onTestFinished(() => flow.close());
  return flow;
}

const node = (text: string) => ({ command: ["node", "-e", `const fs = require("node:fs");${text}`] });

function sideBySide(texts: readonly string[]) {
  const branches = Object.fromEntries(texts.map((text, index) => [`b${index}`, action({ work: node(text) })]));
  return defineGraph(state({}), {
    id: "side",
    version: "1",
    start: "all",
    maxSteps: 10,
    nodes: { all: parallel(branches) },
    edges: [["all", END]],
  });
}

const waitFor = (file: string) =>
  `const timer = setInterval(() => { if (fs.existsSync(${JSON.stringify(file)})) clearInterval(timer); }, 5);`;

test("commands of one flow run side by side", async () => {
  const directory = workspace({ concurrency: 2 });
  const graph = sideBySide([
    `fs.writeFileSync("a", ""); ${waitFor("b")}`,
    `fs.writeFileSync("b", ""); ${waitFor("a")}`,
  ]);
  const run = await flowIn(directory).start(graph, {}, { id: "r" });
  expect((await run.result).status).toBe("completed");
});

test("no more commands run at once than the workspace allows", async () => {
  const directory = workspace({ concurrency: 1 });
  const alone = `fs.mkdirSync("busy"); setTimeout(() => fs.rmdirSync("busy"), 20);`;
  const run = await flowIn(directory).start(sideBySide([alone, alone, alone, alone]), {}, { id: "r" });
  expect((await run.result).status).toBe("completed");
});

test("a command waits for whoever has the workspace, says so, and can be aborted while it waits", async () => {
  const directory = workspace();
  mkdirSync(join(directory, ".kahn/state"), { recursive: true });
  const lock = await acquireLock({
    path: join(directory, ".kahn/state"),
    clock: nodeClock(),
    owner: { label: "kahn run build", command: "" },
  });
  if (!lock.ok) throw new Error(lock.problem.message);
  onTestFinished(() => lock.value.release());
  const flow = flowIn(directory);
  const graph = sideBySide([`fs.writeFileSync("ran", "")`]);
  const waitingOf = async (id: string) => {
    const run = await flow.start(graph, {}, { id });
    for await (const event of run.events({ data: true, onLeave: "detach" })) {
      if (event.type === "node.data") return { run, data: event.data };
    }
    throw new Error("nobody waited");
  };
  const cancelled = await waitingOf("cancelled");
  expect(cancelled.data).toMatchObject({ kind: "waiting", for: expect.stringContaining("kahn run build") });
  expect((await cancelled.run.cancel({ by: "test" })).status).toBe("cancelled");
  const { run } = await waitingOf("patient");
  expect(existsSync(join(directory, "ran"))).toBe(false);
  lock.value.release();
  expect((await run.result).status).toBe("completed");
  expect(existsSync(join(directory, "ran"))).toBe(true);
});

const S = state({ artefact: state.blob(), report: state.value("") });

/** Makes a large artefact, waits for a person, then reports on it by another command. */
function releaseGraph() {
  return defineGraph(S, {
    id: "release",
    version: "1",
    start: "pack",
    maxSteps: 10,
    nodes: {
      pack: action({
        work: {
          ...node(`fs.appendFileSync("packed", "x"); fs.mkdirSync("out"); fs.writeFileSync("out/app", "head");
            fs.truncateSync("out/app", ${SIZE});`),
          inputs: ["package.json"],
          outputs: ["out/**"],
        },
        result: (made) => {
          if (made.kind !== "command") return {};
          return { set: { artefact: made.keep(made.outputs[0]!) } };
        },
      }),
      approve: barrier({}),
      check: action({
        work: { ...node(`fs.appendFileSync("checked", "x"); console.log("sound")`), inputs: ["package.json"] },
        result: (made) => ({ set: { report: made.kind === "command" ? made.stdout : "" } }),
      }),
    },
    edges: [
      ["pack", "approve"],
      ["approve", "check"],
      ["check", END],
    ],
  });
}

const SIZE = 64 * 1024 * 1024;

function bytesBelow(directory: string): number {
  let total = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    total += entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
  }
  return total;
}

test("an artefact of 64 MiB costs the journal one digest; without the cache the run goes on, and executes anew", async () => {
  const directory = workspace();
  const first = flowIn(directory);
  const started = await first.start(releaseGraph(), {}, { id: "r" });
  expect((await started.settled()).status).toBe("waiting");
  await first.close();
  expect(bytesBelow(join(directory, ".runs/journals"))).toBeLessThan(4096);
  rmSync(join(directory, ".kahn"), { recursive: true });
  rmSync(join(directory, "out"), { recursive: true });

  const second = flowIn(directory);
  const resumed = await second.resume("r", releaseGraph());
  await resumed.decide("approve#1", { approve: true });
  const result = await resumed.result;
  expect(result).toMatchObject({ status: "completed", state: { report: "sound\n" } });
  const artefact = result.state.artefact as Blob;
  expect(artefact.sizeBytes).toBe(SIZE);
  const expected = new Uint8Array(SIZE);
  expected.set(Buffer.from("head"));
  expect(artefact.digest).toBe(digestOf(expected));
  const [shard, hash] = [artefact.digest.slice(7, 9), artefact.digest.slice(7, 71)];
  expect(statSync(join(directory, ".runs/values", shard, hash)).size).toBe(SIZE);

  // A run of its own finds what this one left in the new cache, and what is gone from it is made again.
  const again = await second.start(releaseGraph(), {}, { id: "again" });
  await again.decide("approve#1", { approve: true });
  expect((await again.result).status).toBe("completed");
  const count = (name: string) => readFileSync(join(directory, name), "utf8").length;
  expect([count("packed"), count("checked")]).toEqual([2, 1]);
}, 60_000);
