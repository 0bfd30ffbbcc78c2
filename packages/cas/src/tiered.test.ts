import type { ActionCache, BlobStore, Digest, MaterializeOutcome, Problem } from "@kahn/core";
import { digestOf, problem, treeOf } from "@kahn/core";
import { memoryActionCache, memoryBlobStore, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { namesIn, put, resultOf, testClock, testStore, textOf, value } from "./store.fixture.ts";
import { type TieredOptions, tiered } from "./tiered.ts";

const ACTION = digestOf("action");

/** Two machines with a store each, and one remote between them. */
function world(
  options: { readonly read?: boolean; readonly write?: boolean } & Pick<TieredOptions, "uploads" | "downloads"> = {},
) {
  const clock = testClock();
  const remoteFs = memoryFileSystem({ clock });
  const remoteBlobs = memoryBlobStore(remoteFs);
  const remoteActions = memoryActionCache(remoteBlobs);
  const machine = (seed: number) => {
    const fs = memoryFileSystem({ clock });
    fs.makeDirectory("/work");
    const local = testStore({ fs, clock });
    const warnings: Problem[] = [];
    const store = tiered({
      local,
      remotes: [
        {
          name: "grpc://shared",
          blobs: onFiles(remoteBlobs, fs),
          actions: remoteActions,
          read: options.read ?? true,
          write: options.write ?? true,
        },
      ],
      fs,
      clock,
      random: seededRandom(seed),
      temporary: local.temporary,
      onWarning: (warned) => warnings.push(warned),
      ...(options.uploads === undefined ? {} : { uploads: options.uploads }),
      ...(options.downloads === undefined ? {} : { downloads: options.downloads }),
    });
    return { fs, local, warnings, ...store };
  };
  return { clock, remoteBlobs, remoteActions, here: machine(1), there: machine(2) };
}

/** The remote's blobs, taken from and given to this machine's files. */
function onFiles(remote: BlobStore, fs: ReturnType<typeof memoryFileSystem>): BlobStore {
  return {
    findMissing: (digests) => remote.findMissing(digests),
    read: (digest) => remote.read(digest),
    write: (digest, bytes) => remote.write(digest, bytes),
    ingest: async (requests) => {
      const digests: Digest[] = [];
      for (const { path } of requests) {
        const bytes = fs.readFile(path)!;
        const written = await remote.write(digestOf(bytes), bytes);
        if (!written.ok) return written;
        digests.push(digestOf(bytes));
      }
      return { ok: true, value: digests };
    },
    materialize: async (requests) => {
      const outcomes: MaterializeOutcome[] = [];
      for (const { digest, path } of requests) {
        const bytes = await remote.read(digest);
        if (!bytes.ok) return bytes;
        if (bytes.value !== undefined) fs.writeFile(path, bytes.value);
        outcomes.push(bytes.value === undefined ? "missing" : "done");
      }
      return { ok: true, value: outcomes };
    },
  };
}

/** A result with a file, a tree and stdout, stored and recorded on one machine. */
async function buildOn(machine: {
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  readonly local: Parameters<typeof put>[0];
}) {
  const file = await put(machine.local, "a file");
  const inTree = await put(machine.local, "in the tree");
  const stdout = await put(machine.local, "said");
  const tree = treeOf([{ kind: "file", path: "x", digest: inTree, executable: true }]);
  value(await machine.blobs.write(tree.digest, tree.bytes));
  const result = resultOf([file], { outputDirectories: [{ path: "dist", tree: tree.digest }], stdout });
  value(await machine.actions.record(ACTION, result));
  return { result, digests: [file, inTree, stdout, tree.digest] };
}

test("what one machine built is a hit on another, with every blob local and whole", async () => {
  const { here, there } = world();
  const { result, digests } = await buildOn(here);
  expect(value(await there.actions.lookup(ACTION))).toStrictEqual({ kind: "hit", result, from: "grpc://shared" });
  expect(value(await there.local.blobs.findMissing(digests))).toStrictEqual([]);
  expect(value(await there.local.actions.lookup(ACTION)).kind).toBe("hit");
  expect(namesIn(there.fs, there.local.temporary)).toStrictEqual([]);
  expect(namesIn(here.fs, here.local.temporary)).toStrictEqual([]);
});

test("blobs are uploaded before the result, and none without a result", async () => {
  const { here, remoteBlobs, remoteActions } = world();
  await put(here.local, "not part of a result");
  value(await here.blobs.write(digestOf("nor this"), Buffer.from("nor this")));
  const { digests } = await buildOn(here);
  expect(remoteBlobs.size).toBe(digests.length);
  expect(remoteActions.recorded).toStrictEqual([ACTION]);
});

test("a result that lacks a blob here is not uploaded", async () => {
  const { here, remoteActions } = world();
  value(await here.actions.record(ACTION, resultOf([digestOf("never stored")])));
  expect(remoteActions.recorded).toStrictEqual([]);
});

test("a remote result of which a blob is gone is a miss that names it, and is not recorded here", async () => {
  const { here, there, remoteActions, remoteBlobs } = world();
  const { result, digests } = await buildOn(here);
  remoteBlobs.evict(digests[1]!);
  // A remote that does not check completeness itself.
  const unchecked: ActionCache = {
    record: (action, made) => remoteActions.record(action, made),
    forget: (action) => remoteActions.forget(action),
    lookup: async () => ({ ok: true, value: { kind: "hit", result } }),
  };
  const store = tiered({
    local: there.local,
    remotes: [{ name: "r", blobs: onFiles(remoteBlobs, there.fs), actions: unchecked, read: true, write: false }],
    fs: there.fs,
    clock: testClock(),
    random: seededRandom(3),
    temporary: there.local.temporary,
    onWarning: () => {},
  });
  expect(value(await store.actions.lookup(ACTION))).toStrictEqual({
    kind: "miss",
    reason: "incomplete",
    missing: [digests[1]],
  });
  expect(value(await there.local.actions.lookup(ACTION)).kind).toBe("miss");
});

test("a corrupt download is not used, and a blob missing here is fetched for a restore", async () => {
  const { here, there, remoteBlobs } = world();
  const { digests } = await buildOn(here);
  const request = { digest: digests[0]!, path: "/work/out", executable: false, how: "copy" } as const;
  expect(value(await there.blobs.materialize([request]))).toStrictEqual(["done"]);
  expect(Buffer.from(there.fs.readFile("/work/out")!).toString()).toBe("a file");
  const lying = onFiles(remoteBlobs, there.fs);
  remoteBlobs.read = async () => ({ ok: true, value: Buffer.from("a lie!") });
  const store = tiered({
    local: there.local,
    remotes: [{ name: "r", blobs: lying, actions: memoryActionCache(), read: true, write: false }],
    fs: there.fs,
    clock: testClock(),
    random: seededRandom(3),
    temporary: there.local.temporary,
    onWarning: () => {},
  });
  expect(value(await store.blobs.read(digests[1]!))).toBe(undefined);
  expect(value(await store.blobs.materialize([{ ...request, digest: digests[1]! }]))).toStrictEqual(["missing"]);
});

test("a remote in trouble is told of once, left alone for a while, and then used again", async () => {
  const { clock, here, there, remoteBlobs, remoteActions } = world();
  const down = problem("store-remote", "connection refused");
  remoteBlobs.failWith(down);
  remoteActions.failWith(down);
  await buildOn(here);
  expect(await textOf(here.local, digestOf("a file"))).toBe("a file");
  for (let again = 0; again < 3; again++) {
    expect(value(await there.actions.lookup(ACTION))).toStrictEqual({ kind: "miss", reason: "no-entry" });
    await clock.advance(61_000);
  }
  expect(here.warnings.map(({ code }) => code)).toStrictEqual(["cache-tier-down"]);
  expect(there.warnings).toMatchObject([{ code: "cache-tier-down", severity: "warning", cause: down }]);
  const before = remoteActions.lookups.length;
  value(await there.actions.lookup(ACTION));
  value(await there.actions.lookup(ACTION));
  expect(remoteActions.lookups.length).toBe(before + 1);
  remoteBlobs.failWith(undefined);
  remoteActions.failWith(undefined);
  await clock.advance(61_000);
  value(await here.actions.record(ACTION, (await buildOn(here)).result));
  expect(value(await there.actions.lookup(ACTION)).kind).toBe("hit");
});

test("a tier that may not be read is not asked, one that may not be written gets nothing", async () => {
  const writeOnly = world({ read: false });
  await buildOn(writeOnly.here);
  expect(value(await writeOnly.there.actions.lookup(ACTION)).kind).toBe("miss");
  expect(writeOnly.remoteActions.recorded).toStrictEqual([ACTION]);
  const readOnly = world({ write: false });
  await buildOn(readOnly.here);
  expect(readOnly.remoteActions.recorded).toStrictEqual([]);
});

test("where downloads wait, a hit brings its trees only, and a restore what it needs", async () => {
  const { here, there, remoteBlobs } = world({ downloads: "when-needed" });
  const { result, digests } = await buildOn(here);
  const [file, inTree, stdout, tree] = digests;
  expect(value(await there.actions.lookup(ACTION))).toStrictEqual({ kind: "hit", result, from: "grpc://shared" });
  expect(value(await there.local.blobs.findMissing(digests))).toStrictEqual([file, inTree, stdout]);
  const request = { digest: inTree!, path: "/work/x", executable: true, how: "copy" } as const;
  expect(value(await there.blobs.materialize([request]))).toStrictEqual(["done"]);
  expect(value(await there.local.blobs.findMissing([inTree!, tree!]))).toStrictEqual([]);
  // What the remote loses after the hit is missing, and no more.
  remoteBlobs.evict(file!);
  expect(value(await there.blobs.materialize([{ ...request, digest: file! }]))).toStrictEqual(["missing"]);
});

test("where downloads wait, a result of which a blob is nowhere is no hit", async () => {
  const { here, there, remoteActions, remoteBlobs } = world({ downloads: "when-needed" });
  const { digests } = await buildOn(here);
  remoteBlobs.evict(digests[1]!);
  expect(remoteActions.recorded).toStrictEqual([ACTION]);
  expect(value(await there.actions.lookup(ACTION)).kind).toBe("miss");
});

test("results sent in the background hold up nobody until too many wait, and all are sent at the end", async () => {
  const { here, remoteActions } = world({ uploads: { atOnceMax: 1, waitingMax: 2 } });
  const record = remoteActions.record.bind(remoteActions);
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  remoteActions.record = async (action, result) => {
    await held;
    return record(action, result);
  };
  const result = resultOf([await put(here.local, "a file")]);
  const actions = ["1", "2", "3", "4"].map((text) => digestOf(text));
  // One is under way and two wait.
  for (const action of actions.slice(0, 3)) value(await here.actions.record(action, result));
  let isHeldUp = true;
  const fourth = here.actions.record(actions[3]!, result).then(() => {
    isHeldUp = false;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([isHeldUp, remoteActions.recorded.length]).toStrictEqual([true, 0]);
  letGo();
  await fourth;
  await here.sent();
  expect([...remoteActions.recorded].sort()).toStrictEqual([...actions].sort());
});
