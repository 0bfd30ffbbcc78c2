/** Walks the files of a store, one directory of a 256th at a time, so that memory does not grow with the store. */
import type { Clock, Digest, DigestFunction, FileStat, FileSystem } from "@kahn/core";
import { HEX_LENGTH, isDigestFunction, sleep } from "@kahn/core";
import { PACKS } from "./store-layout.ts";

/** One file of `cas/` or `ac/`. */
export interface StoredFile {
  readonly path: string;
  readonly fn: DigestFunction;
  readonly hash: string;
  /** True for the executable variant of a blob. */
  readonly executable: boolean;
  readonly stat: FileStat;
}

/** The digest that a file's name and size make. */
export function digestOfStored(file: StoredFile, sizeBytes = file.stat.sizeBytes): Digest {
  return `${file.fn}:${file.hash}/${sizeBytes}` as Digest;
}

/** A walk lets other work of the process have its turn this often: a signal must not wait for a large store. */
const TURN_MS = 30;

/** The files below `cas/` or `ac/`, in parts. */
export async function* storedFiles(
  { fs, clock }: { readonly fs: FileSystem; readonly clock: Clock },
  top: string,
): AsyncGenerator<readonly StoredFile[]> {
  let turnEndMs = clock.monotonicMs() + TURN_MS;
  for (const { name: fn } of fs.readDirectory(top) ?? []) {
    if (!isDigestFunction(fn)) continue;
    for (const { name: shard } of fs.readDirectory(`${top}/${fn}`) ?? []) {
      if (shard === PACKS) continue;
      yield listShard(fs, `${top}/${fn}/${shard}`, fn);
      if (clock.monotonicMs() < turnEndMs) continue;
      await sleep(clock, 0);
      turnEndMs = clock.monotonicMs() + TURN_MS;
    }
  }
}

function listShard(fs: FileSystem, directory: string, fn: DigestFunction): StoredFile[] {
  const names = (fs.readDirectory(directory) ?? []).map(({ name }) => name);
  const stats = fs.statMany(names.map((name) => `${directory}/${name}`));
  const files: StoredFile[] = [];
  names.forEach((name, index) => {
    const stat = stats[index];
    const executable = name.endsWith("x");
    const hash = executable ? name.slice(0, -1) : name;
    if (stat?.kind !== "file" || hash.length !== HEX_LENGTH[fn] || !/^[0-9a-f]+$/.test(hash)) return;
    files.push({ path: `${directory}/${name}`, fn, hash, executable, stat });
  });
  return files;
}
