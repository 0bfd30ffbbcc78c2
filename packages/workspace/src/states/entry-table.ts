/**
 * What is known of names in the work tree, one row per name, in typed arrays.
 *
 * Owns:      the columns, their growth, and the comparison of a row with a fresh `lstat`.
 * Never:     knows a name's text or directory: rows are numbered, `Directory` holds the names.
 * Invariant: a row with `HAS_DIGEST` holds the digest of a regular file whose stat is in the same row.
 *
 * Typed arrays because a workspace has tens of thousands of rows: 75 bytes each, read from disk in one piece.
 */
import type { Digest, FileStat, NativeDigestFunction } from "@kahn/core";
import { digestHash, HEX_LENGTH } from "@kahn/core";

/** What a row's name is; `unknown` until it was looked at, `absent` when it was not there. */
export type EntryKind = "unknown" | "file" | "directory" | "symlink" | "other" | "absent";

const KINDS: readonly EntryKind[] = ["unknown", "file", "directory", "symlink", "other", "absent"];
const KIND_MASK = 0b111;
const HAS_DIGEST = 1 << 3;
/** The file had been quiet for longer than the clock's granularity when it was hashed: see `isSettled`. */
const SETTLED = 1 << 4;
/** The file shares its inode with the store: its ctime means nothing. */
const LINKED = 1 << 5;
const VERDICT_SHIFT = 6;

/** Whether ignore rules leave a name in the default inputs. */
export type Verdict = "unknown" | "included" | "ignored";
const VERDICTS: readonly Verdict[] = ["unknown", "included", "ignored"];

/** Columns of `numbers`, in this order: mtime, ctime, inode, device, size. */
const WIDTH = 5;

const HEX = "0123456789abcdef";

/** The table's arrays as they lie in the index file. Lengths may exceed the number of rows. */
export interface EntryColumns {
  numbers: Float64Array;
  modes: Uint16Array;
  flags: Uint8Array;
  digests: Buffer;
}

/** A buffer with the method behind `toString("latin1")`, which the types leave out: half the cost for short texts. */
type LatinBuffer = Buffer & { latin1Slice(start: number, end: number): string };

/** Rows of names. */
export class EntryTable {
  readonly #fn: NativeDigestFunction;
  readonly #digestBytes: number;
  #columns: EntryColumns;
  #size: number;
  /** `sha256:` and room for hash and size. */
  readonly #digestText: LatinBuffer;
  readonly #digestHead: number;

  /** Takes over arrays that hold `size` rows. */
  constructor(fn: NativeDigestFunction, size = 0, columns: EntryColumns = noColumns()) {
    this.#fn = fn;
    this.#digestBytes = digestBytesOf(fn);
    this.#columns = columns;
    this.#size = size;
    this.#digestHead = fn.length + 1;
    this.#digestText = Buffer.alloc(this.#digestHead + HEX_LENGTH[fn] + 20) as LatinBuffer;
    this.#digestText.write(`${fn}:`, "latin1");
  }

  get size(): number {
    return this.#size;
  }

  get columns(): EntryColumns {
    return this.#columns;
  }

