/** Several Kahns at once: in one workspace, in work trees of one repository, and beside a collection of garbage. */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { CrashBench, HANG, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const ROUNDS = Math.max(1, Math.round(SCALE));
const ROUNDS_MAX = 30;
const TIMEOUT_MS = 120_000 * Math.max(1, SCALE);
const RUN = ["run", "build", "test", "--concurrency", "2", "--json"];

test("a second run waits, names the first and since when, and then finds its results", async () => {
  const workspace = scriptedWorkspace({ a: `${HANG}; echo ran >> ../../log` });
  const first = workspace.start(["run", "task"]);
  await workspace.started(["a"]);
  const second = workspace.start(["run", "task", "--json"]);
  await second.printed("waiting");
  expect(second.stderr).toContain(`waiting for \`kahn run task\`, process ${first.pid}, since `);
  expect(second.stderr).not.toContain("Invalid");
  workspace.write("go", "");
  expect(await first.ended).toMatchObject({ exitCode: 0 });
  expect(await second.ended).toMatchObject({ exitCode: 0 });
  expect(second.stdout).toContain('"source":"cached"');
  expect(workspace.lines("log")).toEqual(["ran"]);
});

// Goal: no interleaving of the contest for the workspace lets two run at once or loses one. Method: five at one moment.
test(
  "of five runs started at once all finish, and each task runs once",
  async () => {
    const bench = new CrashBench(6);
    for (let round = 0; round < ROUNDS; round++) {
      bench.reset();
      const ended = await Promise.all([1, 2, 3, 4, 5].map(() => bench.kahn(RUN)));
      for (const each of ended) expect(each, each.stderr).toMatchObject({ exitCode: 0 });
      expect([...bench.executions().values()]).toEqual(Array.from({ length: 12 }, () => 1));
      const runs = bench.runs();
      expect(runs.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "succeeded"));
      // Ids sort as the runs had the workspace, or an interrupted one among them might be taken for long known.
      const startsMs = runs.map(({ startedAtMs }) => startedAtMs!);
      expect(startsMs).toEqual([...startsMs].sort((a, b) => a - b));
      await bench.expectSoundCache();
    }
    console.log(`counts: five runs at once, ${ROUNDS} times`);
  },
  TIMEOUT_MS,
);

test("a run in a linked work tree does not wait for one in the main work tree, and finds its results", async () => {
  const workspace = scriptedWorkspace({ quick: "mkdir -p dist && echo made > dist/file && echo ran >> ../../log" });
  workspace.write("packages/slow/package.json", { name: "slow", scripts: { hang: HANG } });
  workspace.write(".gitignore", "started\nlog\ndist\ngo\n.kahn\n");
  workspace.commitAll();
  workspace.git("worktree", "add", "-q", "../linked");
  const linked = { in: "../linked" };
  expect((await workspace.run("task")).finished).toMatchObject({ executed: 1 });
  const slow = workspace.start(["run", "hang"]);
  await workspace.started(["slow"]);
  const there = await workspace.run("task", linked);
  expect(there.finished).toMatchObject({ executed: 0, cached: 1 });
  expect(there.stderr).not.toContain("waiting");
  expect(workspace.read("../linked/packages/quick/dist/file")).toBe("made\n");
  expect(workspace.exists("../linked/log")).toBe(false);
  expect(workspace.exists("../linked/.kahn/cache")).toBe(false);
  workspace.write("go", "");
  expect(await slow.ended).toMatchObject({ exitCode: 0 });
});

// Goal: processes write one store at the same time, the same blobs among them, and nothing is ever half there.
test(
  "cold runs in two work trees at once share one store",
  async () => {
    const bench = new CrashBench();
    bench.git("worktree", "add", "-q", "../linked");
    const linked = { in: "../linked" };
    for (let round = 0; round < ROUNDS; round++) {
      bench.reset();
      const ended = await Promise.all([bench.kahn(RUN), bench.kahn(RUN, linked)]);
      for (const each of ended) {
        expect(each, each.stderr).toMatchObject({ exitCode: 0 });
        expect(each.stderr).not.toContain("waiting");
      }
      await bench.expectSoundCache();
      const tree = bench.tree("packages");
      const there = Object.entries(bench.tree("../linked/packages")).map(([path, shown]) => [path.slice(10), shown]);
      expect(Object.fromEntries(there)).toEqual(tree);
      bench.removeOutputs();
      bench.removeOutputs("../linked");
      const restored = await Promise.all([bench.run(RUN.slice(1)), bench.run(RUN.slice(1), linked)]);
      for (const each of restored) expect(each.finished).toMatchObject({ executed: 0, cached: 40 });
      expect(bench.tree("packages")).toEqual(tree);
      bench.remove(join("../linked", ".kahn"));
      bench.removeOutputs("../linked");
    }
    console.log(`counts: cold runs in two work trees at once, ${ROUNDS} times`);
  },
  TIMEOUT_MS,
);

// Goal: a collection takes nothing from a run that works. Method: the cache may hold a quarter of what one generation of
// results takes, and each round makes a new one; collections follow one another for as long as the runs last, which are
// cold, full of hits and restoring by turns. What was used seconds ago is spared, so it takes some rounds to see one remove.
test(
  "kahn cache gc beside runs never fails one of them",
  async () => {
    const bench = new CrashBench(8);
    const config = JSON.parse(bench.read("kahn.jsonc")) as object;
    bench.write("kahn.jsonc", { ...config, cache: { maxSize: "80KB" } });
    const collections = collectWhileRunning(bench);
    let round = 0;
    for (; round < ROUNDS || (collections.blobsRemoved === 0 && round < ROUNDS_MAX); round++) {
      for (const folder of bench.folders) bench.append(`packages/${folder}/src/f00.ts`, `// ${round}\n`);
      await runSoundly(bench, "cold");
      const tree = bench.tree("packages");
      await runSoundly(bench, "unchanged");
      bench.removeOutputs();
      await runSoundly(bench, "restoring");
      expect(bench.tree("packages")).toEqual(tree);
    }
    await collections.stop();
    expect(collections.blobsRemoved).toBeGreaterThan(0);
    await bench.expectSoundCache();
    const { count, blobsRemoved } = collections;
    console.log(`counts: ${3 * round} runs beside ${count} collections, which removed ${blobsRemoved} blobs`);
  },
  TIMEOUT_MS,
);

async function runSoundly(bench: CrashBench, what: string): Promise<void> {
  const ran = await bench.run(RUN.slice(1));
  expect(ran, `${what}: ${ran.stdout}${ran.stderr}`).toMatchObject({ exitCode: 0 });
  expect(ran.log.warnings(), what).toEqual([]);
}

/** Collects garbage again and again until told to stop; a collection that fails fails the test then. */
function collectWhileRunning(bench: CrashBench) {
  const seen = { count: 0, blobsRemoved: 0, stop: () => Promise.resolve() };
  let stopped = false;
  const collecting = (async () => {
    while (!stopped) {
      const collected = await bench.kahn("cache gc --json");
      expect(collected, collected.stderr).toMatchObject({ exitCode: 0 });
      seen.blobsRemoved += (JSON.parse(collected.stdout) as { blobsRemoved?: number }).blobsRemoved ?? 0;
      seen.count++;
    }
  })();
  seen.stop = () => {
    stopped = true;
    return collecting;
  };
  return seen;
}
