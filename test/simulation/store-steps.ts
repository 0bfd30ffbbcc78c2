/** What happens to the store between runs: damage, collections, checks. */
import { collectGarbage, verifyStore } from "@kahn/cas";
import type { SeededRandom } from "@kahn/testing";
import type { StepContext } from "./step-context.ts";
import { CACHE, filesBelow } from "./world.ts";

/** Removes or damages a few files of the store. */
export function spoilCache({ world, random, tell, tally }: StepContext): void {
  const files = filesBelow(world.fs, CACHE).filter(
    (path) => !/\/(tmp|use|quarantine)\/|\/(format|size|gc\.[a-z]+)$/.test(path),
  );
  if (files.length === 0) return;
  for (let left = random.int(1, 4); left > 0; left--) {
    const path = random.pick(files);
    const kind = random.pick(["remove", "flip", "truncate", "garbage"]);
    const bytes = Buffer.from(world.fs.readFile(path) ?? []);
    tell(`${kind} ${path}`);
    tally(`store: ${kind}`);
    if (kind === "remove") world.fs.remove(path);
    else if (world.fs.lstat(path) !== undefined) {
      // A second later: a store cannot see a change within the tick of its own stamp's file system.
      world.clock.advance(1000);
      const damaged =
        kind === "flip"
          ? flipped(bytes, random)
          : kind === "garbage"
            ? Buffer.from("?")
            : bytes.subarray(0, bytes.length >> 1);
      world.fs.remove(path);
      world.fs.writeFile(path, damaged, { mode: 0o444 });
    }
  }
  world.isStoreDamaged = true;
  world.isStoreDoubtful = true;
  world.storedKeys.clear();
}

function flipped(bytes: Buffer, random: SeededRandom): Buffer {
  if (bytes.length === 0) return Buffer.from("x");
  const at = random.int(0, bytes.length - 1);
  bytes[at] = bytes[at]! ^ 1;
  return bytes;
}

/** Collects garbage, at once or a day later. */
export async function collect({ world, random, tell, violations }: StepContext): Promise<void> {
  const maxSizeBytes = random.pick([0, 4096 * 5, 4096 * 40, 10_000_000_000]);
  const isLater = random.chance(0.5);
  if (isLater) world.clock.advance(90_000_000);
  tell(`collect garbage down to ${maxSizeBytes} bytes${isLater ? " a day later" : ""}`);
  const session = world.open(world.fs, world.main);
  const report = await collectGarbage(session.store, { maxSizeBytes });
  await session.store.close({ sync: false });
  if (maxSizeBytes < 1_000_000) world.storedKeys.clear();
  if (!report.ok || report.value.kind !== "collected") {
    violations.push(`garbage was not collected: ${JSON.stringify(report)}`);
    return;
  }
  for (const { name } of world.fs.readDirectory(`${CACHE}/tmp`) ?? []) {
    const ageMs = world.clock.nowMs() - world.fs.lstat(`${CACHE}/tmp/${name}`)!.ctimeMs;
    if (ageMs > 86_400_000) violations.push(`the temporary file ${name} is ${ageMs} ms old after a collection`);
  }
}

/** A full check of the store finds nothing that was not done to it. */
export async function verify({ world, tell, violations }: StepContext): Promise<void> {
  const session = world.open(world.fs, world.main);
  const report = await verifyStore(session.store);
  await session.store.close({ sync: false });
  tell(
    `verify: ${report.ok ? `${report.value.corrupt.length} corrupt, ${report.value.incomplete.length} incomplete` : "refused"}`,
  );
  if (report.ok) world.isStoreDoubtful = false;
  if (!report.ok) violations.push(`the store cannot be verified: ${report.problem.message}`);
  else if (!world.isStoreDamaged) {
    for (const digest of report.value.corrupt) violations.push(`nobody damaged the store, and ${digest} is corrupt`);
    for (const { action, missing } of report.value.incomplete) {
      violations.push(`nobody damaged the store, and the result of ${action} lacks ${missing.join(", ")}`);
    }
  }
}