  /** Adds a row about which at most the kind is known. */
  add(kind: EntryKind): number {
    const id = this.#size++;
    if (id === this.#columns.flags.length) this.#grow();
    this.#columns.flags[id] = KINDS.indexOf(kind);
    return id;
  }

  kind(id: number): EntryKind {
    return KINDS[this.#columns.flags[id]! & KIND_MASK]!;
  }

  /** Sets the kind; forgets content and verdict when it is another one. */
  setKind(id: number, kind: EntryKind): void {
    const code = KINDS.indexOf(kind);
    if ((this.#columns.flags[id]! & KIND_MASK) !== code) this.#columns.flags[id] = code;
  }

  verdict(id: number): Verdict {
    return VERDICTS[this.#columns.flags[id]! >> VERDICT_SHIFT]!;
  }

  setVerdict(id: number, verdict: Verdict): void {
    const { flags } = this.#columns;
    flags[id] = (flags[id]! & ~(0b11 << VERDICT_SHIFT)) | (VERDICTS.indexOf(verdict) << VERDICT_SHIFT);
  }

  /** True when the row's digest is still that of the file with this stat, by the trust rule. */
  isCurrent(id: number, stat: FileStat): boolean {
    const { flags, numbers, modes } = this.#columns;
    const flag = flags[id]!;
    if ((flag & (HAS_DIGEST | SETTLED)) !== (HAS_DIGEST | SETTLED)) return false;
    const at = id * WIDTH;
    return (
      numbers[at] === stat.mtimeMs &&
      numbers[at + 2] === stat.ino &&
      numbers[at + 4] === stat.sizeBytes &&
      numbers[at + 3] === stat.dev &&
      (numbers[at + 1] === stat.ctimeMs || (flag & LINKED) !== 0) &&
      modes[id] === stat.mode &&
      stat.kind === "file"
    );
  }

  /** Records a file's content and stat. Digests of another function than the table's are not kept. */
  setFile(id: number, file: { digest: Digest; stat: FileStat; settled: boolean; linked: boolean }): void {
    const { flags, numbers, modes, digests } = this.#columns;
    const { stat, digest } = file;
    const at = id * WIDTH;
    numbers[at] = stat.mtimeMs;
    numbers[at + 1] = stat.ctimeMs;
    numbers[at + 2] = stat.ino;
    numbers[at + 3] = stat.dev;
    numbers[at + 4] = stat.sizeBytes;
    modes[id] = stat.mode;
    const isKept = digest.startsWith(`${this.#fn}:`);
    if (isKept) digests.write(digestHash(digest), id * this.#digestBytes, "hex");
    const verdict = flags[id]! & (0b11 << VERDICT_SHIFT);
    flags[id] =
      KINDS.indexOf("file") |
      (isKept ? HAS_DIGEST : 0) |
      (file.settled ? SETTLED : 0) |
      (file.linked ? LINKED : 0) |
      verdict;
  }

  /** Trusts no file that changed at `sinceMs` or later, by either of its times, before it is read again. */
  unsettleSince(sinceMs: number): void {
    const { flags, numbers } = this.#columns;
    for (let id = 0; id < this.#size; id++) {
      const changedMs = Math.max(numbers[id * WIDTH]!, numbers[id * WIDTH + 1]!);
      if (changedMs >= sinceMs) flags[id] = flags[id]! & ~SETTLED;
    }
  }

  /** True when the row is a file known to share its inode with the store. */
  isLinked(id: number): boolean {
    return (this.#columns.flags[id]! & LINKED) !== 0;
  }

  /** True when a digest is known, trusted or not. */
  hasDigest(id: number): boolean {
    return (this.#columns.flags[id]! & HAS_DIGEST) !== 0;
  }

  /** The digest of a row that has one. */
  digest(id: number): Digest {
    const width = this.#digestBytes;
    const { digests, numbers } = this.#columns;
    const text = this.#digestText;
    // Written out by hand: one flat string, where `makeDigest` would leave a chain of five for each of many files.
    let end = this.#digestHead;
    for (let at = id * width; at < (id + 1) * width; at++) {
      const byte = digests[at]!;
      text[end++] = HEX.charCodeAt(byte >> 4);
      text[end++] = HEX.charCodeAt(byte & 15);
    }
    text[end++] = 47;
    let size = numbers[id * WIDTH + 4]!;
    let places = 1;
    for (let limit = 10; size >= limit; limit *= 10) places++;
    for (let place = end + places - 1; place >= end; place--) {
      text[place] = 48 + (size % 10);
      size = Math.floor(size / 10);
    }
    return text.latin1Slice(0, end + places) as Digest;
  }

  isExecutable(id: number): boolean {
    return (this.#columns.modes[id]! & 0o111) !== 0;
  }

  /** Copies `count` rows from row `first` on into other columns, from row `to` on; these must be long enough. */
  copyRows(first: number, count: number, target: { readonly columns: EntryColumns; readonly to: number }): void {
    const { flags, numbers, modes, digests } = this.#columns;
    const { columns, to } = target;
    const width = this.#digestBytes;
    columns.numbers.set(numbers.subarray(first * WIDTH, (first + count) * WIDTH), to * WIDTH);
    columns.modes.set(modes.subarray(first, first + count), to);
    columns.flags.set(flags.subarray(first, first + count), to);
    columns.digests.set(digests.subarray(first * width, (first + count) * width), to * width);
  }

  #grow(): void {
    const wanted = Math.max(256, Math.ceil(this.#columns.flags.length * 1.5));
    const { numbers, modes, flags, digests } = this.#columns;
    this.#columns = makeColumns(this.#fn, wanted);
    this.#columns.numbers.set(numbers);
    this.#columns.modes.set(modes);
    this.#columns.flags.set(flags);
    this.#columns.digests.set(digests);
  }
}

/** Bytes of one digest of a function. */
export function digestBytesOf(fn: NativeDigestFunction): number {
  return HEX_LENGTH[fn] / 2;
}

/** Empty columns for `size` rows. */
export function makeColumns(fn: NativeDigestFunction, size: number): EntryColumns {
  return {
    numbers: new Float64Array(size * WIDTH),
    modes: new Uint16Array(size),
    flags: new Uint8Array(size),
    digests: Buffer.alloc(size * digestBytesOf(fn)),
  };
}

/** Columns over one piece of memory, as the index file has them; `undefined` when it is too short. */
export function columnsOver(
  bytes: Uint8Array,
  place: { readonly offset: number; readonly size: number; readonly fn: NativeDigestFunction },
): { readonly columns: EntryColumns; readonly end: number } | undefined {
  const { offset, size, fn } = place;
  const modesAt = offset + size * WIDTH * 8;
  const flagsAt = modesAt + size * 2;
  const digestsAt = flagsAt + size;
  const end = digestsAt + size * digestBytesOf(fn);
  if (end > bytes.byteLength) return undefined;
  const start = bytes.byteOffset;
  const columns: EntryColumns = {
    numbers: new Float64Array(bytes.buffer as ArrayBuffer, start + offset, size * WIDTH),
    modes: new Uint16Array(bytes.buffer as ArrayBuffer, start + modesAt, size),
    flags: new Uint8Array(bytes.buffer as ArrayBuffer, start + flagsAt, size),
    digests: Buffer.from(bytes.buffer as ArrayBuffer, start + digestsAt, size * digestBytesOf(fn)),
  };
  return { columns, end };
}

function noColumns(): EntryColumns {
  return {
    numbers: new Float64Array(0),
    modes: new Uint16Array(0),
    flags: new Uint8Array(0),
    digests: Buffer.alloc(0),
  };
}
