/**
 * Journals as folders of files: `<directory>/<id>/000001.log`, `000002.log`, … and `<seq>.snapshot`.
 *
 * Owns:      names and folders, and what is done once when a journal is opened.
 * Never:     opens a journal that it does not understand completely, and never changes one that it refuses.
 * Invariant: an id that is not of the alphabet names nothing, so no id leads out of the directory.
 * Note:      on Linux's and macOS's usual file systems flushing a new file also makes its name durable, and nothing
 *            more than that is done for names.
 */
import type { Clock, FileSystem, Journal, JournalProblem, JournalRecord, JournalStore, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import { FileJournal, mend } from "./file-journal.ts";
import { FlushPace } from "./internal/flush-pace.ts";
import { encodeSeal, encodeSegmentHeader, FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from "./internal/frame.ts";
import { readLog } from "./internal/log-reader.ts";
import { corrupt, formatNewer, guarded, missing } from "./internal/problems.ts";
import { recover, segmentNumbers } from "./internal/recovery.ts";
import type { Segment } from "./internal/segment.ts";
import { readSegmentHeader, segmentPath } from "./internal/segment.ts";
import { removeSnapshotsAfter } from "./internal/snapshots.ts";

/** Where journals are kept. */
export interface FileJournalStoreOptions {
  readonly fs: FileSystem;
  /** Absolute; made when the first journal is. */
  readonly directory: string;
  /** Size at which a journal goes on in a new file; default 16 MiB. */
  readonly segmentBytes?: number;
  /**
   * Lets quick flushes of a journal that is alone in flushing be done in place, which holds up the thread for less than
   * a millisecond each and saves the way through the thread pool. Left out, none is.
   */
  readonly clock?: Pick<Clock, "monotonicMs">;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Makes the store. Touches nothing until it is used. */
export function fileJournalStore(options: FileJournalStoreOptions): JournalStore {
  return new FileJournalStore(options);
}

class FileJournalStore implements JournalStore {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #pace: FlushPace | undefined;

  constructor({ fs, directory, segmentBytes = SEGMENT_BYTES, clock }: FileJournalStoreOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#pace = clock === undefined ? undefined : new FlushPace(clock);
  }

  create(id: string): Result<Journal, JournalProblem> {
    if (!isJournalId(id)) return err(invalidId(id));
    return guarded(`Creating journal "${id}"`, () => {
      const path = segmentPath(this.#folder(id), 1);
      this.#fs.makeDirectory(this.#folder(id));
      try {
        this.#fs.writeFile(path, encodeSegmentHeader(1), { exclusive: true });
      } catch (error) {
        if (!(error instanceof FileSystemError)) throw error;
        if (error.code === "EEXIST") return err(exists(id, this.#directory));
        // A refused write may have left part of a header. More than that was there before and is not ours to remove.
        if ((this.#fs.lstat(path)?.sizeBytes ?? 0) < SEGMENT_HEADER_BYTES) this.#fs.remove(path);
        throw error;
      }
      return this.open(id);
    });
  }

  open(id: string, { fence = false }: { readonly fence?: boolean } = {}): Result<Journal, JournalProblem> {
    if (!isJournalId(id)) return err(invalidId(id));
    const folder = this.#folder(id);
    return guarded(`Opening journal "${id}"`, () => {
      const recovered = recover(this.#fs, { folder, id, directory: this.#directory });
      if (!recovered.ok) return recovered;
      for (const path of recovered.value.blankPaths) this.#fs.remove(path);
      removeSnapshotsAfter(this.#fs, folder, recovered.value.lastSeq);
      const handle = this.#fs.openAppend(recovered.value.segments.at(-1)!.path);
      try {
        const options = { fs: this.#fs, id, folder, segmentBytes: this.#segmentBytes, pace: this.#pace };
        // What a writer that still lives has added since is not cut: the seal finds it.
        const isWhole = recovered.value.tornTail === undefined && !recovered.value.needsHeader;
        const mended = fence && isWhole ? recovered.value : mend(recovered.value, handle);
        if (!fence || mended.isSealed) return ok(new FileJournal(options, mended, handle));
        const sealedBytes = handle.append(encodeSeal());
        if (sealedBytes === mended.sizeBytes + FRAME_HEADER_BYTES)
          return ok(new FileJournal(options, { ...mended, isSealed: true }, handle));
      } catch (error) {
        handle.close();
        throw error;
      }
      // The writer that is being shut out got one more record in before the seal: it counts.
      handle.close();
      return this.open(id);
    });
  }

  peek(id: string, fromSeq = 1): Result<Iterable<JournalRecord>, JournalProblem> {
    if (!isJournalId(id)) return err(invalidId(id));
    const fs = this.#fs;
    const folder = this.#folder(id);
    return guarded<Iterable<JournalRecord>>(`Reading journal "${id}"`, () => {
      const segments: Segment[] = [];
      for (const number of segmentNumbers(fs, folder)) {
        const path = segmentPath(folder, number);
        const header = readSegmentHeader(fs, path);
        if (header.kind === "newer") return err(formatNewer(path, `format ${header.format}`));
        if (header.kind === "corrupt") return err(corrupt(path, 0, "its header is not that of a journal"));
        if (header.kind === "torn") break;
        segments.push({ number, path, firstSeq: header.firstSeq });
      }
      if (segments.length > 0) return ok({ [Symbol.iterator]: () => readLog({ fs, folder, segments, fromSeq }) });
      // The folder is made before the header is whole: empty, not missing.
      return segmentNumbers(fs, folder).length > 0 ? ok([]) : err(missing(id, this.#directory));
    });
  }

  list(): string[] {
    const names = (this.#fs.readDirectory(this.#directory) ?? []).map((entry) => entry.name);
    return names.filter((name) => isJournalId(name) && this.#fs.lstat(segmentPath(this.#folder(name), 1))).sort();
  }

  remove(id: string): void {
    if (!isJournalId(id)) return;
    // Renamed first: half a journal must not be found. The name is no id, and a crash leaves at most one of them.
    const doomed = `${this.#directory}/.removing`;
    this.#fs.removeTree(doomed);
    if (this.#fs.lstat(this.#folder(id)) === undefined) return;
    this.#fs.rename(this.#folder(id), doomed);
    this.#fs.removeTree(doomed);
  }

  #folder(id: string): string {
    return `${this.#directory}/${id}`;
  }
}

/** Whether a text can name a journal: 1–128 of `[A-Za-z0-9._-]`, the first not a dot. */
export function isJournalId(id: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(id);
}

function invalidId(id: string): JournalProblem {
  return problem("journal-id-invalid", `${JSON.stringify(id.slice(0, 200))} cannot be the name of a journal.`, {
    next: "Use 1 to 128 of the characters A-Z a-z 0-9 . _ - and no dot at the start.",
  });
}

function exists(id: string, directory: string): JournalProblem {
  return problem("journal-exists", `There is already a journal "${id}" in ${directory}.`, {
    next: "Open it, or choose another id.",
  });
}
