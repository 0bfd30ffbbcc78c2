/** The contract of `BlobStore`. */
import assert from "node:assert/strict";
import type { BlobStore, Digest, FileSystem, Result, StoreProblem } from "@kahn/core";
import { digestOf } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A blob store under test. */
export interface BlobStoreSubject extends ContractSubject {
  /** Empty. */
  readonly store: BlobStore;
  /** The file system of `ingest` and `materialize`. */
  readonly fs: FileSystem;
  /** Absolute path of an empty directory, on the store's device where that matters. */
  readonly root: string;
  /** Loses a blob behind the store's back, where that can be done. */
  readonly lose?: (digest: Digest) => void | Promise<void>;
  /** Damages a blob behind the store's back, where that can be done, so that the store has a chance to notice. */
  readonly damage?: (digest: Digest) => void | Promise<void>;
}

function value<T>(result: Result<T, StoreProblem>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

async function put(store: BlobStore, text: string): Promise<Digest> {
  const digest = digestOf(text);
  value(await store.write(digest, bytesOf(text)));
  return digest;
}

async function textOf(store: BlobStore, digest: Digest): Promise<string | undefined> {
  const bytes = value(await store.read(digest));
  return bytes && Buffer.from(bytes).toString();
}

const fileText = (fs: FileSystem, path: string) => Buffer.from(fs.readFile(path)!).toString();

type Experiments = Readonly<Record<string, (subject: BlobStoreSubject) => Promise<void>>>;

const BLOBS: Experiments = {
  "a blob that is not there is an answer": async ({ store }) => {
    const [absent, empty] = [digestOf("absent"), digestOf("")];
    assert.equal(value(await store.read(absent)), undefined);
    assert.deepEqual(value(await store.findMissing([absent, empty])), [absent, empty]);
    assert.deepEqual(value(await store.findMissing([])), []);
  },
  "what was written is read again, to the byte": async ({ store }) => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256);
    value(await store.write(digestOf(bytes), bytes));
    assert.ok(Buffer.from(value(await store.read(digestOf(bytes)))!).equals(bytes));
    assert.equal(await textOf(store, await put(store, "")), "");
  },
  "missing ones are named in the order asked, and none that is there": async ({ store }) => {
    const there = await put(store, "there");
    const [one, two] = [digestOf("one"), digestOf("two")];
    assert.deepEqual(value(await store.findMissing([two, there, one])), [two, one]);
  },
  "writing again changes nothing": async ({ store }) => {
    const digest = await put(store, "twice");
    await put(store, "twice");
    assert.equal(await textOf(store, digest), "twice");
  },
  "writing the same blob many times at once is fine": async ({ store }) => {
    await Promise.all(Array.from({ length: 20 }, () => put(store, "crowd")));
    assert.equal(await textOf(store, digestOf("crowd")), "crowd");
  },
  "bytes that are not what was promised are refused, and not stored": async ({ store }) => {
    const promised = digestOf("promised");
    for (const other of ["something else", "promisee", ""]) {
      const result = await store.write(promised, bytesOf(other));
      assert.ok(!result.ok);
      assert.equal(result.problem.code, "blob-mismatch");
    }
    assert.deepEqual(value(await store.findMissing([promised, digestOf("promisee")])).length, 2);
  },
  "a blob does not change with the bytes that were handed in or given out": async ({ store }) => {
    const bytes = bytesOf("constant");
    const digest = digestOf(bytes);
    value(await store.write(digest, bytes));
    bytes.fill(0);
    value(await store.read(digest))!.fill(0);
    assert.equal(await textOf(store, digest), "constant");
  },
  "a lost blob is missing, and can be written again": async ({ store, lose }) => {
    if (lose === undefined) return;
    const digest = await put(store, "lost");
    await lose(digest);
    assert.equal(await textOf(store, digest), undefined);
    assert.deepEqual(value(await store.findMissing([digest])), [digest]);
    await put(store, "lost");
    assert.equal(await textOf(store, digest), "lost");
  },
  "a damaged blob is never given out, and can be written again": async ({ store, damage }) => {
    if (damage === undefined) return;
    const digest = await put(store, "damaged blob");
    await damage(digest);
    assert.equal(await textOf(store, digest), undefined);
    assert.deepEqual(value(await store.findMissing([digest])), [digest]);
    await put(store, "damaged blob");
    assert.equal(await textOf(store, digest), "damaged blob");
  },
};

