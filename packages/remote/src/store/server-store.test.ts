import type { ActionResult, Digest } from "@kahn/core";
import { digestList, digestOf, encodeActionResult, encodeTree } from "@kahn/core";
import { expect, test } from "vitest";
import type { ServerStore } from "./server-store.ts";
import { codeOf, memoryOptions, memoryStore, noise, realPlace, value } from "./store.fixture.ts";

const KIB = 1024;

async function upload(store: ServerStore, bytes: Uint8Array, messageBytes: number): Promise<Digest> {
  const digest = digestOf(bytes);
  const writer = value(await store.blobs.create(digest));
  if (writer === "present") return digest;
  for (let at = 0; at < bytes.length; at += messageBytes) {
    value(await writer.write(Uint8Array.from(bytes.subarray(at, at + messageBytes))));
    expect(writer.committedBytes).toBe(Math.min(bytes.length, at + messageBytes));
  }
  value(await writer.commit());
  return digest;
}

async function download(store: ServerStore, digest: Digest, pieceBytes: number): Promise<Uint8Array | undefined> {
  const reader = value(await store.blobs.open(digest));
  if (reader === undefined) return undefined;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < reader.sizeBytes; at += pieceBytes) {
    pieces.push(Uint8Array.from(value(await reader.read(at, pieceBytes))));
  }
  reader.close();
  return Buffer.concat(pieces);
}

function resultOf(digests: readonly Digest[], extra: Partial<ActionResult> = {}): ActionResult {
  const outputFiles = digests.map((digest, index) => ({ path: `out/${index}`, digest, executable: false }));
  return { outputFiles, outputDirectories: [], outputSymlinks: [], exitCode: 0, metadata: { worker: "w" }, ...extra };
}

// Goal: what goes in comes out, whatever its size and the size of the messages. Method: sizes around the limits of packs
// and buffers; tiny, odd and large messages; read in other pieces, before and after a restart.
test("a blob of any size, sent in messages of any size, comes out as it went in, after a restart too", async () => {
  const place = realPlace();
  try {
    const sizes = [1, 4, 1025, 64 * KIB, 64 * KIB + 1, 256 * KIB, 256 * KIB + 1, 700 * KIB];
    const first = await place.open();
    const digests: Digest[] = [];
    for (const [index, sizeBytes] of sizes.entries()) {
      const messageBytes = sizeBytes < 2000 ? 4 : [7, 1000, 16 * KIB, 300 * KIB][index % 4]!;
      digests.push(
        await upload(first, noise(sizeBytes, index + 1), Math.max(messageBytes, Math.ceil(sizeBytes / 2000))),
      );
    }
    expect(value(await first.blobs.findMissing(digests))).toStrictEqual([]);
    value(await first.close());
    const second = await place.open();
    expect(value(await second.blobs.findMissing(digests))).toStrictEqual([]);
    for (const [index, digest] of digests.entries()) {
      const expected = noise(sizes[index]!, index + 1);
      expect(Buffer.compare((await download(second, digest, 100 * KIB + 3))!, expected)).toBe(0);
      expect(Buffer.compare(value(await second.blobs.read(digest))!, expected)).toBe(0);
    }
    value(await second.close());
  } finally {
    place.cleanup();
  }
});

test("D1: bytes that are not what they were sent as are refused on every way in, and nothing is stored", async () => {
  for (const sizeBytes of [100, 300 * KIB]) {
    const store = await memoryStore();
    const right = noise(sizeBytes, 1);
    const wrong = noise(sizeBytes, 2);
    const digest = digestOf(right);
    expect(codeOf(await store.blobs.write(digest, wrong))).toBe("blob-mismatch");
    expect(codeOf(await store.blobs.write(digest, right.subarray(1)))).toBe("blob-mismatch");
    const lying = value(await store.blobs.create(digest));
    if (lying === "present") throw new Error("nobody has stored it");
    value(await lying.write(wrong));
    expect(codeOf(await lying.commit())).toBe("blob-mismatch");
    const short = value(await store.blobs.create(digest));
    if (short === "present") throw new Error("nobody has stored it");
    value(await short.write(right.subarray(1)));
    expect(codeOf(await short.commit())).toBe("blob-mismatch");
    const long = value(await store.blobs.create(digest));
    if (long === "present") throw new Error("nobody has stored it");
    value(await long.write(right));
    expect(codeOf(await long.write(right.subarray(0, 1)))).toBe("blob-mismatch");
    const received = value(await store.blobs.receive("sha256"));
    value(await received.write(wrong));
    expect(codeOf(await received.commit(digest.slice(7, 71)))).toBe("blob-mismatch");
    expect(value(await store.blobs.findMissing([digest, digestOf(wrong)]))).toHaveLength(2);
    expect(store.status()).toMatchObject({ usedBytes: 0, blobs: 0 });
  }
});

