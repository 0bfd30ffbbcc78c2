import { type BlobStore, type Digest, makeDigest, ok } from "@kahn/core";
import { nodeClock } from "@kahn/system";
import { expect, test } from "vitest";
import type { CheckedCommand } from "../command-check.ts";
import type { InputTree } from "../input-tree.ts";
import { workerCommand } from "./worker-command.ts";

/** Takes `tool @f0` apart, with these flag files. @returns what it gave, and how often a file was read. */
async function apart(texts: Readonly<Record<string, string>>, argv: readonly string[] = ["tool", "@f0"]) {
  const blobs = new Map<Digest, Uint8Array>();
  const files = Object.entries(texts).map(([name, text], index) => {
    const digest = makeDigest("sha256", String(index).padStart(64, "0"), Buffer.byteLength(text));
    blobs.set(digest, Buffer.from(text));
    return { name, digest, executable: false };
  });
  const directory = { files, directories: [], symlinks: [] };
  const tree: InputTree = {
    ...{ digest: files[0]!.digest, directory, children: new Map() },
    entries: 0,
    sizeBytes: 0,
    depth: 0,
  };
  let reads = 0;
  const read: BlobStore["read"] = async (digest) => {
    reads++;
    return ok(blobs.get(digest));
  };
  const command = { arguments: argv, workingDirectory: "" } as unknown as CheckedCommand;
  const result = await workerCommand(command, tree, { blobs: { read } as BlobStore, clock: nodeClock() });
  return { result, reads };
}

const REFUSED = { ok: false, problem: { code: "command-invalid" } };

test("flag files inside each other come in place of their names, and each is read once", async () => {
  const { result, reads } = await apart({ f0: "a\n@f1\nb\r\n@f1\n@@c\n", f1: "x\ny" }, [
    "tool",
    "-v",
    "@f0",
    "--flagfile=f1",
  ]);
  expect(result).toEqual({
    ok: true,
    value: {
      startup: ["tool", "-v", "--persistent_worker"],
      work: ["a", "x", "y", "b", "x", "y", "@@c", "--flagfile=f1"],
    },
  });
  expect(reads).toBe(2);
});

/*
 * Goal:   flag files that double a hundred times are refused soon, as is one that names itself.
 * Method: f0 names f1 twice, that f2 twice, and so on: 2^99 lines.
 */
test("flag files that multiply themselves are refused, and so is one that is inside itself", async () => {
  const texts = Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`f${n}`, `@f${n + 1}\n@f${n + 1}\n`]));
  const { result, reads } = await apart({ ...texts, f99: "" });
  expect(result).toMatchObject(REFUSED);
  expect(reads).toBeLessThan(100);
  expect((await apart({ f0: "a\n@f0\n" })).result).toMatchObject(REFUSED);
  expect((await apart({ f0: "@none\n" })).result).toMatchObject(REFUSED);
});

test("an honest flag file may have more lines than a call takes arguments", async () => {
  const lines = Array.from({ length: 150_000 }, (_, n) => `src/File${n}.java`);
  const { result } = await apart({ f0: lines.join("\n") });
  expect(result.ok && result.value.work.length).toBe(150_000);
  expect((await apart({ f0: "x\n".repeat(600_000) })).result).toMatchObject(REFUSED);
});
