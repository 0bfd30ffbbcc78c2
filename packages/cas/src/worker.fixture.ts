/**
 * Test fixture: a process that uses a store until it has done its rounds, or is killed.
 *
 *   node worker.mjs ROOT SEED ROUNDS build|collect [PACKED_MAX_BYTES]
 *
 * A `collect` round believes that every process is dead and an hour has passed: nothing is spared, whoever uses it.
 * A `build` round looks a task up, restores it and compares every byte, or makes and records it. Prints one line per
 * round; exits with 3 and says why when something was wrong that must never be.
 */
import { digestOf } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { openDiskStore } from "./disk-store.ts";
import { collectGarbage } from "./garbage-collector.ts";

const [root = "", seed = "1", rounds = "1", mode = "build", packedMaxBytes = "0"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const fs = nodeFileSystem();
const clock = nodeClock();
const isCollector = mode === "collect";
const opened = openDiskStore({
  fs,
  clock: isCollector ? { ...clock, nowMs: () => clock.nowMs() + 3_600_000 } : clock,
  random: nodeRandom(),
  root: `${root}/store`,
  owner: ownIdentity(),
  packedMaxBytes: Number(packedMaxBytes),
  livenessOf: isCollector ? () => "dead" : livenessOf,
});
if (!opened.ok) fail(opened.problem.message);
const store = opened.value;
const work = `${root}/work-${process.pid}`;
fs.makeDirectory(work);

function fail(message: string): never {
  console.log(`WRONG ${message}`);
  process.exit(3);
}

function contents(task: number): string[] {
  return ["shared by all", `${task % 5} shared by some `.repeat(200), `output of ${task} `.repeat(100 + task * 40)];
}

async function build(task: number): Promise<void> {
  const action = digestOf(`action ${task}`);
  const texts = contents(task);
  const paths = texts.map((_, index) => `${work}/${index}`);
  const found = await store.actions.lookup(action);
  if (!found.ok) fail(found.problem.message);
  if (found.value.kind === "miss" && found.value.reason !== "no-entry") fail(found.value.reason);
  if (found.value.kind === "hit") {
    const how = random.pick(["copy", "link"] as const);
    const requests = found.value.result.outputFiles.map(({ digest }, index) => ({
      digest,
      path: paths[index]!,
      executable: false,
      how,
    }));
    const made = await store.blobs.materialize(requests);
    if (!made.ok) fail(made.problem.message);
    texts.forEach((text, index) => {
      if (made.value[index] === "corrupt") fail(`corrupt blob of task ${task}`);
      if (made.value[index] !== "done") return;
      const restored = Buffer.from(fs.readFile(paths[index]!) ?? []).toString();
      if (restored !== text) fail(`task ${task} restored ${restored.length} bytes instead of ${text.length}`);
    });
    if (made.value.every((outcome) => outcome === "done")) return;
  }
  for (const path of paths) fs.remove(path);
  texts.forEach((text, index) => {
    fs.writeFile(paths[index]!, text);
  });
  const adopt = random.pick([true, false]);
  const digests = await store.blobs.ingest(paths.map((path) => ({ path, executable: false, adopt })));
  if (!digests.ok) fail(digests.problem.message);
  texts.forEach((text, index) => {
    if (digests.value[index] !== digestOf(text)) fail(`task ${task} was stored under another digest`);
  });
  const recorded = await store.actions.record(action, {
    outputFiles: digests.value.map((digest, index) => ({ path: `${index}`, digest, executable: false })),
    outputDirectories: [],
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "fixture" },
  });
  if (!recorded.ok) fail(recorded.problem.message);
}

for (let round = 0; round < Number(rounds); round++) {
  if (!isCollector) {
    await build(random.int(0, 60));
    // Packs are sealed, merged and begun anew all the time.
    if (random.int(0, 9) === 0) await store.close({ sync: false });
  } else {
    const collected = await collectGarbage(store, { maxSizeBytes: 100_000 });
    if (!collected.ok) fail(collected.problem.message);
    if (collected.value.kind === "collected") console.log(`removed ${collected.value.blobsRemoved}`);
  }
  console.log(`round ${round}`);
}
const closed = await store.close({ sync: false });
if (!closed.ok) fail(closed.problem.message);