test("D13: the empty blob of every function is there without having been stored", async () => {
  const store = await memoryStore();
  const empty = [
    digestOf("", "sha256"),
    digestOf("", "sha1"),
    digestOf("", "sha384"),
    digestOf("", "sha512"),
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262/0" as Digest,
  ];
  expect(value(await store.blobs.findMissing(empty))).toStrictEqual([]);
  for (const digest of empty) {
    expect(value(await store.blobs.read(digest))).toHaveLength(0);
    expect(value(await store.blobs.open(digest))?.sizeBytes).toBe(0);
    expect(value(await store.blobs.create(digest))).toBe("present");
    value(await store.blobs.write(digest, new Uint8Array()));
  }
  // Without bytes, and not the hash of none.
  const none = digestOf("x").replace("/1", "/0") as Digest;
  expect(value(await store.blobs.findMissing([none]))).toStrictEqual([none]);
});

test("D14: a blob that is asked for with its hash and another size is missing, and no way reads it", async () => {
  const store = await memoryStore();
  for (const sizeBytes of [10, 300 * KIB]) {
    const digest = await upload(store, noise(sizeBytes, sizeBytes), 100 * KIB);
    const other = digest.replace(/\d+$/, String(sizeBytes + 1)) as Digest;
    expect(value(await store.blobs.findMissing([digest, other, other]))).toStrictEqual([other]);
    const list = digestList("sha256", [other, digest, digestOf(""), other]);
    expect(value(await store.blobs.findMissingIn(list))).toStrictEqual([0]);
    expect(value(await store.blobs.read(other))).toBe(undefined);
    expect(value(await store.blobs.open(other))).toBe(undefined);
    expect(value(await store.blobs.find("sha256", digest.slice(7, 71)))).toBe(digest);
    // The question has done no harm.
    expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([]);
  }
});

test("D18: a result that lacks a blob, in a tree too, is no result; and it is one again when the blob is back", async () => {
  const options = memoryOptions();
  const store = await memoryStore(options);
  const bytes = noise(300 * KIB, 5);
  const digest = await upload(store, bytes, 64 * KIB);
  const action = digestOf("action");
  const scope = { instance: "main" };
  value(await store.actions.put(scope, action, encodeActionResult(resultOf([digest]))));
  expect(value(await store.actions.get(scope, action))?.result.outputFiles[0]?.digest).toBe(digest);
  // Somebody removes the file on disk.
  options.fs.remove(`/store/cas/sha256/${digest.slice(7, 9)}/${digest.slice(7, 71)}`);
  expect(value(await store.actions.get(scope, action))).toBe(undefined);
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([digest]);
  value(await store.blobs.write(digest, bytes));
  expect(value(await store.actions.get(scope, action))).toBeDefined();
});

test("D18: a result is complete only with every file of its trees", async () => {
  const store = await memoryStore();
  const file = digestOf("a file");
  const directory = { files: [{ name: "a", digest: file, executable: false }], directories: [], symlinks: [] };
  const tree = encodeTree({ root: directory, children: [] });
  value(await store.blobs.write(digestOf(tree), tree));
  const outputDirectories = [{ path: "out", tree: digestOf(tree) }];
  const action = digestOf("action");
  value(await store.actions.put({ instance: "" }, action, encodeActionResult(resultOf([], { outputDirectories }))));
  expect(value(await store.actions.get({ instance: "" }, action))).toBe(undefined);
  value(await store.blobs.write(file, Buffer.from("a file")));
  expect(value(await store.actions.get({ instance: "" }, action))).toBeDefined();
});

test("results come back byte for byte, with fields that nobody here knows", async () => {
  const store = await memoryStore();
  const known = encodeActionResult(resultOf([]));
  // Field 1999, a string.
  const bytes = Buffer.concat([known, Buffer.from([0xfa, 0x7c, 3]), Buffer.from("new")]);
  value(await store.actions.put({ instance: "" }, digestOf("a"), bytes));
  expect(Buffer.from(value(await store.actions.get({ instance: "" }, digestOf("a")))!.bytes)).toStrictEqual(bytes);
});

test("a result belongs to its scope; an overlay sees its own first, then the shared ones, and changes none of them", async () => {
  const store = await memoryStore();
  const action = digestOf("action");
  const put = async (instance: string, overlay: string | undefined, exitCode: number) =>
    value(
      await store.actions.put(
        { instance, ...(overlay === undefined ? {} : { overlay }) },
        action,
        encodeActionResult(resultOf([], { exitCode })),
      ),
    );
  const get = async (instance: string, overlay?: string) =>
    value(await store.actions.get({ instance, ...(overlay === undefined ? {} : { overlay }) }, action))?.result
      .exitCode;
  await put("main", undefined, 1);
  expect([await get("main"), await get("main", "pr-1"), await get("other")]).toStrictEqual([1, 1, undefined]);
  await put("main", "pr-1", 2);
  expect([await get("main"), await get("main", "pr-1"), await get("main", "pr-2")]).toStrictEqual([1, 2, 1]);
  value(await store.actions.forget({ instance: "main" }, action));
  expect([await get("main"), await get("main", "pr-1")]).toStrictEqual([undefined, 2]);
});

