/**
 * The file-state index on disk: one flat file, read in one piece and used where it lies.
 *
 * Owns:      the layout, its checks, and the dropping of rows that mean nothing any more.
 * Never:     repairs: a file that is not exactly as expected is no index, which costs time and nothing else.
 * Invariant: rows of one directory lie together, in walk order.
 *
 * Layout, little or big endian as the machine is (the file never leaves it):
 *
 *   64 bytes  header: magic with version, byte-order mark, digest function, counts, clock facts
 *   32 bytes  SHA-256 of header and body; a power loss may leave blocks of zeros in a file that was renamed into place
 *   rows      numbers (5 × f64), modes (u16), flags (u8), digests
 *   folders   mtime, ctime, inode, device, rules, state (6 × f64); then the number of rows of each (u32)
 *   text      end of each name (u32, UTF-16 units), names, folder paths separated by NUL, boot id, notes as JSON
 */
import { createHash } from "node:crypto";
import type { NativeDigestFunction } from "@kahn/core";
import { Directory, type Listing, type StoredNames } from "./directory.ts";
import { columnsOver, digestBytesOf, type EntryColumns, EntryTable, makeColumns } from "./entry-table.ts";
import { nameOf, parentOf } from "./tree-paths.ts";

/** Changes with the layout: a file with another number is ignored. */
const MAGIC = "KAHNFS02";
const BYTE_ORDER = 0x01020304;
const HEADER_BYTES = 64;
const BODY_AT = HEADER_BYTES + 32;
const FOLDER_WIDTH = 6;
const FUNCTIONS: readonly NativeDigestFunction[] = ["sha256", "sha1", "sha384", "sha512", "md5"];

/** Everything that is kept between runs. */
export interface IndexContents {
  readonly fn: NativeDigestFunction;
  readonly table: EntryTable;
  /** By `Directory.path`. */
  readonly directories: Map<string, Directory>;
  /** Small values of whoever works on the tree, by name; JSON. */
  readonly notes: Map<string, unknown>;
  /** Granularity of the file system's clock in milliseconds; 0 when it was never measured. */
  readonly granularityMs: number;
  readonly saved: SavePoint;
}

/** When an index was saved. */
export interface SavePoint {
  /** The boot of the machine; empty when nobody said. */
  readonly bootId: string;
  /** By the file system's clock, a moment before; `-Infinity` when it was not asked. */
  readonly atMs: number;
}

/** An index of nothing. */
export function emptyIndex(fn: NativeDigestFunction): IndexContents {
  const saved: SavePoint = { bootId: "", atMs: Number.NEGATIVE_INFINITY };
  return { fn, table: new EntryTable(fn), directories: new Map(), notes: new Map(), granularityMs: 0, saved };
}

/** Reads an index; `undefined` for anything but a sound index of this version, machine order and digest function. */
export function decodeIndex(file: Uint8Array, fn: NativeDigestFunction): IndexContents | undefined {
  if (file.byteLength < BODY_AT) return undefined;
  // A small file may lie anywhere in a pool; the arrays need an aligned start.
  const bytes = file.byteOffset % 8 === 0 ? file : new Uint8Array(file);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, HEADER_BYTES / 4);
  if (buffer.toString("latin1", 0, 8) !== MAGIC || header[2] !== BYTE_ORDER) return undefined;
  if (FUNCTIONS[header[3]!] !== fn || !checksum(buffer).equals(buffer.subarray(HEADER_BYTES, BODY_AT)))
    return undefined;
  const [rows, folders, namesBytes, pathsBytes, notesBytes, bootBytes] = header.subarray(4, 10);
  const columns = columnsOver(bytes, { offset: BODY_AT, size: rows!, fn });
  if (columns === undefined) return undefined;
  const start = bytes.byteOffset;
  const foldersAt = aligned(columns.end);
  const countsAt = foldersAt + folders! * FOLDER_WIDTH * 8;
  const endsAt = countsAt + folders! * 4;
  const textAt = endsAt + rows! * 4;
  const pathsAt = textAt + namesBytes!;
  const bootAt = pathsAt + pathsBytes!;
  const notesAt = bootAt + bootBytes!;
  if (notesAt + notesBytes! !== bytes.byteLength) return undefined;
  const raw = bytes.buffer as ArrayBuffer;
  const text = buffer.toString("utf8", textAt, pathsAt);
  const paths = buffer.toString("utf8", pathsAt, bootAt).split("\0");
  const notes = JSON.parse(buffer.toString("utf8", notesAt)) as Record<string, unknown>;
  const directories = readFolders({
    paths: folders === 0 ? [] : paths,
    numbers: new Float64Array(raw, start + foldersAt, folders! * FOLDER_WIDTH),
    counts: new Uint32Array(raw, start + countsAt, folders!),
    ends: new Uint32Array(raw, start + endsAt, rows!),
    text,
  });
  const [granularityMs, savedAtMs] = new Float64Array(raw, start + 40, 2);
  return {
    fn,
    table: new EntryTable(fn, rows!, columns.columns),
    directories,
    notes: new Map(Object.entries(notes)),
    granularityMs: granularityMs!,
    saved: { bootId: buffer.toString("utf8", bootAt, notesAt), atMs: savedAtMs! },
  };
}

