/**
 * Makes files of the work tree from blobs.
 *
 * Method: one `lstat` per blob, then all copies and all links in one call each. What is out of the ordinary (a blob
 *         that is there in the other variant only, a refused link, a blob that vanishes meanwhile) is done one by one.
 */
import type { CopyRequest, Digest, FileStat, MaterializeOutcome, MaterializeRequest } from "@kahn/core";
import { digestSizeBytes, FileSystemError } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import type { StoreContext } from "./store-context.ts";
import { BLOB_MODE, EXECUTABLE_MODE } from "./store-context.ts";

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
    if (verdict !== "usable") return verdict;
    this.#context.publishBlob((to) => fs.copyFile({ from: other, to, mode }), path, digestSizeBytes(digest));
    return "usable";
  }

  #makeOne(request: MaterializeRequest, blob: string): MaterializeOutcome {
    const { fs } = this.#context;
    try {
      if (request.how === "link") this.#linkOne(request, blob);
      else fs.copyFile({ from: blob, to: request.path, mode: copyMode(request) });
      return "done";
    } catch (error) {
      // Gone since its `lstat`: collected as garbage. Anything else is the destination's trouble.
      if (error instanceof FileSystemError && error.code === "ENOENT" && fs.lstat(blob) === undefined) return "missing";
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