test("names stand for blobs with facts; an exclusive name is given once, however many ask", async () => {
  const store = await memoryStore();
  const digest = await upload(store, noise(10, 3), 10);
  const entry = { digest, facts: { tag: "ünï", duration: "12" } };
  const put = () => store.entries.put("turbo/team", "../../etc/passwd", entry, { exclusive: true });
  const outcomes = (await Promise.all([put(), put(), put()])).map(value);
  expect(outcomes.sort()).toStrictEqual(["exists", "exists", "stored"]);
  expect(value(await store.entries.get("turbo/team", "../../etc/passwd"))).toStrictEqual(entry);
  expect(value(await store.entries.get("turbo", "team/../../etc/passwd"))).toBe(undefined);
  expect(value(await store.entries.put("turbo/team", "../../etc/passwd", entry))).toBe("stored");
  expect(codeOf(await store.entries.put("a", "b", { digest: digestOf("no such"), facts: {} }))).toBe("blob-mismatch");
  value(await store.entries.forget("turbo/team", "../../etc/passwd"));
  expect(value(await store.entries.get("turbo/team", "../../etc/passwd"))).toBe(undefined);
});

test("of several uploads of one blob the first that is whole wins, and the others learn it while they send", async () => {
  const store = await memoryStore();
  const bytes = noise(600 * KIB, 9);
  const digest = digestOf(bytes);
  const [winner, other, late] = await Promise.all([1, 2, 3].map(async () => value(await store.blobs.create(digest))));
  if (winner === "present" || other === "present" || late === "present" || !winner || !other || !late) {
    throw new Error("nobody has stored it");
  }
  value(await other.write(bytes.subarray(0, 300 * KIB)));
  value(await late.write(bytes));
  value(await winner.write(bytes));
  expect([winner.isPresent, other.isPresent]).toStrictEqual([false, false]);
  value(await winner.commit());
  expect([winner.isPresent, other.isPresent, late.isPresent]).toStrictEqual([true, true, true]);
  value(await other.write(bytes.subarray(300 * KIB)));
  value(await other.commit());
  value(await late.commit());
  expect(Buffer.compare((await download(store, digest, 64 * KIB))!, bytes)).toBe(0);
  expect(store.status().usedBytes).toBe(600 * KIB);
});

test("a blob whose digest nobody knew is found by its hash", async () => {
  const store = await memoryStore();
  for (const sizeBytes of [0, 5, 64 * KIB + 1, 600 * KIB]) {
    const bytes = noise(sizeBytes, 4);
    const receiver = value(await store.blobs.receive("sha256"));
    for (let at = 0; at < sizeBytes; at += 50_000) value(await receiver.write(bytes.subarray(at, at + 50_000)));
    const digest = value(await receiver.commit());
    expect(digest).toBe(digestOf(bytes));
    expect(value(await store.blobs.find("sha256", digest.slice(7, 71)))).toBe(digest);
    expect(Buffer.compare(value(await store.blobs.read(digest))!, bytes)).toBe(0);
  }
});

// Method: two stores over one directory, as a server and a command line are.
test("what another process stores is found, and what it removes is missing, at the next question", async () => {
  const options = memoryOptions();
  const server = await memoryStore(options);
  const other = await memoryStore({ ...options, owner: { ...options.owner, pid: 200 } });
  for (const sizeBytes of [20, 300 * KIB]) {
    const bytes = noise(sizeBytes, sizeBytes);
    const digest = digestOf(bytes);
    expect(value(await server.blobs.findMissing([digest]))).toStrictEqual([digest]);
    value(await other.blobs.write(digest, bytes));
    expect(value(await server.blobs.findMissing([digest]))).toStrictEqual([]);
    expect(Buffer.compare(value(await server.blobs.read(digest))!, bytes)).toBe(0);
  }
  value(await other.close());
  options.fs.removeTree("/store/cas");
  const gone = [20, 300 * KIB].map((sizeBytes) => digestOf(noise(sizeBytes, sizeBytes)));
  expect(value(await server.blobs.findMissing(gone))).toStrictEqual(gone);
});

test("a store that is closed while small blobs are being written waits for them", async () => {
  const options = memoryOptions();
  const store = await memoryStore(options);
  const written = [1, 2, 3].map((number) => store.blobs.write(digestOf(`${number}`), Buffer.from(`${number}`)));
  value(await store.close());
  for (const each of written) value(await each);
  const again = await memoryStore(options);
  expect(value(await again.blobs.findMissing([1, 2, 3].map((number) => digestOf(`${number}`))))).toEqual([]);
});
