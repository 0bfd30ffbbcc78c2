/**
 * Everything an action reads, by digest: so that all that lacks is named at once, and none of it is collected while the
 * action waits or runs.
 *
 * Owns:      the walk over `Directory` messages, and the memory of those seen.
 * Never:     judges names or sizes of trees: the runner does, before it makes a file.
 * Invariant: what is pinned is pinned before it is looked for, so nothing that was found can go.
 */
import type { Digest, Directory } from "@kahn/core";
import { DIRECTORY_MAX_BYTES, decodeDirectory, digestFunction, readMessage } from "@kahn/core";
import { invalidArgument, missingBlobs, stored } from "../../reapi/requests/refusal.ts";
import type { Pin, ServerStore } from "../../store/server-store.ts";

/** Directories read at once. */
const READS_MAX = 16;
/** Directories are remembered until they have this many entries together; those used longest ago go first. */
const KNOWN_ENTRIES_MAX = 500_000;
/** A tree of more blobs than this is refused; the runner's own bound counts entries. */
const DIGESTS_MAX = 1_000_000;

interface KnownDirectory {
  readonly files: readonly Digest[];
  readonly directories: readonly Digest[];
}

/** Finds and holds what actions read. */
export class InputClosures {
  readonly #store: ServerStore;
  readonly #known = new Map<Digest, KnownDirectory>();
  #knownEntries = 0;

  constructor(store: ServerStore) {
    this.#store = store;
  }

  /**
   * Pins a tree and the digests beside it.
   *
   * @throws StatusError: FAILED_PRECONDITION with one violation for each blob that lacks, over the whole tree as far
   *         as it can be known; INVALID_ARGUMENT for a directory that is none.
   */
  async hold(root: Digest, beside: readonly Digest[]): Promise<Pin> {
    const tree = await this.#walk(root);
    const digests = [...beside, ...tree.digests];
    const pin = this.#store.pin(digests);
    try {
      const lacking = stored(
        await this.#store.blobs.findMissing(digests.filter((digest) => !tree.missing.has(digest))),
      );
      if (lacking.length + tree.missing.size > 0) throw missingBlobs([...tree.missing, ...lacking].sort());
      return pin;
    } catch (error) {
      pin.release();
      throw error;
    }
  }

  async #walk(root: Digest): Promise<{ readonly digests: ReadonlySet<Digest>; readonly missing: ReadonlySet<Digest> }> {
    const digests = new Set<Digest>([root]);
    const missing = new Set<Digest>();
    const open = [root];
    const take = (directory: KnownDirectory): void => {
      for (const file of directory.files) digests.add(file);
      for (const child of directory.directories) {
        if (!digests.has(child)) open.push(child);
        digests.add(child);
      }
    };
    while (open.length > 0) {
      const batch = open.splice(-READS_MAX);
      const found = await Promise.all(batch.map((digest) => this.#directory(digest)));
      for (const [index, directory] of found.entries()) {
        if (directory === undefined) missing.add(batch[index]!);
        else take(directory);
      }
      if (digests.size > DIGESTS_MAX) throw invalidArgument(`the input tree ${root} is too large`);
    }
    return { digests, missing };
  }

  async #directory(digest: Digest): Promise<KnownDirectory | undefined> {
    const known = this.#known.get(digest);
    if (known !== undefined) {
      this.#remember(digest, known);
      return known;
    }
    const message = stored(await readMessage(this.#store.blobs, digest, DIRECTORY_MAX_BYTES));
    if (message.kind === "missing") return undefined;
    if (message.kind === "too-large") throw invalidArgument(`${digest} is too large for a Directory`);
    const decoded = decodeDirectory(message.bytes, digestFunction(digest));
    if (!decoded.ok) throw invalidArgument(`${digest} is no Directory: ${decoded.problem.message}`);
    const directory = digestsOf(decoded.value);
    this.#remember(digest, directory);
    return directory;
  }

  #remember(digest: Digest, directory: KnownDirectory): void {
    if (!this.#known.delete(digest)) this.#knownEntries += weight(directory);
    this.#known.set(digest, directory);
    for (const [oldest, each] of this.#known) {
      if (this.#knownEntries <= KNOWN_ENTRIES_MAX) return;
      this.#known.delete(oldest);
      this.#knownEntries -= weight(each);
    }
  }
}

function digestsOf({ files, directories }: Directory): KnownDirectory {
  return {
    files: [...new Set(files.map(({ digest }) => digest))],
    directories: [...new Set(directories.map(({ digest }) => digest))],
  };
}

function weight({ files, directories }: KnownDirectory): number {
  return 1 + files.length + directories.length;
}
