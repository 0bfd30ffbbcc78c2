import { digestOf } from "@kahn/core";
import { faulty, memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { collectGarbage } from "./garbage-collector.ts";
import { parseSegmentName } from "./internal/segment.ts";
import { namesIn, OWNER, put, resultOf, testClock, testStore, textOf, value } from "./store.fixture.ts";

const HOUR_MS = 3_600_000;
const FAR = { ...OWNER, host: "far away" };

function world() {
  const clock = testClock();
  return { clock, fs: memoryFileSystem({ clock }) };
}

const statesIn = (fs: ReturnType<typeof memoryFileSystem>) =>
  namesIn(fs, "/store/use").map((name) => parseSegmentName(name)?.state);

test("uses are written at most once a second, and all of them by the time the store is closed", async () => {
  const { clock, fs } = world();
  const actions = Array.from({ length: 300 }, (_, index) => digestOf(`action ${index}`));
  const writer = testStore({ fs, clock });
  for (const action of actions) value(await writer.actions.record(action, resultOf([])));
  value(await writer.close());
  await clock.advance(5000);
  const counting = faulty(fs, []);
  const reader = testStore({ fs: counting, clock });
  const before = counting.mutations;
  for (const action of actions) value(await reader.actions.lookup(action));
  // The segment's directory, its file, its owner, and one line of uses.
  expect(counting.mutations - before).toBe(4);
  value(await reader.close());
  const text = Buffer.from(fs.readFile(`/store/use/${namesIn(fs, "/store/use").at(-1)}`)!).toString();
  for (const action of actions) expect(text).toContain(`a ${action}\n`);
});

test("a store that is only opened leaves no trace of the process", async () => {
  const { clock, fs } = world();
  value(await testStore({ fs, clock }).close());
  expect(namesIn(fs, "/store")).toStrictEqual(["format", "tmp"]);
});

test("a store may be used again after it was closed", async () => {
  const { clock, fs } = world();
  const store = testStore({ fs, clock });
  await put(store, "first");
  value(await store.close());
  await put(store, "second");
  expect(statesIn(fs)).toStrictEqual(expect.arrayContaining(["closed", "open"]));
  value(await store.closeEpoch());
  expect(statesIn(fs)).toStrictEqual(["closed", "closed"]);
});

test("an unclosed epoch of another machine is that machine's to judge", async () => {
  const { clock, fs } = world();
  const digest = await put(testStore({ fs, clock, owner: FAR }), "from afar");
  await clock.advance(48 * HOUR_MS);
  const here = testStore({ fs, clock, livenessOf: () => "dead" });
  value(await collectGarbage(here));
  expect(statesIn(fs)).toStrictEqual(["open"]);
  const afterItsBoot = testStore({ fs, clock, owner: { ...FAR, bootId: "boot-2/ns" } });
  expect(statesIn(fs)).toStrictEqual(["unclean"]);
  expect(await textOf(afterItsBoot, digest)).toBe("from afar");
});

test("a process of which nothing can be known protects what it used for a day", async () => {
  const { clock, fs } = world();
  const digest = await put(testStore({ fs, clock, owner: FAR }), "from afar");
  const collect = async () => {
    const here = testStore({ fs, clock, livenessOf: ({ host }) => (host === OWNER.host ? "dead" : "unknown") });
    value(await collectGarbage(here, { maxSizeBytes: 0 }));
    return (await textOf(here, digest)) !== undefined;
  };
  await clock.advance(23 * HOUR_MS);
  expect(await collect()).toBe(true);
  await clock.advance(2 * HOUR_MS);
  expect(await collect()).toBe(false);
});

test("uses that cannot be written down fail nothing", async () => {
  const { clock, fs } = world();
  const action = digestOf("action");
  value(await testStore({ fs, clock }).actions.record(action, resultOf([])));
  const disk = faulty(fs, [
    { at: ({ path }) => path.startsWith("/store/use"), action: { kind: "error", code: "ENOSPC" }, timesMax: 99 },
  ]);
  // Opening reads the directory: that much must work.
  const reader = testStore({ fs: { ...disk, readDirectory: (path) => fs.readDirectory(path) }, clock });
  expect(value(await reader.actions.lookup(action)).kind).toBe("hit");
  expect((await reader.close()).ok).toBe(true);
  expect(disk.fired.length).toBeGreaterThan(0);
});
