import { type Digest, digestOf } from "@kahn/core";
import { CrashError, faulty, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { namesIn, OWNER, testClock } from "./store.fixture.ts";
import { openValueStore } from "./value-store.ts";

const HOUR_MS = 3_600_000;

let seed = 1;

function world() {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  return {
    clock,
    fs,
    open: (on = fs) => openValueStore({ fs: on, clock, random: seededRandom(++seed), root: "/state/values" }),
  };
}

/** Changes the first letter of a text wherever it is stored. */
function damage(fs: ReturnType<typeof world>["fs"], text: string): void {
  for (const name of Object.keys(fs.snapshot("/state/values"))) {
    if (name.endsWith("/")) continue;
    const path = `/state/values/${name}`;
    const bytes = Buffer.from(fs.readFile(path)!);
    const at = bytes.indexOf(text);
    if (at < 0) continue;
    bytes[at] = bytes[at]! ^ 1;
    const { mode } = fs.lstat(path)!;
    fs.chmod(path, 0o644);
    fs.writeFile(path, bytes);
    fs.chmod(path, mode);
  }
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

const put = (store: ReturnType<ReturnType<typeof world>["open"]>, text: string) => {
  const result = store.put(Buffer.from(text));
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
};

test("a value is read back by its digest, by any process; one that was never put is absent", () => {
  const { open } = world();
  const digest = put(open(), "value");
  expect(digest).toBe(digestOf("value"));
  expect(open().get(digest)).toStrictEqual({ ok: true, value: bytesOf("value") });
  expect([open().has(digest), open().has(digestOf("else"))]).toStrictEqual([true, false]);
  expect(open().get(digestOf("else"))).toStrictEqual({ ok: true, value: undefined });
});

test("a file of any size is kept under the digest of what it holds, and healed by keeping it again", () => {
  const { fs, open } = world();
  const store = open();
  const kept = (digest: Digest) => {
    const read = open().get(digest);
    return read.ok && read.value !== undefined && digestOf(read.value) === digest;
  };
  for (const text of ["small", "large ".repeat(20_000)]) {
    fs.writeFile("/file", text);
    expect(store.putFile("/file")).toStrictEqual({ ok: true, value: digestOf(text) });
    fs.writeFile("/file", "changed later");
    expect(kept(digestOf(text))).toBe(true);
    damage(fs, text);
    expect(kept(digestOf(text))).toBe(false);
    fs.writeFile("/file", text);
    store.putFile("/file");
    expect(kept(digestOf(text))).toBe(true);
  }
  expect(store.putFile("/absent")).toMatchObject({ ok: false, problem: { code: "value-store-io" } });
});

test("a sweep removes what no journal names, and leaves what is live or was put within the hour", async () => {
  const { clock, open } = world();
  const store = open();
  const [live, dead, renewed] = [put(store, "live"), put(store, "dead"), put(store, "renewed")];
  await clock.advance(2 * HOUR_MS);
  put(store, "renewed");
  const young = put(store, "young");
  expect(await store.sweep([live, digestOf("not there")])).toStrictEqual({ ok: true, value: { removed: 1, kept: 3 } });
  expect([live, dead, renewed, young].map((digest) => store.has(digest))).toStrictEqual([true, false, true, true]);
});

test("a damaged value is told apart from an absent one, and putting it again heals it", () => {
  const { fs, open } = world();
  const store = open();
  for (const text of ["value", "value ".repeat(20_000)]) {
    const digest = put(store, text);
    damage(fs, text);
    expect(store.get(digest)).toMatchObject({ ok: false, problem: { code: "value-corrupt" } });
    put(store, text);
    expect(store.get(digest)).toStrictEqual({ ok: true, value: bytesOf(text) });
    expect(open().get(digest)).toStrictEqual({ ok: true, value: bytesOf(text) });
  }
});

test("after a flush a value survives a power loss, whichever process wrote it first", async () => {
  const { fs, open } = world();
  put(open(), "first");
  const second = open();
  put(second, "first");
  expect(await second.flush()).toStrictEqual({ ok: true, value: undefined });
  const after = fs.crash(seededRandom(5));
  expect(open(after).get(digestOf("first"))).toStrictEqual({ ok: true, value: bytesOf("first") });
});

test("a flush with nothing to do touches nothing", async () => {
  const { fs, open } = world();
  const counting = faulty(fs, []);
  await open(counting as never).flush();
  expect(counting.mutations).toBe(0);
});

test("a full or failing disk is a problem, and leaves no half value", () => {
  const { fs, open } = world();
  for (const [code, expected] of [
    ["ENOSPC", "value-store-full"],
    ["EIO", "value-store-io"],
  ] as const) {
    const disk = faulty(fs, [
      {
        at: ({ operation }) => operation === "writeFile" || operation === "append",
        action: { kind: "partial", landedBytes: 2, code },
        timesMax: 9,
      },
    ]);
    for (const text of ["value", "value ".repeat(20_000)]) {
      expect(open(disk as never).put(Buffer.from(text))).toMatchObject({ ok: false, problem: { code: expected } });
      expect(open().get(digestOf(text))).toStrictEqual({ ok: true, value: undefined });
    }
  }
});

test("small values share a file, closing gives it an index, and many small ones are merged", async () => {
  const { fs, open } = world();
  const texts: string[] = [];
  for (let run = 0; run < 30; run++) {
    const store = open();
    for (let task = 0; task < 5; task++) texts.push(`value ${run} ${task}`);
    for (const text of texts.slice(-5)) put(store, text);
    expect(await store.close()).toStrictEqual({ ok: true, value: undefined });
  }
  expect(namesIn(fs, "/state/values/packs").filter((name) => name.endsWith(".pack")).length).toBeLessThanOrEqual(8);
  const reader = open();
  for (const text of texts) expect(reader.get(digestOf(text))).toStrictEqual({ ok: true, value: bytesOf(text) });
});

// Goal: a flushed value survives power loss through merges and sweeps, whose output replaces what was flushed. Method:
// power loss after each mutating call of a close that merges and of a sweep, with random fates of unsynced data.
test("what was flushed survives a power loss at any call of a merge or a sweep", async () => {
  for (let at = 1; at < 60; at++) {
    const { clock, fs, open } = world();
    const texts: string[] = [];
    for (let run = 0; run < 3; run++) {
      const store = open();
      texts.push(`value ${run}`, `other ${run}`);
      for (const text of texts.slice(-2)) put(store, text);
      expect((await store.flush()).ok).toBe(true);
      expect((await store.close()).ok).toBe(true);
    }
    const last = open();
    put(last, "last");
    texts.push("last");
    expect((await last.flush()).ok).toBe(true);
    await clock.advance(2 * HOUR_MS);
    const dying = faulty(fs, [{ at, action: { kind: "crash", when: "after" } }]);
    const store = openValueStore({
      fs: dying,
      clock,
      random: seededRandom(++seed),
      root: "/state/values",
      owner: OWNER,
      livenessOf: () => "dead",
    });
    const live = texts.filter((text) => text.startsWith("value") || text === "last");
    const ended = await (async () => {
      put(store, "one more");
      await store.flush();
      await store.close();
      await store.sweep(live.map((text) => digestOf(text)));
    })().catch((error: unknown) => error);
    if (ended !== undefined && !(ended instanceof CrashError)) throw ended;
    const after = open(fs.crash(seededRandom(at)));
    for (const text of live)
      expect(after.get(digestOf(text)), `${text} at ${at}`).toStrictEqual({ ok: true, value: bytesOf(text) });
    if (!dying.crashed) return;
  }
  throw new Error("no end of calls");
});

test("a value that a process put before another one took it for dead is put again elsewhere", () => {
  const { fs, open } = world();
  const store = open();
  put(store, "first");
  fs.removeTree("/state/values/packs");
  const digest = put(store, "second");
  expect(open().get(digest)).toStrictEqual({ ok: true, value: bytesOf("second") });
});
