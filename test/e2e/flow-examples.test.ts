// Goal: the examples of workflows do what their READMEs say, through the library and from the shell. Method: each in a
// copy of its own, with real processes; how often its actions ran is read from their outcomes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as FlowEntry from "kahn/flow";
import type { FlowGraph } from "kahn/flow";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { kahnBinary } from "./rig/kahn-process.ts";

const ROOT = join(import.meta.dirname, "../..");

let entry: typeof FlowEntry;
beforeAll(async () => {
  entry = (await import(pathToFileURL(join(kahnBinary(), "../flow.mjs")).href)) as typeof FlowEntry;
});

/** A copy of an example beside the built Kahn. */
function copyOf(name: "release" | "review"): string {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "kahn-examples-")));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const directory = join(base, name);
  cpSync(join(ROOT, "examples/flows", name), directory, {
    recursive: true,
    filter: (path) => !/\/(dist|out|drafts|registry|node_modules|\.kahn)$|\.tgz$/.test(path),
  });
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(join(ROOT, "packages/kahn"), join(directory, "node_modules/kahn"));
  return directory;
}

async function open(name: "release" | "review") {
  const directory = copyOf(name);
  const { default: graph } = (await import(join(directory, `${name}.ts`))) as { readonly default: FlowGraph<Values> };
  const flow = entry.openFlow(join(directory, ".kahn/state/flows"));
  onTestFinished(() => flow.close());
  return { directory, graph, flow };
}

type Values = Readonly<Record<string, unknown>>;

test("a release is tested, packed, approved and published; a second one of the same files runs nothing", async () => {
  const { directory, graph, flow } = await open("release");
  mkdirSync(join(directory, "registry"));
  const first = await flow.start(graph, {}, { id: "first" });
  expect((await first.settled()).barriers).toMatchObject([{ barrier: "approve#1" }]);
  // What was approved is published, whatever becomes of the files and the cache.
  for (const name of ["dist", ".kahn/cache", "greeting-1.4.0.tgz"]) rmSync(join(directory, name), { recursive: true });
  await first.decide("approve#1", { approve: true }, { by: "ann" });
  const { status, state } = await first.result;
  expect(status).toBe("completed");
  expect(state.log).toEqual(["2 tasks ran, 0 were known", "packed", "approved by ann", "published 1.4.0"]);
  expect(readdirSync(join(directory, "registry"))).toEqual(["greeting-1.4.0.tgz"]);

  const warm = await flow.start(graph, {}, { id: "warm" });
  await warm.decide("approve#1", { reject: "just looking" });
  await warm.result;
  const second = await flow.start(graph, {}, { id: "second" });
  await second.decide("approve#1", { reject: "not on a Friday" });
  expect((await second.result).state).toMatchObject({
    published: "",
    log: ["0 tasks ran, 2 were known", "packed before", "withdrawn"],
  });
});

test("a release that cannot be published is left as a draft", async () => {
  const { directory, graph, flow } = await open("release");
  const run = await flow.start(graph, {}, { id: "r" });
  await run.decide("approve#1", { approve: true });
  const { status, state } = await run.result;
  expect({ status, published: state.published }).toEqual({
    status: "completed",
    published: join(directory, "drafts/1.4.0/greeting-1.4.0.tgz"),
  });
  // Another 1.4.0 in the registry is not written over.
  mkdirSync(join(directory, "registry"));
  writeFileSync(join(directory, "registry/greeting-1.4.0.tgz"), "another");
  const again = await flow.start(graph, {}, { id: "again" });
  await again.decide("approve#1", { approve: true });
  expect((await again.result).state.log).toContain("left as a draft");
  expect(readFileSync(join(directory, "registry/greeting-1.4.0.tgz"), "utf8")).toBe("another");
});

test("a review goes round until the editor is content, and a fork decides otherwise", async () => {
  const { directory, graph, flow } = await open("review");
  const run = await flow.start(graph, {}, { id: "r" });
  expect((await run.settled()).barriers).toMatchObject([
    { barrier: "editor#1", payload: { round: 1, findings: [{ what: "long-winded" }, { what: "unfinished" }] } },
  ]);
  const past = entry.history("r", flow.look());
  if (!past.ok) throw new Error(past.problem.message);
  await run.decide("editor#1", { reject: "too long, and unfinished" }, { by: "ann" });
  expect((await run.settled()).barriers).toMatchObject([{ barrier: "editor#2", payload: { round: 2, findings: [] } }]);
  await run.decide("editor#2", { approve: true });
  expect((await run.result).state).toMatchObject({ remarks: ["too long, and unfinished"], result: "out/r.md" });

  const fork = await flow.fork("r", graph, { at: past.value.at(-1)!.seq, id: "bold" });
  await fork.decide("editor#1", { approve: true }, { by: "bob" });
  expect((await fork.result).state).toMatchObject({ remarks: [], result: "out/bold.md" });
  expect(readFileSync(join(directory, "out/r.md"), "utf8")).not.toContain("TODO");
  expect(readFileSync(join(directory, "out/bold.md"), "utf8")).toContain("TODO");
  expect(existsSync(join(directory, "out/r.md"))).toBe(true);
});

/** Runs the shell lines of an example's README one after another. @returns what each printed, and how it ended. */
async function readmeOf(name: "release" | "review") {
  const directory = copyOf(name);
  const bin = join(directory, "node_modules/.bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "kahn"), `#!/bin/sh\nexec '${process.execPath}' '${kahnBinary()}' "$@"\n`, { mode: 0o755 });
  const text = readFileSync(join(directory, "README.md"), "utf8");
  const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap((block) => block[1]!.trim().split("\n"));
  const done: { readonly exitCode: number; readonly stdout: string }[] = [];
  for (const line of commands) {
    const shell = spawn("sh", ["-c", line], {
      cwd: directory,
      env: { PATH: `${bin}:${process.env.PATH}`, HOME: join(directory, "..") },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    shell.stdout.on("data", (bytes) => (stdout += String(bytes)));
    const [exitCode] = (await once(shell, "close")) as [number];
    done.push({ exitCode, stdout });
  }
  return { directory, done, exits: done.map(({ exitCode }) => exitCode) };
}

test("the README of the release example holds, line by line", async () => {
  const { directory, done, exits } = await readmeOf("release");
  // 4: waits for a decision.
  expect(exits).toEqual([4, 0, 0, 0, 0, 4, 0, 0]);
  expect(done[1]!.stdout).toContain("approve#1");
  expect(done[4]!.stdout).toContain("published 1.4.0");
  expect(done[7]!.stdout).toContain("0 tasks ran, 2 were known");
  expect(done[7]!.stdout).toContain("withdrawn");
  expect(readdirSync(join(directory, "registry"))).toEqual(["greeting-1.4.0.tgz"]);
});

test("the README of the review example holds, line by line", async () => {
  const { done, exits } = await readmeOf("review");
  expect(exits).toEqual([4, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(done[1]!.stdout).toContain("TODO");
  expect(done[6]!.stdout).not.toContain("TODO");
  expect(done[7]!.stdout).toMatch(/^ +9 .*waiting +editor#1/m);
  // What the last line tells apart: the fork let the first draft pass.
  expect(done[11]!.stdout).toContain("> Thirty days a year. TODO");
});
