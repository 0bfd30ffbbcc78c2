/**
 * One process's part of the store's memory: which records it used, how much it wrote, and its epoch.
 *
 * Owns:      this process's segment (`internal/segment.ts`), made at the first use or write.
 * Invariant: a segment is on disk before the first blob of its epoch is; only after a sync that began after the last
 *            blob is it called closed.
 * Cost:      a use is one set insertion; the file is appended to at most once a second, or per 512 uses.
 */
import type { Clock, Digest, FileHandle, FileSystem, Random } from "@kahn/core";
import { FileSystemError, randomHex } from "@kahn/core";
import { bootKey, hostKey, listSegments, type Segment, segmentNameAs } from "./internal/segment.ts";
import type { StoreLayout } from "./internal/store-layout.ts";
import type { ProcessOwner } from "./process-owner.ts";

const PENDING_MAX = 512;
const FLUSH_EVERY_MS = 1000;

/** What a log stands on. */
export interface UseLogPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly layout: StoreLayout;
  readonly owner: ProcessOwner;
}

/** Blobs with stamps from `fromMs` to `toMs` may have been lost or torn when the machine went down. */
export interface DoubtfulSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Records uses and epochs of one process. */
export class UseLog {
  readonly #ports: UseLogPorts;
  /** Lines of the segment. */
  readonly #pending = new Set<string>();
  #segment: { readonly name: string; readonly handle: FileHandle } | undefined;
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  #wroteBytes = 0;
  #hasWritten = false;

  constructor(ports: UseLogPorts) {
    this.#ports = ports;
  }

  /** A record was read or written. */
  used(action: Digest): void {
    this.#note(`a ${action}`);
  }

  /** A packed blob was used on its own. */
  usedBlob(blob: Digest): void {
    this.#note(`b ${blob}`);
  }

  #note(line: string): void {
    this.#pending.add(line);
    const sinceMs = this.#ports.clock.monotonicMs() - this.#flushedAtMs;
    if (this.#pending.size >= PENDING_MAX || sinceMs >= FLUSH_EVERY_MS) this.flush();
  }

  /** A blob or record is about to be written: opens the epoch. */
  writing(): void {
    this.#hasWritten = true;
    this.#open();
  }

  /** `sizeBytes` were added to the store. */
  wrote(sizeBytes: number): void {
    this.#wroteBytes += sizeBytes;
  }

  /** Hands pending uses to the kernel. Advice only: a refusal is not an error, the uses are then forgotten. */
  flush(): void {
    if (this.#pending.size === 0) return;
    const lines = [`t ${this.#ports.clock.nowMs()}`, ...this.#pending];
    this.#pending.clear();
    this.#flushedAtMs = this.#ports.clock.monotonicMs();
    advice(() => {
      this.#open();
      this.#segment?.handle.append(Buffer.from(`${lines.join("\n")}\n`));
    });
  }

  /**
   * Ends the epoch. With `sync`, everything written to the file system so far is flushed first; every segment of this
   * boot whose process was done before the flush is closed with it. A later use opens a new segment.
   */
  async endEpoch(sync: boolean): Promise<void> {
    this.flush();
    const { fs, layout } = this.#ports;
    const segment = this.#segment;
    const needsSync = this.#hasWritten;
    this.#segment = undefined;
    this.#hasWritten = false;
    this.#countWritten();
    segment?.handle.close();
    const covered = sync && needsSync ? this.#endedHere() : [];
    if (sync && needsSync) await fs.syncAll(layout.root);
    advice(() => {
      if (segment !== undefined) {
        const state = needsSync && !sync ? "ended" : "closed";
        fs.rename(`${layout.uses}/${segment.name}`, `${layout.uses}/${segmentNameAs(segment.name, state)}`);
      }
      for (const name of covered) {
        fs.rename(`${layout.uses}/${name}`, `${layout.uses}/${segmentNameAs(name, "closed")}`);
      }
    });
  }

  /**
   * Finds epochs that a power loss left open: spans of time whose blobs must be hashed before use. The first process
   * that opens the store after the boot fixes the end of the span.
   */
  doubtfulSpans(): DoubtfulSpan[] {
    const { fs, layout, owner } = this.#ports;
    const spans: DoubtfulSpan[] = [];
    for (const segment of listSegments(fs, layout.uses)) {
      // Of another machine: that one's next start is the one to judge it.
      if (segment.host !== hostKey(owner) || segment.state === "closed") continue;
      if (segment.state !== "unclean" && segment.boot === bootKey(owner)) continue;
      const toMs = segment.foundMs ?? this.#endOfDoubt(segment);
      if (segment.foundMs === undefined) {
        const name = segmentNameAs(segment.name, `unclean-${toMs}`);
        advice(() => fs.rename(`${layout.uses}/${segment.name}`, `${layout.uses}/${name}`));
      }
      // Stamps are up to two seconds behind the clock.
      spans.push({ fromMs: segment.startMs - 2000, toMs });
    }
    return spans;
  }

  /**
   * Now. Or never, when the clock went back meanwhile, as it does where nothing keeps the time without power: stamps
   * then do not tell what was written before the machine went down from what was written after.
   */
  #endOfDoubt({ startMs }: Segment): number {
    const { fs, layout, clock } = this.#ports;
    const nowMs = clock.nowMs();
    let lastMs = startMs;
    // A blob's directory has the time at which the newest blob was put there.
    for (const { name: fn } of fs.readDirectory(layout.blobs) ?? []) {
      const shards = (fs.readDirectory(`${layout.blobs}/${fn}`) ?? []).map(
        ({ name }) => `${layout.blobs}/${fn}/${name}`,
      );
      for (const stat of fs.statMany(shards)) lastMs = Math.max(lastMs, stat?.mtimeMs ?? 0);
    }
    return lastMs > nowMs ? Number.MAX_SAFE_INTEGER : nowMs;
  }

  #endedHere(): string[] {
    const { fs, layout, owner } = this.#ports;
    return listSegments(fs, layout.uses)
      .filter(({ state, host, boot }) => state === "ended" && host === hostKey(owner) && boot === bootKey(owner))
      .map(({ name }) => name);
  }

  #countWritten(): void {
    if (this.#wroteBytes === 0) return;
    const { fs, layout } = this.#ports;
    const line = Buffer.from(`${this.#wroteBytes}\n`);
    this.#wroteBytes = 0;
    advice(() => {
      const handle = fs.openAppend(layout.size);
      try {
        handle.append(line);
      } finally {
        handle.close();
      }
    });
  }

  #open(): void {
    if (this.#segment !== undefined) return;
    const { fs, layout, clock, random, owner } = this.#ports;
    const startMs = clock.nowMs();
    const name = `${startMs}-${hostKey(owner)}-${bootKey(owner)}-${randomHex(random, 12)}.open`;
    fs.makeDirectory(layout.uses);
    const handle = fs.openAppend(`${layout.uses}/${name}`);
    this.#segment = { name, handle };
    handle.append(Buffer.from(`${JSON.stringify(owner)}\n`));
  }
}

/** Does what is useful but not needed; a refusal of the operating system is no reason to fail a build. */
function advice(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