interface StoredFolders {
  readonly paths: readonly string[];
  readonly numbers: Float64Array;
  readonly counts: Uint32Array;
  readonly ends: Uint32Array;
  readonly text: string;
}

function readFolders({ paths, numbers, counts, ends, text }: StoredFolders): Map<string, Directory> {
  const directories = new Map<string, Directory>();
  let first = 0;
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index]!;
    const directory = new Directory(paths[index]!, { text, ends, first, count });
    const at = index * FOLDER_WIDTH;
    const state = numbers[at + 5]!;
    if (state !== 0) {
      directory.listing = {
        mtimeMs: numbers[at]!,
        ctimeMs: numbers[at + 1]!,
        ino: numbers[at + 2]!,
        dev: numbers[at + 3]!,
        settled: state === 2,
      };
    }
    directory.rules = numbers[at + 4]!;
    directories.set(directory.path, directory);
    first += count;
  }
  return directories;
}

/** Writes an index. Rows and folders that are known to be gone are left out. */
export function encodeIndex(contents: IndexContents): Uint8Array {
  const { fn, table } = contents;
  const folders = remainingFolders(contents);
  const numbers = new Float64Array(folders.length * FOLDER_WIDTH);
  const rows = new RowWriter(table, fn);
  const counts = new Uint32Array(folders.length);
  for (const [index, folder] of folders.entries()) {
    counts[index] = rows.add(folder);
    writeFolder(numbers, index * FOLDER_WIDTH, folder);
  }
  const { size, columns } = rows;
  const text = Buffer.from(rows.text());
  const paths = Buffer.from(folders.map((folder) => folder.path).join("\0"));
  const bootId = Buffer.from(contents.saved.bootId);
  const notes = Buffer.from(JSON.stringify(Object.fromEntries(contents.notes)));
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, "latin1");
  const facts = new Uint32Array(header.buffer, header.byteOffset, HEADER_BYTES / 4);
  const lengths = [text, paths, notes, bootId].map((part) => part.length);
  facts.set([BYTE_ORDER, FUNCTIONS.indexOf(fn), size, folders.length, ...lengths], 2);
  new Float64Array(header.buffer, header.byteOffset + 40, 2).set([contents.granularityMs, contents.saved.atMs]);
  const rowBytes = size * (5 * 8 + 2 + 1 + digestBytesOf(fn));
  const file = Buffer.concat([
    header,
    Buffer.alloc(BODY_AT - HEADER_BYTES),
    bytesOf(columns.numbers.subarray(0, size * 5)),
    bytesOf(columns.modes.subarray(0, size)),
    columns.flags.subarray(0, size),
    columns.digests.subarray(0, size * digestBytesOf(fn)),
    Buffer.alloc(aligned(BODY_AT + rowBytes) - BODY_AT - rowBytes),
    bytesOf(numbers),
    bytesOf(counts),
    bytesOf(rows.ends.subarray(0, size)),
    text,
    paths,
    bootId,
    notes,
  ]);
  checksum(file).copy(file, HEADER_BYTES);
  return file;
}

