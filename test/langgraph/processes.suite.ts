/** Several processes on one thread, some of which are killed: what was acknowledged is there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileStorage, openSaver, toArray } from "./saver.fixture.ts";

const COUNT = 120;

/** Starts a writer; resolves with the ids that it saw acknowledged, once it has ended or was killed after so many. */
async function write(directory: string, writer: string, killAfter: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "writer.mjs"), directory, writer, String(COUNT)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (chunk) => {
    printed += chunk;
    if (printed.split("\n").length > killAfter) child.kill("SIGKILL");
  });
  await once(child, "close");
  // The last line may be half.
  return printed.split("\n").slice(0, -1);
}

test("processes that write one thread at once lose nothing that was acknowledged, also when some are killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kahn-processes-"));
  const never = COUNT + 1;
  const writers = [
    write(directory, "a", never),
    write(directory, "b", 30),
    write(directory, "c", never),
    write(directory, "d", 70),
  ];
  const acknowledged = await Promise.all(writers);
  expect([acknowledged[0]?.length, acknowledged[2]?.length]).toEqual([COUNT, COUNT]);
  expect(acknowledged[1]?.length).toBeLessThan(COUNT);
  const saver = await openSaver(fileStorage(directory));
  const values = (await toArray(saver.list({ configurable: { thread_id: "shared" } }))).map(
    ({ checkpoint: { id, channel_values: values } }): [string, unknown] => [id, values.value],
  );
  const byId = new Map(values);
  expect(byId.size).toBe(values.length);
  for (const id of acknowledged.flat()) expect(String(byId.get(id)).startsWith(`${id} `)).toBe(true);
  // What is there beyond that was on its way when its writer was killed: one at most for each.
  expect(byId.size - acknowledged.flat().length).toBeLessThanOrEqual(2);
  saver.close();
  rmSync(directory, { recursive: true });
});
