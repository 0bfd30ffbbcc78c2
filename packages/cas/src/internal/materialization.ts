/**
 * Makes files of the work tree from blobs.
 *
 * Method: packed blobs that are to be copied are read in a few large pieces, hashed, and written. Of the others: one
 *         `lstat` per blob, then all copies and all links in one call each. What is out of the ordinary (a blob that is
 *         there in the other variant only, a refused link, a blob that vanishes meanwhile) is done one by one.
 */
import type { CopyRequest, Digest, FileStat, MaterializeOutcome, MaterializeRequest } from "@kahn/core";
import { digestSizeBytes, FileSystemError } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import type { PackedBlob } from "./pack-set.ts";
import type { StoreContext } from "./store-context.ts";
import { BLOB_MODE, EXECUTABLE_MODE } from "./store-context.ts";
import { parentOf } from "./store-layout.ts";

/** Modes of copies, which a person or tool may write to. */
const COPY_MODE = 0o644;
const EXECUTABLE_COPY_MODE = 0o755;

/** Makes files for one call. */
export class Materialization {
  readonly #context: StoreContext;
  readonly #engineOf: (digest: Digest) => HashEngine;

  constructor(context: StoreContext, engineOf: (digest: Digest) => HashEngine) {
    this.#context = context;
    this.#engineOf = engineOf;
  }

  /** One outcome for each request. @throws FileSystemError when a destination cannot be written. */
  make(requests: readonly MaterializeRequest[]): MaterializeOutcome[] {
    const outcomes = this.#makePacked(requests);
    const open = requests.map((_, index) => index).filter((index) => outcomes[index] !== "done");
    if (open.length === 0) return requests.map(() => "done");
    const rest = this.#makeFiles(open.map((index) => requests[index]!));
    open.forEach((index, at) => {
      // A corrupt copy in a pack is told, unless there was a sound one elsewhere.
      if (rest[at] !== "missing") outcomes[index] = rest[at]!;
    });
    return outcomes;
  }