/** Gathers the rows of one folder after the other. */
class RowWriter {
  readonly columns: EntryColumns;
  readonly ends: Uint32Array;
  size = 0;
  readonly #table: EntryTable;
  readonly #texts: string[] = [];
  #textLength = 0;

  constructor(table: EntryTable, fn: NativeDigestFunction) {
    this.#table = table;
    this.columns = makeColumns(fn, table.size);
    this.ends = new Uint32Array(table.size);
  }

  /** Adds a folder's rows; returns how many. */
  add(folder: Directory): number {
    const before = this.size;
    const isListed = folder.listing !== undefined;
    const { stored } = folder;
    if (stored !== undefined && this.#isWhole(stored, isListed)) this.#addStored(stored);
    else {
      for (const [position, id] of folder.ids.entries()) {
        if (this.#isKept(id, isListed)) this.#addRow(id, folder.names[position]!);
      }
    }
    return this.size - before;
  }

  text(): string {
    return this.#texts.join("");
  }

  /** A listing is complete or worthless, so all of its names stay; others are only kept for their digest. */
  #isKept(id: number, isListed: boolean): boolean {
    if (!isListed) return this.#table.hasDigest(id);
    const kind = this.#table.kind(id);
    return kind !== "absent" && kind !== "unknown";
  }

  #isWhole({ first, count }: StoredNames, isListed: boolean): boolean {
    for (let id = first; id < first + count; id++) if (!this.#isKept(id, isListed)) return false;
    return true;
  }

  /** All rows of a folder at once: in most runs, few folders have changed. */
  #addStored({ text, ends, first, count }: StoredNames): void {
    const start = first === 0 ? 0 : ends[first - 1]!;
    const end = count === 0 ? start : ends[first + count - 1]!;
    this.#table.copyRows(first, count, { columns: this.columns, to: this.size });
    const shift = this.#textLength - start;
    for (let index = 0; index < count; index++) this.ends[this.size + index] = ends[first + index]! + shift;
    this.#texts.push(text.slice(start, end));
    this.#textLength += end - start;
    this.size += count;
  }

  #addRow(id: number, name: string): void {
    this.#table.copyRows(id, 1, { columns: this.columns, to: this.size });
    this.#texts.push(name);
    this.#textLength += name.length;
    this.ends[this.size++] = this.#textLength;
  }
}

/** The folders whose parents, as far as these were listed, still have them. */
function remainingFolders({ directories, table }: IndexContents): Directory[] {
  const gone = new Map<string, boolean>();
  const isGone = (path: string): boolean => {
    if (path === "" || path === "/") return false;
    let answer = gone.get(path);
    if (answer === undefined) {
      const above = parentOf(path);
      const parent = directories.get(above);
      const id = parent?.listing === undefined ? undefined : parent.find(nameOf(path));
      const isMissing = parent?.listing !== undefined && (id === undefined || table.kind(id) !== "directory");
      answer = isMissing || isGone(above);
      gone.set(path, answer);
    }
    return answer;
  };
  return [...directories.values()].filter((folder) => !isGone(folder.path));
}

function writeFolder(numbers: Float64Array, at: number, folder: Directory): void {
  const listing: Listing | undefined = folder.listing;
  if (listing !== undefined) {
    numbers[at] = listing.mtimeMs;
    numbers[at + 1] = listing.ctimeMs;
    numbers[at + 2] = listing.ino;
    numbers[at + 3] = listing.dev;
    numbers[at + 5] = listing.settled ? 2 : 1;
  }
  numbers[at + 4] = folder.rules;
}

function aligned(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

function bytesOf(array: Float64Array | Uint32Array | Uint16Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function checksum(file: Buffer): Buffer {
  return createHash("sha256").update(file.subarray(0, HEADER_BYTES)).update(file.subarray(BODY_AT)).digest();
}
