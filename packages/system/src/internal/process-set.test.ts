import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "vitest";
import { readProcessStat } from "../process-identity.ts";
import { processGroup } from "./process-set.ts";

/** Ends once its parent has become `sleep`: a shell might wait for it after all. */
const UNTIL_SLEEP = 'until read -r name </proc/$PPID/comm && [ "$name" = sleep ]; do :; done';

// Goal: where nothing waits for orphans, a dead group must still count as quiet. Method: the only member of a group
// ends while its parent has become a `sleep` that never waits.
test.runIf(process.platform === "linux")("a group of which only zombies are left is quiet", async () => {
  const parent = spawn("/bin/sh", ["-c", `setsid sh -c '${UNTIL_SLEEP}' & echo $!; exec sleep 60`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const group = Number(line.toString());
    while (readProcessStat(group)?.state !== "Z") await new Promise((resolve) => setImmediate(resolve));
    assert.doesNotThrow(() => process.kill(-group, 0));
    assert.equal(processGroup(group).hasLive(), false);
  } finally {
    parent.kill("SIGKILL");
    await once(parent, "close");
  }
});

test("a group lives as long as one of its members, leader or not", async () => {
  const leader = spawn("/bin/sh", ["-c", "sleep 60 & exit 0"], { detached: true, stdio: "ignore" });
  const group = processGroup(leader.pid!);
  await once(leader, "exit");
  assert.equal(group.hasLive(), true);
  group.signal("SIGKILL");
  while (group.hasLive()) await new Promise((resolve) => setImmediate(resolve));
  group.signal("SIGKILL");
});