const FILES: Experiments = {
  "files are taken in, digests in the order of the requests": async ({ store, fs, root }) => {
    const texts = ["one", "", "three".repeat(50_000), "one"];
    const requests = texts.map((text, index) => {
      fs.writeFile(`${root}/${index}`, text);
      return { path: `${root}/${index}`, executable: index === 1 };
    });
    const digests = value(await store.ingest(requests));
    assert.deepEqual(
      digests,
      texts.map((text) => digestOf(text)),
    );
    assert.deepEqual(value(await store.findMissing(digests)), []);
    assert.equal(await textOf(store, digests[2]!), texts[2]);
    assert.equal(fileText(fs, `${root}/0`), "one");
  },
  "the true digest is answered when another one was expected": async ({ store, fs, root }) => {
    fs.writeFile(`${root}/file`, "actual");
    const request = { path: `${root}/file`, executable: false, expected: digestOf("expect") };
    assert.deepEqual(value(await store.ingest([request])), [digestOf("actual")]);
    assert.deepEqual(value(await store.findMissing([digestOf("expect")])), [digestOf("expect")]);
  },
  "all files are taken in, or a problem is answered": async ({ store, fs, root }) => {
    fs.writeFile(`${root}/file`, "here");
    const requests = ["file", "none"].map((name) => ({ path: `${root}/${name}`, executable: false }));
    assert.equal((await store.ingest(requests)).ok, false);
  },
  "an edit of a file that was copied in leaves the blob alone": async ({ store, fs, root }) => {
    fs.writeFile(`${root}/file`, "before");
    const [digest] = value(await store.ingest([{ path: `${root}/file`, executable: false }]));
    fs.writeFile(`${root}/file`, "after!");
    assert.equal(await textOf(store, digest!), "before");
  },
  "a file that was adopted keeps its contents, read-only": async ({ store, fs, root }) => {
    fs.writeFile(`${root}/file`, "adopted", { mode: 0o755 });
    const [digest] = value(await store.ingest([{ path: `${root}/file`, executable: true, adopt: true }]));
    assert.equal(fileText(fs, `${root}/file`), "adopted");
    assert.equal(fs.lstat(`${root}/file`)!.mode & 0o333, 0o111);
    assert.equal(await textOf(store, digest!), "adopted");
  },
  "a copy is a writable file of its own, executable where asked": async ({ store, fs, root }) => {
    const digest = await put(store, "copy");
    const copy = (name: string, executable: boolean) =>
      ({ digest, path: `${root}/${name}`, executable, how: "copy" }) as const;
    assert.deepEqual(value(await store.materialize([copy("plain", false), copy("run", true)])), ["done", "done"]);
    assert.deepEqual(
      fs.statMany([`${root}/plain`, `${root}/run`]).map((stat) => stat!.mode),
      [0o644, 0o755],
    );
    fs.writeFile(`${root}/plain`, "edited in place");
    assert.equal(await textOf(store, digest), "copy");
    assert.equal(fileText(fs, `${root}/run`), "copy");
  },
  "a link is read-only, executable where asked": async ({ store, fs, root }) => {
    const digest = await put(store, "link");
    const link = (name: string, executable: boolean) =>
      ({ digest, path: `${root}/${name}`, executable, how: "link" }) as const;
    assert.deepEqual(value(await store.materialize([link("plain", false), link("run", true)])), ["done", "done"]);
    assert.deepEqual(
      fs.statMany([`${root}/plain`, `${root}/run`]).map((stat) => stat!.mode),
      [0o444, 0o555],
    );
    assert.deepEqual([fileText(fs, `${root}/plain`), fileText(fs, `${root}/run`)], ["link", "link"]);
  },
  "an existing file is replaced, never written through": async ({ store, fs, root }) => {
    const digest = await put(store, "new");
    for (const how of ["copy", "link"] as const) {
      fs.writeFile(`${root}/stored-${how}`, "old", { mode: 0o444 });
      fs.link(`${root}/stored-${how}`, `${root}/${how}`);
      const outcome = await store.materialize([{ digest, path: `${root}/${how}`, executable: false, how }]);
      assert.deepEqual(value(outcome), ["done"]);
      assert.equal(fileText(fs, `${root}/${how}`), "new");
      assert.equal(fileText(fs, `${root}/stored-${how}`), "old");
    }
    fs.writeFile(`${root}/target`, "kept");
    fs.symlink("target", `${root}/soft`);
    value(await store.materialize([{ digest, path: `${root}/soft`, executable: false, how: "copy" }]));
    assert.deepEqual([fs.lstat(`${root}/soft`)!.kind, fileText(fs, `${root}/target`)], ["file", "kept"]);
  },
  "one outcome comes for each request, in order; a missing blob leaves no file": async ({ store, fs, root }) => {
    const there = await put(store, "there");
    const requests = [digestOf("absent"), there, digestOf("gone")].map((digest, index) => ({
      digest,
      path: `${root}/${index}`,
      executable: false,
      how: "copy" as const,
    }));
    assert.deepEqual(value(await store.materialize(requests)), ["missing", "done", "missing"]);
    assert.deepEqual(
      fs.readDirectory(root)!.map(({ name }) => name),
      ["1"],
    );
  },
  "a damaged blob becomes no file": async ({ store, fs, root, damage }) => {
    if (damage === undefined) return;
    const digest = await put(store, "to be damaged");
    await damage(digest);
    const request = { digest, path: `${root}/file`, executable: false, how: "copy" as const };
    assert.deepEqual(value(await store.materialize([request])), ["corrupt"]);
    assert.equal(fs.lstat(`${root}/file`), undefined);
    assert.deepEqual(value(await store.materialize([request])), ["missing"]);
  },
  "hundreds of files go in and out in one call": async ({ store, fs, root }) => {
    const names = Array.from({ length: 300 }, (_, index) => `${index}`);
    fs.makeDirectory(`${root}/in`);
    fs.makeDirectory(`${root}/out`);
    for (const name of names) fs.writeFile(`${root}/in/${name}`, `file ${name}`);
    const digests = value(await store.ingest(names.map((name) => ({ path: `${root}/in/${name}`, executable: false }))));
    const requests = names.map((name, index) => ({
      digest: digests[index]!,
      path: `${root}/out/${name}`,
      executable: false,
      how: "copy" as const,
    }));
    assert.ok(value(await store.materialize(requests)).every((outcome) => outcome === "done"));
    assert.ok(names.every((name) => fileText(fs, `${root}/out/${name}`) === `file ${name}`));
  },
};

/** The cases for a blob store of SHA-256. */
export function blobStoreContract(make: MakeSubject<BlobStoreSubject>): readonly ContractCase[] {
  return contractCases<BlobStoreSubject>(make, { ...BLOBS, ...FILES });
}
