/** Test fixture: stores over a memory file system or a temporary directory, and hands that damage them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { ActionResult, Clock, Digest, DigestFunction, FileSystem, Random, Result, StoreProblem } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { memoryFileSystem, seededRandom, virtualClock } from "@kahn/testing";
import type { DiskStore } from "./disk-store.ts";
import { contextOf, openDiskStore } from "./disk-store.ts";
import type { Liveness, ProcessOwner } from "./process-owner.ts";

/** A process like any other. */
export const OWNER: ProcessOwner = { pid: 100, startedAt: "1", bootId: "boot-1/ns", host: "here" };

/** How a store is opened for a test; everything may be left out. */
export interface TestStoreOptions {
  readonly fs?: FileSystem;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly root?: string;
  readonly owner?: ProcessOwner;
  readonly livenessOf?: Liveness;
  readonly digestFunction?: DigestFunction;
  /** Default: 0, each blob has its own file. */
  readonly packedMaxBytes?: number;
}

/** Times of tests start here: not the epoch, so that ages fit before it, and away from the mark of stamps. */
export const START_MS = 1_700_000_000_100;

/** A virtual clock at `START_MS`. */
export function testClock() {
  return virtualClock(START_MS);
}

let seed = 1;

/** Opens a store; by default a fresh one in memory, where every process is alive. */
export function testStore(options: TestStoreOptions = {}): DiskStore {
  const clock = options.clock ?? testClock();
  const opened = openDiskStore({
    fs: options.fs ?? memoryFileSystem({ clock }),
    clock,
    random: options.random ?? seededRandom(seed++),
    root: options.root ?? "/store",
    owner: options.owner ?? OWNER,
    livenessOf: options.livenessOf ?? (() => "alive"),
    packedMaxBytes: options.packedMaxBytes ?? 0,
    ...(options.digestFunction === undefined ? {} : { digestFunction: options.digestFunction }),
  });
  return value(opened);
}

/** A real directory with the real file system, and its end. */
export function realPlace() {
  const root = mkdtempSync(`${tmpdir()}/kahn-cas-`);
  return {
    fs: nodeFileSystem(),
    clock: nodeClock(),
    random: nodeRandom(),
    root,
    cleanup: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The value of a result that must be one. */
export function value<T>(result: Result<T, StoreProblem>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

/** Stores text. */
export async function put(store: DiskStore, text: string): Promise<Digest> {
  const digest = digestOf(text);
  value(await store.blobs.write(digest, Buffer.from(text)));
  return digest;
}

/** A blob's text; `undefined` when missing. */
export async function textOf(store: DiskStore, digest: Digest): Promise<string | undefined> {
  const bytes = value(await store.blobs.read(digest));
  return bytes && Buffer.from(bytes).toString();
}

/** A result with one file for each digest. */
export function resultOf(digests: readonly Digest[], extra: Partial<ActionResult> = {}): ActionResult {
  return {
    outputFiles: digests.map((digest, index) => ({ path: `dist/${index}`, digest, executable: false })),
    outputDirectories: [],
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "test" },
    ...extra,
  };
}

/** What is flipped: the middle of a file, or of a part of it. */
export type FlipPlace = string | { readonly path: string; readonly offset?: number; readonly sizeBytes?: number };

/** Flips one bit of a stored file in place, as a careless tool would: with a new mtime. */
export function flipByte(fs: FileSystem, place: FlipPlace, options: { readonly keepTimes?: boolean } = {}): void {
  const { path, offset = 0, sizeBytes } = typeof place === "string" ? { path: place } : place;
  const before = fs.lstat(path)!;
  const bytes = Buffer.from(fs.readFile(path)!);
  const at = offset + ((sizeBytes ?? bytes.length) >> 1);
  bytes[at] = bytes[at]! ^ 1;
  fs.chmod(path, 0o644);
  fs.writeFile(path, bytes);
  fs.chmod(path, before.mode);
  if (options.keepTimes === true) fs.setTimes(path, before.mtimeMs, before.mtimeMs);
}

/** Path of a blob or record of a store. */
export function blobPath(store: DiskStore, digest: Digest, executable = false): string {
  return contextOf(store).layout.blob(digest, executable);
}

/** Path of a record of a store. */
export function recordPath(store: DiskStore, action: Digest): string {
  return contextOf(store).layout.record(action);
}

/** Names in a directory, sorted; none when it is absent. */
export function namesIn(fs: FileSystem, directory: string): string[] {
  return (fs.readDirectory(directory) ?? []).map(({ name }) => name).sort();
}
