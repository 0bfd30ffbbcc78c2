/**
 * Where things are in a store.
 *
 *   format                    version of this layout
 *   cas/<fn>/ab/<hash>        a blob, mode 0444
 *   cas/<fn>/ab/<hash>x       the same bytes as an executable inode, mode 0555: hard links share their inode's mode
 *   cas/<fn>/packs/<name>.pack   small blobs, one file per process or merged: see pack-format.ts; .idx beside it
 *   ac/<fn>/a/<hash>          an action result; sixteen folders, because a first run makes all of them
 *   ac/packs/<name>.pack      small action results of a process that serves others: see record-packs.ts
 *   tmp/<random>-<n>          being written; renamed when whole
 *   use/<segment>             uses and epochs, one file per process: see use-segment.ts
 *   quarantine/<fn>-<hash>-<random>   found corrupt
 *   size                      lines of byte counts whose sum is the estimated size
 *   gc.lock, gc.last          who collects garbage, and when that was last done
 *
 * Invariant: a path is made of a digest's parts only, which are hex and a known name: no input can leave the store.
 */
import type { Digest, DigestFunction, Random } from "@kahn/core";
import { randomHex } from "@kahn/core";

/** The name of the directory of packs, beside those of single files. */
export const PACKS = "packs";

/** Paths of one store. */
export class StoreLayout {
  readonly root: string;
  readonly #names: string;
  #counter = 0;

  constructor(root: string, random: Random) {
    this.root = root;
    this.#names = randomHex(random, 16);
  }

  get format(): string {
    return `${this.root}/format`;
  }

  get blobs(): string {
    return `${this.root}/cas`;
  }

  get records(): string {
    return `${this.root}/ac`;
  }

  get temporary(): string {
    return `${this.root}/tmp`;
  }

  get uses(): string {
    return `${this.root}/use`;
  }

  get quarantine(): string {
    return `${this.root}/quarantine`;
  }

  get size(): string {
    return `${this.root}/size`;
  }

  get collectorLock(): string {
    return `${this.root}/gc.lock`;
  }

  get lastCollection(): string {
    return `${this.root}/gc.last`;
  }

  /** A blob's file; `executable` asks for the variant with the executable bit. */
  blob(digest: Digest, executable = false): string {
    return `${this.root}/cas/${shard(digest)}${executable ? "x" : ""}`;
  }

  /** The directory of packs of one digest function. */
  packs(fn: DigestFunction): string {
    return `${this.root}/cas/${fn}/${PACKS}`;
  }

  record(action: Digest): string {
    return `${this.root}/ac/${shard(action, 1)}`;
  }

  /** The directory of packs of records. */
  get recordPacks(): string {
    return `${this.root}/ac/${PACKS}`;
  }

  /** A name that nobody has used or will use. */
  newTemporary(): string {
    return `${this.root}/tmp/${this.#names}-${this.#counter++}`;
  }

  newQuarantine(digest: Digest): string {
    return `${this.root}/quarantine/${shard(digest).replaceAll("/", "-")}-${this.#names}-${this.#counter++}`;
  }
}

/** `sha256/ab/ab12…`, or with one digit `sha256/a/ab12…` */
function shard(digest: Digest, digits = 2): string {
  const colon = digest.indexOf(":");
  const slash = digest.lastIndexOf("/");
  return `${digest.slice(0, colon)}/${digest.slice(colon + 1, colon + 1 + digits)}/${digest.slice(colon + 1, slash)}`;
}

/** Everything before the last slash. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
