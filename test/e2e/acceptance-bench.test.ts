// Goal: on the workspace that Kahn is measured with, nothing runs that need not, and what comes back is what was made.
// Method: every script appends a line to `.exec.log`, so what really ran is counted, not believed.
import { execFileSync } from "node:child_process";
import { statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PEERS } from "../../bench/peers.ts";
import { type WorkspaceFacts, writeWorkspace } from "../../bench/workspace.ts";
import { manifest, ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

const RUN = "build test --concurrency 2";

class BenchWorkspace extends Workspace {
  readonly facts: WorkspaceFacts;

  constructor(n: number) {
    super();
    const kahn = PEERS.find((peer) => peer.name === "kahn")!;
    this.facts = writeWorkspace(this.directory, { n, seed: 1 }, (packages) => kahn.dress(packages));
  }

  /** What ran since the last call. */
  takeLog(): string[] {
    const lines = this.lines(".exec.log");
    if (lines.length > 0) this.remove(".exec.log");
    return lines.sort();
  }
}

test("a hundred packages: a cold run executes 200 tasks, a second run none, a run without dist restores all", async () => {
  const bench = new BenchWorkspace(100);
  const cold = await bench.run(RUN);
  expect(cold.exitCode, cold.stderr).toBe(0);
  expect(new Set(bench.takeLog()).size).toBe(200);
  expect(cold.finished).toMatchObject({ status: "succeeded", executed: 200, cached: 0, failed: 0, skipped: 0 });

  const again = await bench.run(RUN);
  expect(again.finished).toMatchObject({ executed: 0, cached: 200 });
  expect(bench.takeLog()).toEqual([]);

  const made = bench.tree("packages");
  for (const path of Object.keys(made)) if (/^packages\/[^/]+\/dist$/.test(path)) bench.remove(path);
  const restored = await bench.run(RUN);
  expect(restored.finished).toMatchObject({ executed: 0, cached: 200 });
  expect(bench.takeLog()).toEqual([]);
  expect(bench.tree("packages")).toEqual(made);
});

test("a source of the leaf re-runs its two tasks, a comment in the root's script only its build", async () => {
  const bench = new BenchWorkspace(20);
  await bench.run(RUN);
  bench.takeLog();
  bench.append(`packages/${bench.facts.leaf}/src/f03.ts`, "// edited\n");
  await bench.run(RUN);
  expect(bench.takeLog()).toEqual([`b:${bench.facts.leaf}`, `t:${bench.facts.leaf}`]);

  bench.append(`packages/${bench.facts.root}/build.sh`, "# c\n");
  const cutOff = await bench.run(RUN);
  expect(bench.takeLog()).toEqual([`b:${bench.facts.root}`]);
  expect(cutOff.finished).toMatchObject({ executed: 1, cached: 39 });
});

test("a build run by hand in place changes neither another package's files nor a later restore", async () => {
  const bench = new BenchWorkspace(10);
  await bench.run(RUN);
  const made = bench.tree("packages");
  const { root } = bench.facts;
  bench.append(`packages/${root}/src/f00.ts`, "// only for the build by hand\n");
  execFileSync("sh", ["build.sh"], { cwd: bench.path(`packages/${root}`) });
  const byHand = bench.tree("packages");
  expect(byHand[`packages/${root}/dist/sum`]).not.toBe(made[`packages/${root}/dist/sum`]);
  const elsewhere = (tree: Record<string, string>) =>
    Object.entries(tree).filter(([path]) => !path.startsWith(`packages/${root}/`));
  expect(elsewhere(byHand)).toEqual(elsewhere(made));

  const source = bench.read(`packages/${root}/src/f00.ts`).replace("// only for the build by hand\n", "");
  bench.write(`packages/${root}/src/f00.ts`, source);
  bench.takeLog();
  const restored = await bench.run(RUN);
  expect(restored.finished).toMatchObject({ executed: 0, cached: 20 });
  expect(bench.tree("packages")).toEqual(made);
});

// Goal: a restore brings back everything that a build may leave, not only plain files. Method: one script makes each.
for (const mode of ["copy", "link"] as const) {
  test(`links, executables, nested and empty folders and files come back as they were made (${mode})`, async () => {
    const script = [
      "mkdir -p dist/deep/er dist/empty dist/hollow/inside",
      "echo plain > dist/plain; : > dist/deep/er/nothing; printf 'a\\000b' > 'dist/deep/odd name ü'",
      "echo '#!/bin/sh' > dist/tool; chmod 755 dist/tool",
      "ln -s plain dist/to-file; ln -s deep/er dist/to-folder; ln -s ../gone dist/dangling; ln -s /etc dist/absolute",
    ].join("\n");
    const work = new Workspace({
      "package.json": manifest("odd", { build: "sh build.sh" }),
      "build.sh": script,
      "kahn.jsonc": { tasks: { build: { inputs: ["build.sh"], outputs: ["dist/**"], outputMode: mode } } },
    });
    expect((await work.run("build")).finished).toMatchObject({ executed: 1 });
    const made = work.tree("dist");
    expect(Object.keys(made)).toContain("dist/hollow/inside");
    work.remove("dist");
    const restored = await work.run("build");
    expect(restored.finished).toMatchObject({ executed: 0, cached: 1 });
    expect(work.tree("dist")).toEqual(made);
  });
}

test("files that appeared in dist by hand are left, and a file that was edited there is put back", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "mkdir -p dist && cp in dist/out" }),
    in: "made\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["in"], outputs: ["dist/**"] } } },
  });
  await work.run("build");
  work.write("dist/out", "edited\n");
  work.write("dist/mine", "by hand\n");
  const restored = await work.run("build");
  expect(restored.finished).toMatchObject({ executed: 0, cached: 1 });
  expect(work.read("dist/out")).toBe("made\n");
  expect(work.read("dist/mine")).toBe("by hand\n");
});

// Goal: no edit is missed because a file looks as it did: same size, written within the clock's granularity of the run
// that read it, or with its time put back. Method: each edit flips one character; the output tells what was built.
test("an edit of the same size is seen, however soon after a run, and even with its old time", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "mkdir -p dist && cp in dist/out" }),
    in: "0\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["in"], outputs: ["dist/**"] } } },
  });
  await work.run("build");
  for (const keepsTime of [false, true, false, true, false]) {
    const { atime, mtime } = statSync(work.path("in"));
    const content = `${Number(work.read("in")) + 1}\n`;
    writeFileSync(work.path("in"), content);
    if (keepsTime) utimesSync(work.path("in"), atime, mtime);
    expect((await work.run("build")).finished).toMatchObject({ executed: 1 });
    expect(work.read("dist/out")).toBe(content);
  }
});

/** A ← B ← C: B copies only its own source, C's test loads what A built through B at run time. */
function chainAtRunTime(): Workspace {
  const build = (needs: string) => `node build.mjs ${needs}`.trim();
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/a/package.json": { ...manifest("a", { build: build("") }), exports: "./dist/index.mjs" },
    "packages/b/package.json": { ...manifest("b", { build: build("") }, ["a"]), exports: "./dist/index.mjs" },
    "packages/c/package.json": manifest("c", { build: build(""), test: "node test.mjs" }, ["b"]),
    "kahn.jsonc": {
      tasks: {
        build: { dependsOn: ["^build"], inputs: ["src/**", "build.mjs"], outputs: ["dist/**"] },
        test: { dependsOn: ["build"], inputs: ["test.mjs"] },
      },
    },
    "packages/a/src/index.mjs": "// first\nexport const answer = 41;\n",
    "packages/b/src/index.mjs": 'import { answer } from "a";\nexport const more = () => answer + 1;\n',
    "packages/c/src/index.mjs": "export {};\n",
    "packages/c/test.mjs": 'import { more } from "b";\nconsole.log("the answer is", more());\n',
  });
  // Comments do not reach the output, so an edit of one leaves it as it was.
  const builder = `import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.mjs", readFileSync("src/index.mjs", "utf8").replace(/^\\/\\/.*\\n/gm, ""));
`;
  for (const name of ["a", "b", "c"]) work.write(`packages/${name}/build.mjs`, builder);
  work.write("node_modules/.keep", "");
  for (const name of ["a", "b"]) symlinkSync(`../packages/${name}`, work.path(`node_modules/${name}`));
  return work;
}

test("an edit of A that leaves B's output byte-equal re-runs C's test, which reaches A through B", async () => {
  const work = chainAtRunTime();
  const first = await work.kahn("run test");
  expect(first.stdout).toContain("the answer is 42");
  const before = work.read("packages/b/dist/index.mjs");
  work.write("packages/a/src/index.mjs", "export const answer = 1;\n");
  const second = await work.kahn("run test");
  expect(work.read("packages/b/dist/index.mjs")).toBe(before);
  expect(second.stdout).toContain("the answer is 2");
  expect(second.stdout).toMatch(/✔ c#test .* · the output of c#build changed/);
});

test("a comment in A that leaves A's output equal re-runs only A", async () => {
  const work = chainAtRunTime();
  await work.run("test");
  work.append("packages/a/src/index.mjs", "// a comment\n");
  const second = await work.run("test");
  expect(second.log.startedOrder()).toEqual(["a#build"]);
  expect(second.finished).toMatchObject({ executed: 1, cached: 3 });
});
