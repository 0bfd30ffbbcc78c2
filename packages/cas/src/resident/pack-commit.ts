/**
 * Appends to packs in groups: what comes while one group is being flushed is one append to each pack, and one flush, after.
 *
 * Method:    a group that finds the device idle is what one round of the event loop brings; so a write waits for two
 *            flushes at most, and nobody waits for a clock. The packs of a group are flushed at the same time, which costs a
 *            journalling file system one commit. Nothing is appended during a flush: such an append waits in the kernel, and
 *            holds everybody up.
 * Invariant: `stored` resolves when all of its appends are as durable as promised and have been made known, in their order;
 *            when it rejects, some have not. After a crash any of them may be there, or none.
 */
import type { Clock, FileSystem } from "@kahn/core";
import { sleep } from "@kahn/core";
import type { Pack } from "../internal/pack.ts";
import type { PackItem } from "../internal/pack-format.ts";
import { packedBytes } from "../internal/pack-format.ts";
import type { PackSet } from "../internal/pack-set.ts";
import type { WriteDurability } from "./group-commit.ts";
import { NameFlushes } from "./name-flushes.ts";
import type { Room } from "./room.ts";

/** Packs of one kind. */
export interface Appender {
  readonly set: PackSet;
  /** Appends in one call. @throws FileSystemError */
  append(items: readonly PackItem[]): Pack;
}

/** One thing to be stored. */
export interface PackAppend {
  readonly to: Appender;
  readonly item: PackItem;
  /** Called when it is durable. */
  readonly publish: (pack: Pack) => void;
}

/** What a commit stands on. */
export interface PackCommitPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly durability: WriteDurability;
  readonly room: Room;
}

interface Waiting {
  readonly appends: readonly PackAppend[];
  readonly sizeBytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What of a group goes to one kind of packs, and what became of it. */
interface Batch {
  readonly items: PackItem[];
  outcome: { readonly kind: "appended"; readonly pack: Pack } | { readonly kind: "failed"; readonly error: unknown };
}

const GROUP_MAX = 256;

/** Groups of appends of one store. */
export class PackCommit {
  readonly #ports: PackCommitPorts;
  readonly #names: NameFlushes;
  /** Packs whose names have been flushed. */
  readonly #named = new WeakSet<Pack>();
  readonly #committing = new Set<Promise<void>>();
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(ports: PackCommitPorts) {
    this.#ports = ports;
    this.#names = new NameFlushes(ports.fs);
  }

  /** Stores things together. @throws FileSystemError, LimitFailure */
  async stored(appends: readonly PackAppend[]): Promise<void> {
    let sizeBytes = 0;
    for (const { to, item } of appends) sizeBytes += packedBytes(item.bytes.byteLength, to.set.ports.hashBytes);
    await this.#ports.room.reserve(sizeBytes);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ appends, sizeBytes, resolve, reject });
      if (this.#ports.durability === "strict") void this.#commit(this.#waiting.splice(0));
      else this.#running ??= this.#run();
    });
  }

  /** Resolves when all that packs have got by now is known. */
  async known(): Promise<void> {
    await Promise.all([...this.#committing]);
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#committing.size > 0) {
      await this.#running;
      await this.known();
    }
  }

  async #run(): Promise<void> {
    do {
      // What one round of the event loop brings is one group: a device that is quick would get each by itself.
      await sleep(this.#ports.clock, 0);
      await this.#commit(this.#waiting.splice(0, GROUP_MAX));
    } while (this.#waiting.length > 0);
    this.#running = undefined;
  }

  /** Never rejects: those who wait hear of trouble. */
  async #commit(group: readonly Waiting[]): Promise<void> {
    const done = this.#commitGroup(group);
    this.#committing.add(done);
    await done;
    this.#committing.delete(done);
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    const batches = appended(group);
    // From now on the bytes count as those of packs.
    for (const { sizeBytes } of group) this.#ports.room.release(sizeBytes);
    if (this.#ports.durability !== "none") {
      await Promise.all([...batches].map(([to, batch]) => this.#flush(to, batch)));
    }
    for (const each of group) settle(each, batches);
  }

  async #flush(to: Appender, batch: Batch): Promise<void> {
    if (batch.outcome.kind === "failed") return;
    const { pack } = batch.outcome;
    try {
      await to.set.sync(pack);
      if (this.#named.has(pack)) return;
      await this.#names.flush(to.set.ports.directory);
      this.#named.add(pack);
    } catch (error) {
      batch.outcome = { kind: "failed", error };
    }
  }
}

/** One append for each kind of packs. */
function appended(group: readonly Waiting[]): ReadonlyMap<Appender, Batch> {
  const items = new Map<Appender, PackItem[]>();
  for (const { appends } of group) {
    for (const { to, item } of appends) {
      const some = items.get(to);
      if (some === undefined) items.set(to, [item]);
      else some.push(item);
    }
  }
  const batches = new Map<Appender, Batch>();
  for (const [to, some] of items) batches.set(to, { items: some, outcome: outcomeOf(() => to.append(some)) });
  return batches;
}

function outcomeOf(append: () => Pack): Batch["outcome"] {
  try {
    return { kind: "appended", pack: append() };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function settle({ appends, resolve, reject }: Waiting, batches: ReadonlyMap<Appender, Batch>): void {
  try {
    const packs = appends.map(({ to }) => packOf(batches.get(to)!));
    for (const [index, { publish }] of appends.entries()) publish(packs[index]!);
    resolve();
  } catch (error) {
    reject(error);
  }
}

function packOf({ outcome }: Batch): Pack {
  if (outcome.kind === "failed") throw outcome.error;
  return outcome.pack;
}