  /** Copies what is in packs; everything else is `missing`. */
  #makePacked(requests: readonly MaterializeRequest[]): MaterializeOutcome[] {
    const outcomes: MaterializeOutcome[] = requests.map(() => "missing");
    let open = requests.map((_, index) => index).filter((index) => requests[index]!.how === "copy");
    // Another turn when a pack was rewritten meanwhile, or to find another copy of a corrupt blob.
    while (open.length > 0) {
      const digests = open.map((index) => requests[index]!.digest);
      const found = this.#context.packs.findMany(digests, this.#engineOf);
      const again: number[] = [];
      for (const [engine, at] of this.#byEngine(found)) {
        const blobs = at.map((index) => found[index]!);
        this.#context.packs.of(engine).readMany(blobs, (index, read) => {
          const request = open[at[index]!]!;
          if (typeof read !== "string") {
            this.#writeCopy(requests[request]!, read);
            outcomes[request] = "done";
            return;
          }
          if (read === "corrupt") outcomes[request] = "corrupt";
          again.push(request);
        });
      }
      open = again;
    }
    return outcomes;
  }

  /** Indices of the blobs that were found, by engine. */
  #byEngine(found: readonly (PackedBlob | undefined)[]): Map<HashEngine, number[]> {
    const engines = new Map<HashEngine, number[]>();
    found.forEach((blob, index) => {
      if (blob === undefined) return;
      const engine = this.#engineOf(blob.digest);
      const indices = engines.get(engine);
      if (indices === undefined) engines.set(engine, [index]);
      else indices.push(index);
    });
    return engines;
  }

  /** Replaces the name by a new inode, as a copy of a file does. */
  #writeCopy(request: MaterializeRequest, bytes: Uint8Array): void {
    const { fs, publisher } = this.#context;
    const { path } = request;
    const attempt = () => fs.writeFile(path, bytes, { mode: copyMode(request), exclusive: true });
    try {
      try {
        attempt();
      } catch (error) {
        if (!(error instanceof FileSystemError) || error.code !== "EEXIST") throw error;
        if (fs.lstat(path)?.kind === "directory") throw error;
        fs.remove(path);
        attempt();
      }
    } catch (error) {
      // The name was free and the write was refused: nothing half-written is left.
      if (error instanceof FileSystemError && error.code !== "EEXIST") publisher.discard(path);
      throw error;
    }
  }

  #makeFiles(requests: readonly MaterializeRequest[]): MaterializeOutcome[] {
    const { fs } = this.#context;
    const paths = requests.map((request) => this.#blobPath(request));
    const stats = fs.statMany(paths);
    const outcomes: MaterializeOutcome[] = [];
    const copies: CopyRequest[] = [];
    const links: CopyRequest[] = [];
    const indices: number[] = [];
    requests.forEach((request, index) => {
      const verdict = this.#prepare(request, paths[index]!, stats[index]);
      outcomes.push(verdict === "usable" ? "done" : verdict);
      if (verdict !== "usable") return;
      const file = { from: paths[index]!, to: request.path, mode: copyMode(request) };
      indices.push(index);
      (request.how === "link" ? links : copies).push(file);
    });
    try {
      if (copies.length > 0) fs.copyMany(copies);
      if (links.length > 0) fs.linkMany(links);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      for (const index of indices) outcomes[index] = this.#makeOne(requests[index]!, paths[index]!);
    }
    return outcomes;
  }

  /** Sees to it that the blob is there in the variant that is wanted. */
  #prepare(request: MaterializeRequest, path: string, stat: FileStat | undefined): MaterializeOutcome | "usable" {
    const { digest } = request;
    const { check, fs } = this.#context;
    const engine = this.#engineOf(digest);
    const verdict = check.verdict(digest, path, { stat, engine });
    if (verdict !== "missing") {
      // A `chmod` of a linked file reaches the blob.
      const wanted = path.endsWith("x") ? EXECUTABLE_MODE : BLOB_MODE;
      if (verdict === "usable" && request.how === "link" && stat?.mode !== wanted) fs.chmod(path, wanted);
      return verdict;
    }
    return this.#makeVariant(digest, path, engine);
  }

  /** Makes one variant of a blob from the other. */
  #makeVariant(digest: Digest, path: string, engine: HashEngine): MaterializeOutcome | "usable" {
    const { check, fs, layout } = this.#context;
    const mode = path.endsWith("x") ? EXECUTABLE_MODE : BLOB_MODE;
    const other = layout.blob(digest, mode === BLOB_MODE);
    const verdict = check.verdict(digest, other, { stat: fs.lstat(other), engine });
    if (verdict === "missing") return this.#unpack(digest, path, engine);
    if (verdict !== "usable") return verdict;
    this.#context.publishBlob((to) => fs.copyFile({ from: other, to, mode }), path, digestSizeBytes(digest));
    return "usable";
  }

  /** Makes a packed blob a file of the store, for links. */
  #unpack(digest: Digest, path: string, engine: HashEngine): MaterializeOutcome | "usable" {
    const { fs, packs } = this.#context;
    const bytes = packs.of(engine).read(digest);
    if (bytes === undefined) return "missing";
    if (bytes === "corrupt") return "corrupt";
    const mode = path.endsWith("x") ? EXECUTABLE_MODE : BLOB_MODE;
    this.#context.publishBlob((to) => fs.writeFile(to, bytes, { mode }), path, bytes.byteLength);
    return "usable";
  }

  #makeOne(request: MaterializeRequest, blob: string): MaterializeOutcome {
    const { fs } = this.#context;
    try {
      if (request.how === "link") this.#linkOne(request, blob);
      else fs.copyFile({ from: blob, to: request.path, mode: copyMode(request) });
      return "done";
    } catch (error) {
      // Gone since its `lstat`, though it may be back by now: collected as garbage. Anything else is the destination's
      // trouble.
      const isPlaceThere = fs.lstat(parentOf(request.path)) !== undefined;
      if (error instanceof FileSystemError && error.code === "ENOENT" && isPlaceThere) return "missing";
      throw error;
    }
  }

  #linkOne(request: MaterializeRequest, blob: string): void {
    const { fs } = this.#context;
    try {
      fs.link(blob, request.path);
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code === "ENOENT") throw error;
      if (error.code === "EEXIST") {
        fs.remove(request.path);
        this.#linkOne(request, blob);
        return;
      }
      // Another device, or an inode with as many names as it may have: a read-only copy is the next best.
      fs.copyFile({ from: blob, to: request.path, mode: request.executable ? EXECUTABLE_MODE : BLOB_MODE });
    }
  }

  #blobPath({ digest, how, executable }: MaterializeRequest): string {
    return this.#context.layout.blob(digest, how === "link" && executable);
  }
}

function copyMode({ executable }: MaterializeRequest): number {
  return executable ? EXECUTABLE_COPY_MODE : COPY_MODE;
}
