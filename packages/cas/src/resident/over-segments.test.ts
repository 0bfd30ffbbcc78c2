import { digestOf } from "@kahn/core";
import { memoryFileSystem, seededRandom, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import type { ProcessOwner } from "../process-owner.ts";
import { OWNER, START_MS, value } from "../store.fixture.ts";
import type { ResidentStore } from "./resident-store.ts";
import { openResidentStore } from "./resident-store.ts";

/** Servers on one folder, one after the other; whoever has another pid than the newest is dead. */
function place() {
  const clock = virtualClock(START_MS);
  const turning = {
    ...clock,
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs: number, fire: () => void) => {
      if (delayMs > 0) return clock.setTimer(delayMs, fire);
      const timer = setImmediate(fire);
      return { cancel: () => clearImmediate(timer) };
    },
  };
  const fs = memoryFileSystem({ clock });
  const dead = new Set<number>();
  const open = async (pid: number, of: Partial<ProcessOwner> = {}): Promise<ResidentStore> => {
    const opened = await openResidentStore({
      ...{ fs, clock: turning, random: seededRandom(pid), root: "/store", maxSizeBytes: 1 << 20 },
      owner: { ...OWNER, pid, ...of },
      livenessOf: (owner) => (dead.has(owner.pid) ? "dead" : "alive"),
    });
    return value(opened as Parameters<typeof value<ResidentStore>>[0]);
  };
  const states = () => fs.readDirectory("/store/use")?.map(({ name }) => name.replace(/^.*\./, "")) ?? [];
  return { clock, fs, dead, open, states };
}

async function write(store: ResidentStore, text: string): Promise<void> {
  expect((await store.blobs.write(digestOf(text), Buffer.from(text))).ok).toBe(true);
}

test("a collection removes the segments of servers that were killed, once what they wrote is on the device", async () => {
  const { fs, dead, open, states } = place();
  for (const pid of [1, 2, 3]) {
    await write(await open(pid), `of ${pid}`);
    dead.add(pid);
  }
  const store = await open(4);
  await write(store, "of 4");
  const neighbour = await open(5);
  await write(neighbour, "of 5");
  expect(states()).toEqual(["open", "open", "open", "open", "open"]);
  expect((await store.collect(0)).ok).toBe(true);
  // Its own and that of one that lives.
  expect(states()).toEqual(["open", "open"]);
  expect(fs.readDirectory("/store/use")?.length).toBe(2);
});

test("a server that runs for long keeps no segment for each of its epochs", async () => {
  const { clock, open, states } = place();
  const store = await open(1);
  for (let epoch = 0; epoch < 20; epoch++) {
    await write(store, `${epoch}`);
    await clock.advance(6 * 60_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(states().length).toBeLessThan(3);
});

test("segments of another machine that ended without a flush stay, and so does what a power loss has left", async () => {
  const { dead, open, states } = place();
  await write(await open(1, { host: "elsewhere" }), "of 1");
  await write(await open(2, { bootId: "boot-0/ns" }), "of 2");
  dead.add(1).add(2);
  const store = await open(3);
  expect((await store.collect(0)).ok).toBe(true);
  expect(states().map((state) => state.replace(/\d+/, ""))).toEqual(["open", "unclean-"]);
});
