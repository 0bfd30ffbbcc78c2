import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "vitest";
import { nodeClock } from "./clock.ts";
import { openFifoPair } from "./fifo-pair.ts";

// Goal: nothing is lost, however much is in flight, and the process learns of the end. Method: more than a pipe holds,
// through `cat` and back.
test("bytes go to a process and back, and closing ends its input", async () => {
  const directory = mkdtempSync(`${tmpdir()}/kahn-fifo-`);
  try {
    const [toProcess, fromProcess] = [`${directory}/in`, `${directory}/out`];
    execFileSync("mkfifo", [toProcess, fromProcess]);
    const bytes = Buffer.alloc(1_000_000, "0123456789");
    const heard: Uint8Array[] = [];
    let sizeBytes = 0;
    const whole = new Promise<void>((resolve) => {
      const pair = openFifoPair({
        ...{ clock: nodeClock(), toProcess, fromProcess },
        onBytes: (part) => {
          heard.push(part);
          sizeBytes += part.byteLength;
          if (sizeBytes !== bytes.byteLength) return;
          pair.close();
          resolve();
        },
      });
      pair.write(bytes);
      pair.listen(true);
    });
    const child = spawn("sh", ["-c", 'exec cat <"$1" >"$2"', "sh", toProcess, fromProcess], { stdio: "ignore" });
    const ended = once(child, "exit");
    await whole;
    assert.deepEqual(Buffer.concat(heard), bytes);
    assert.equal((await ended)[0], 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a pipe that is not there is refused by name", () => {
  assert.throws(
    () => openFifoPair({ clock: nodeClock(), toProcess: "/no/such/pipe", fromProcess: "/no/other", onBytes: () => {} }),
    /ENOENT: open \/no\/such\/pipe/,
  );
});
