/** The journal on a real disk, with real processes and `kill -9`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fileJournalStore } from "@kahn/journal";
import { nodeFileSystem } from "@kahn/system";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROUNDS = Math.round(6 * Number(process.env.KAHN_TEST_SCALE ?? 1));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Appends for ever, in batches of 1 to 5 records; prints the last acknowledged number. Small segments: it rotates. */
const CHILD = `
import { fileJournalStore } from "@kahn/journal";
import { nodeFileSystem } from "@kahn/system";
import { writeSync } from "node:fs";

const [directory, durability] = process.argv.slice(2);
const store = fileJournalStore({ fs: nodeFileSystem(), directory, segmentBytes: 20000 });
const created = store.create("run");
const opened = created.ok ? created : store.open("run");
const journal = opened.value;
for (;;) {
  const count = 1 + (journal.lastSeq % 5);
  const bodies = Array.from({ length: count }, (_, index) => ({ n: journal.lastSeq + 1 + index, pad: "x".repeat(50) }));
  const result = await journal.append(bodies, { durability });
  if (!result.ok) throw new Error(result.problem.message);
  writeSync(1, result.value + "\\n");
  if (result.value % 50 === 0) journal.writeSnapshot({ n: result.value });
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kahn-journal-kill-"));
  writeFileSync(join(folder, "child.ts"), CHILD);
  buildSync({
    entryPoints: [join(folder, "child.ts")],
    outfile: join(folder, "child.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    nodePaths: [join(ROOT, "node_modules")],
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the child, kills it after it has acknowledged `afterLines` appends; answers with the last acknowledged number. */
async function appendUntilKilled(directory: string, durability: string, afterLines: number): Promise<number> {
  const child = spawn(process.execPath, [join(folder, "child.mjs"), directory, durability], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let lines = 0;
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    // Not awaited: what it still acknowledges before it dies is read too.
    if (++lines === afterLines) child.kill("SIGKILL");
  }
  expect((await exited)[1]).toBe("SIGKILL");
  return acknowledged;
}

// Goal: every acknowledged record is there after `kill -9`, over several deaths of one journal. Method: a child
// appends and tells; it is killed at a moment that its own speed makes random; the journal is opened and read here.
for (const durability of ["process", "disk"] as const) {
  test(`kill -9 loses no acknowledged ${durability}-durable record and the journal opens`, async () => {
    const directory = mkdtempSync(join(folder, "journals-"));
    const store = fileJournalStore({ fs: nodeFileSystem(), directory });
    for (let round = 1; round <= ROUNDS; round++) {
      const acknowledged = await appendUntilKilled(directory, durability, 1 + ((round * 97) % 400));
      const opened = store.open("run");
      if (!opened.ok) throw new Error(opened.problem.message);
      const journal = opened.value;
      expect(journal.lastSeq).toBeGreaterThanOrEqual(acknowledged);
      let expected = 0;
      for (const { seq, body } of journal.read()) {
        expected++;
        expect(seq).toBe(expected);
        expect((body as { n: number }).n).toBe(expected);
      }
      expect(journal.lastSeq).toBe(expected);
      const snapshot = journal.readSnapshot();
      if (snapshot !== undefined) expect(snapshot.state).toEqual({ n: snapshot.seq });
      journal.close();
    }
  });
}
