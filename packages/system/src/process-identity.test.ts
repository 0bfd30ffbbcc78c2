import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "vitest";
import { bootId, isAlive, livenessOf, ownIdentity, processStartTime } from "./process-identity.ts";

test("this process is alive under its own start time and dead under another", () => {
  const own = ownIdentity();
  assert.equal(own.pid, process.pid);
  assert.equal(processStartTime(process.pid), own.startedAt);
  assert.ok(isAlive(process.pid));
  assert.ok(isAlive(process.pid, own.startedAt));
  assert.ok(!isAlive(process.pid, `${own.startedAt}1`));
  assert.equal(livenessOf(own), "alive");
});

test("a process that has ended is dead, and has no start time", async () => {
  const child = spawn("/bin/sh", ["-c", "exit 0"], { stdio: "ignore" });
  const pid = child.pid!;
  await once(child, "close");
  assert.ok(!isAlive(pid));
  assert.equal(processStartTime(pid), undefined);
  assert.equal(livenessOf({ ...ownIdentity(), pid }), "dead");
});

/** Ends once its parent has become `sleep`: a shell might wait for it after all. */
const UNTIL_SLEEP = 'until read -r name </proc/$PPID/comm && [ "$name" = sleep ]; do :; done';

// Goal: a zombie answers kill(pid, 0) and must still count as dead. Method: a shell whose child ends while the shell
// itself does not wait for it (it has become `sleep` by exec).
test.runIf(process.platform === "linux")("a process that is dead and only waited for is dead", async () => {
  const parent = spawn("/bin/sh", ["-c", `sh -c '${UNTIL_SLEEP}' & echo $!; exec sleep 60`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const zombie = Number(line.toString());
    while (isAlive(zombie)) await new Promise((resolve) => setImmediate(resolve));
    assert.doesNotThrow(() => process.kill(zombie, 0));
  } finally {
    parent.kill("SIGKILL");
    await once(parent, "close");
  }
});

test("numbers that mean groups are never alive", () => {
  for (const pid of [0, -1, -process.pid, Number.NaN, 1.5]) assert.ok(!isAlive(pid));
});

test("another boot is dead, another machine or container is unknown", () => {
  const own = ownIdentity();
  assert.equal(livenessOf({ ...own, bootId: "0/pid:[1]" }), "dead");
  assert.equal(livenessOf({ ...own, bootId: `${bootId().split("/")[0]}/pid:[1]` }), "unknown");
  assert.equal(livenessOf({ ...own, host: `${own.host}-other` }), "unknown");
});
