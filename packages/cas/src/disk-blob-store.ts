/**
 * Blobs as files of a directory that any number of processes share without a lock: small ones in packs
 * (`internal/pack-format.ts`), each other one in its own.
 *
 * Invariant: what comes out of a pack was hashed just now. Under a blob's final name there are whole bytes of that digest, or somebody
 *            damaged them later; damage is found when the stat shows it (`internal/stamp.ts`), when an unclean epoch casts doubt, and by `verifyStore`.
 * Never:     rewrites a blob that is there, or gives out one that it has reason to doubt without hashing it.
 * Cost:      see `README.md` for numbers; a restored file costs one `lstat` of the blob and one copy.
 */
import type {
  BlobStore,
  Digest,
  FileStat,
  IngestRequest,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
import { digestFunction, problem } from "@kahn/core";
import type { HashEngine } from "./hasher.ts";
import { Ingestion } from "./internal/ingestion.ts";
import { Materialization } from "./internal/materialization.ts";
import type { StoreContext } from "./internal/store-context.ts";
import { StoreFailure, storeResult } from "./internal/store-problem.ts";

/** The blobs of an open disk store. Made by `openDiskStore`. */
export class DiskBlobStore implements BlobStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  findMissing(digests: readonly Digest[]): Promise<Result<Digest[], StoreProblem>> {
    return storeResult(async () => {
      const engines = await this.#context.engines.forDigests(digests);
      const { fs, layout, packs } = this.#context;
      const packed = packs.findMany(digests, engines);
      for (const blob of packed) if (blob !== undefined) packs.noteUse(blob);
      const others = digests.filter((_, index) => packed[index] === undefined);
      const stats = fs.statMany(others.map((digest) => layout.blob(digest)));
      return others.filter((digest, index) => !this.#isPresent(digest, stats[index], engines(digest)));
    });
  }

  read(digest: Digest): Promise<Result<Uint8Array | undefined, StoreProblem>> {
    return storeResult(async () => {
      const engine = (await this.#context.engines.forDigests([digest]))(digest);
      const { fs, layout, check, packs } = this.#context;
      const packed = packs.of(engine).read(digest);
      if (packed !== undefined && packed !== "corrupt") return packed;
      for (const path of [layout.blob(digest), layout.blob(digest, true)]) {
        const bytes = fs.readFile(path);
        if (bytes === undefined) continue;
        if (engine.digest(bytes) === digest) return bytes;
        check.recheck(digest, path, engine);
      }
      return undefined;
    });
  }

  write(digest: Digest, bytes: Uint8Array): Promise<Result<void, StoreProblem>> {
    return storeResult(async () => {
      const engine = (await this.#context.engines.forDigests([digest]))(digest);
      const found = engine.digest(bytes);
      if (found !== digest) throw new StoreFailure(mismatch(digest, found));
      const { fs, layout, packs } = this.#context;
      const packed = packs.of(engine).find(digest);
      if (packed !== undefined) packs.noteUse(packed);
      if (packed !== undefined || this.#isPresent(digest, fs.lstat(layout.blob(digest)), engine)) return;
      if (bytes.byteLength <= packs.packedMaxBytes) packs.append(engine, [{ digest, bytes }]);
      else this.#context.writeBlob(layout.blob(digest), bytes);
    });
  }

  ingest(requests: readonly IngestRequest[]): Promise<Result<Digest[], StoreProblem>> {
    return storeResult(async () => {
      const fns = requests.map(({ expected }) =>
        expected === undefined ? this.#context.digestFunction : digestFunction(expected),
      );
      const engines = await this.#context.engines.forFunctions(fns);
      const ingestion = new Ingestion(this.#context);
      const digests = requests.map((request, index) => ingestion.take(request, engines(fns[index]!)));
      ingestion.flush();
      return digests;
    });
  }

  materialize(requests: readonly MaterializeRequest[]): Promise<Result<MaterializeOutcome[], StoreProblem>> {
    return storeResult(async () => {
      const engines = await this.#context.engines.forDigests(requests.map(({ digest }) => digest));
      return new Materialization(this.#context, engines).make(requests);
    });
  }

  #isPresent(digest: Digest, stat: FileStat | undefined, engine: HashEngine): boolean {
    const { fs, layout, check } = this.#context;
    const plain = layout.blob(digest);
    if (check.verdict(digest, plain, { stat, engine }) === "usable") {
      if (stat !== undefined) check.noteUse(plain, stat);
      return true;
    }
    const executable = layout.blob(digest, true);
    const variant = fs.lstat(executable);
    if (check.verdict(digest, executable, { stat: variant, engine }) !== "usable") return false;
    if (variant !== undefined) check.noteUse(executable, variant);
    return true;
  }
}

function mismatch(digest: Digest, found: Digest): StoreProblem {
  return problem("blob-mismatch", `bytes that were sent as ${digest} are ${found}`, {
    next: "Send them again; if it happens again, the sender's memory, disk or connection is at fault.",
  });
}
