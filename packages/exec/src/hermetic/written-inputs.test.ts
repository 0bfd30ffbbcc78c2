// Goal: under the sandbox an action that writes an input fails, whatever the input's size, wherever it is, and however it
// is done; one that does anything else with it does not. Method: each way on a file that is mounted and one that is copied.
import { spawnSync } from "node:child_process";
import { digestOf } from "@kahn/core";
import { afterAll, expect, test } from "vitest";
import { completed, type RealRig, realRig, script, storeTree } from "./hermetic.fixture.ts";

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const canSandbox = spawnSync("/usr/bin/bwrap", bwrap).status === 0;

let opened: RealRig | undefined;
afterAll(async () => opened?.end());
const rig = (): RealRig => (opened ??= realRig({ mode: "required" }));

/** Beside the output; below a directory that is too small to be mounted; below one that is. */
const PLACES = { beside: "in", "in a small directory": "few/in", "in a large directory": "many/in" };

function files(content: string) {
  const many = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((number) => [`many/${number}`, `${number}`]));
  return { ...many, "many/in": content, "few/in": content, in: content, other: "other" };
}

async function outcomeOf(text: string, place: string, content = "input") {
  const inputRoot = await storeTree(rig().blobs, files(content));
  const command = script(`f=${place}; ${text}; echo made > out`, { outputPaths: ["out"] });
  return await rig().runner.run({ command, inputRoot, label: "vandal" });
}

/** True when the action came to nothing that could be cached. */
async function fails(text: string, place: string, content?: string): Promise<boolean> {
  const outcome = await outcomeOf(`set -e; ${text}`, place, content);
  if (outcome.kind === "invalid") expect(outcome.problem.code).toBe("input-changed");
  else if (completed(outcome).result.exitCode === 0) return false;
  return true;
}

const WRITES = {
  append: 'echo bad >> "$f"',
  "make writable": 'chmod u+w "$f"; echo bad > "$f"',
  "the same size": `chmod u+w "$f"; printf tupni > "$f"`,
  "and hide it": `touch -r "$f" t; chmod u+w "$f"; printf tupni > "$f"; chmod 444 "$f"; touch -r t "$f"; rm t`,
  "by another name": `ln "$f" name; chmod u+w name; printf tupni > name; rm name`,
  replace: `printf tupni > new; mv -f new "$f"`,
  "through a link": `cp other new; rm -f "$f"; ln -s "$PWD/new" "$f"`,
  "and take the right to read": `chmod u+w "$f"; printf tupni > "$f"; chmod 000 "$f"`,
};

for (const [where, place] of Object.entries(PLACES)) {
  test.skipIf(!canSandbox).each(Object.keys(WRITES))(
    `an input ${where} cannot be written with success: %s`,
    async (way) => {
      expect(await fails(WRITES[way as keyof typeof WRITES], place)).toBe(true);
    },
  );
}

test.skipIf(!canSandbox)("nor can one of any size", async () => {
  for (const sizeBytes of [1, 4096, 70_000, 5_000_000]) {
    const way = `chmod u+w "$f"; printf X | dd of="$f" conv=notrunc 2>/dev/null`;
    expect(await fails(way, "in", "a".repeat(sizeBytes)), `${sizeBytes} bytes`).toBe(true);
  }
  expect(await fails('chmod u+w "$f"; echo bad > "$f"', "in", "")).toBe(true);
});

test.skipIf(!canSandbox)("an input that is touched, linked, read, or removed is no harm", async () => {
  for (const way of [
    'touch "$f"',
    'chmod 755 "$f"',
    'ln "$f" name',
    'cat "$f"',
    'rm -f "$f"',
    'mv "$f" away',
    "true",
  ]) {
    const { result } = completed(await outcomeOf(way, "in"));
    expect([result.exitCode, result.outputFiles[0]?.digest], way).toEqual([0, digestOf("made\n")]);
  }
});

test.skipIf(!canSandbox)("an input that is an output as well may be written", async () => {
  const inputRoot = await storeTree(rig().blobs, files("input"));
  const command = script("echo new > in", { outputPaths: ["in"] });
  const { result } = completed(await rig().runner.run({ command, inputRoot, label: "update" }));
  expect(result.outputFiles).toEqual([{ path: "in", digest: digestOf("new\n"), executable: false }]);
});

// Goal: nobody learns of a file outside through the look at inputs. Method: a directory of copies becomes a link out.
test.skipIf(!canSandbox)("what is behind a directory that became a symlink is not looked at", async () => {
  const way = "mv few away; ln -s /etc few; cp /etc/passwd p 2>/dev/null; true";
  const inputRoot = await storeTree(rig().blobs, { "few/passwd": "input", top: "1" });
  const command = script(`${way}; echo made > out`, { outputPaths: ["out"] });
  const outcome = await rig().runner.run({ command, inputRoot, label: "link" });
  expect(completed(outcome).result.exitCode).toBe(0);
});
