import { digestOf, treeOf } from "@kahn/core";
import { memoryActionCache, memoryBlobStore, memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { completenessChecked } from "./completeness.ts";
import { limited } from "./limited.ts";
import { metered, meteredActions } from "./metered.ts";
import { blobPath, put, resultOf, testClock, testStore, value } from "./store.fixture.ts";
import { verified } from "./verified.ts";

function memory() {
  const clock = testClock();
  const fs = memoryFileSystem({ clock, files: { "/work/a": "alpha", "/work/b": "beta beta" } });
  return { fs, store: testStore({ fs, clock }) };
}

// R16: manifest present, blob evicted: the producer runs again, the build does not fail.
test("R16: a record of which a blob is gone is a miss that names the blob, also inside a tree", async () => {
  const { fs, store } = memory();
  const actions = completenessChecked(store.actions, store.blobs);
  const action = digestOf("action");
  const inTree = await put(store, "in the tree");
  const tree = treeOf([{ kind: "file", path: "a/b", digest: inTree, executable: false }]);
  value(await store.blobs.write(tree.digest, tree.bytes));
  const stdout = await put(store, "said");
  value(await actions.record(action, resultOf([], { outputDirectories: [{ path: "d", tree: tree.digest }], stdout })));
  expect(value(await actions.lookup(action)).kind).toBe("hit");
  for (const gone of [stdout, inTree, tree.digest]) {
    const path = blobPath(store, gone);
    fs.rename(path, "/work/aside");
    const found = value(await actions.lookup(action));
    expect(found).toStrictEqual({ kind: "miss", reason: "incomplete", missing: [gone] });
    fs.rename("/work/aside", path);
  }
  expect(value(await actions.lookup(action)).kind).toBe("hit");
  expect(value(await actions.lookup(digestOf("other")))).toStrictEqual({ kind: "miss", reason: "no-entry" });
});

test("a result whose tree is not a tree is incomplete, not an exception", async () => {
  const { store } = memory();
  const actions = completenessChecked(store.actions, store.blobs);
  const noTree = await put(store, "\n\u0003abc");
  value(await actions.record(digestOf("action"), resultOf([], { outputDirectories: [{ path: "d", tree: noTree }] })));
  expect(value(await actions.lookup(digestOf("action")))).toStrictEqual({
    kind: "miss",
    reason: "incomplete",
    missing: [noTree],
  });
});

test("a verified store believes no answer, takes no wrong bytes, and leaves no wrong file", async () => {
  const { fs } = memory();
  const right = digestOf("right");
  const lying = {
    ...memoryBlobStore(fs),
    read: async () => ({ ok: true as const, value: Buffer.from("wrong") }),
    materialize: async () => {
      fs.writeFile("/work/out", "wrong");
      return { ok: true as const, value: ["done" as const] };
    },
  };
  const blobs = verified(lying as never, fs);
  expect(value(await blobs.read(right))).toBe(undefined);
  const request = { digest: right, path: "/work/out", executable: false, how: "copy" } as const;
  expect(value(await blobs.materialize([request]))).toStrictEqual(["corrupt"]);
  expect(fs.lstat("/work/out")).toBe(undefined);
  expect(await blobs.write(right, Buffer.from("wrong"))).toMatchObject({ problem: { code: "blob-mismatch" } });
});

test("a metered store counts blobs, bytes, misses and hits", async () => {
  const { store } = memory();
  const blobs = metered(store.blobs);
  const [a, absent] = [digestOf("alpha"), digestOf("absent")];
  value(
    await blobs.ingest([
      { path: "/work/a", executable: false },
      { path: "/work/b", executable: false },
    ]),
  );
  value(await blobs.write(digestOf("c"), Buffer.from("c")));
  value(await blobs.findMissing([a, absent]));
  value(await blobs.read(a));
  value(await blobs.read(absent));
  const out = { path: "/work/out", executable: false, how: "copy" } as const;
  value(
    await blobs.materialize([
      { ...out, digest: a },
      { ...out, digest: absent },
    ]),
  );
  await blobs.write(a, Buffer.from("wrong"));
  expect(blobs.counts).toStrictEqual({
    asked: 2,
    missing: 1,
    given: 2,
    givenBytes: 10,
    notGiven: 2,
    corrupt: 0,
    taken: 3,
    takenBytes: 15,
    problems: 1,
  });
  const actions = meteredActions(memoryActionCache());
  value(await actions.lookup(a));
  value(await actions.record(a, resultOf([])));
  value(await actions.lookup(a));
  expect(actions.counts).toMatchObject({ hits: 1, misses: { "no-entry": 1 }, recorded: 1, problems: 0 });
});

test("a limited store takes all of a call or nothing of it", async () => {
  const { fs, store } = memory();
  const blobs = limited(store.blobs, fs, { maxBlobBytes: 8, maxIngestBytes: 12 });
  const request = (path: string) => ({ path, executable: false });
  const tooLarge = { ok: false, problem: { code: "blob-too-large" } };
  expect(await blobs.ingest([request("/work/a"), request("/work/b")])).toMatchObject(tooLarge);
  expect(await blobs.ingest([request("/work/b")])).toMatchObject(tooLarge);
  expect(await blobs.ingest([request("/work/a"), request("/work/a"), request("/work/a")])).toMatchObject(tooLarge);
  expect(await blobs.write(digestOf("nine char"), Buffer.from("nine char"))).toMatchObject(tooLarge);
  expect(value(await blobs.findMissing([digestOf("alpha")]))).toStrictEqual([digestOf("alpha")]);
  expect(value(await blobs.ingest([request("/work/a")]))).toStrictEqual([digestOf("alpha")]);
});
