/**
 * Reading zip, by its directory at the end.
 *
 * Note: links and the executable bit are there only in archives that were made on Unix.
 */
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import type { Entry, RandomAccessReader, ZipFile } from "yauzl";
import type { TreeWriter } from "./tree-writer.ts";
import { asMalformed, malformed } from "./unpack-trouble.ts";

/** Bytes at any place of an archive. */
export interface ArchiveBytes {
  readonly sizeBytes: number;
  /** Fewer only at the end. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
}

const PIECE_BYTES = 64 * 1024;
const WINDOW_BYTES = 512 * 1024;
const TARGET_BYTES_MAX = 4096;
/** Of the attributes that Unix gives an entry. */
const KIND = 0o170000;
const LINK = 0o120000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

interface Archive {
  readonly zip: ZipFile;
  readonly bytes: ArchiveBytes;
}

/** Reads an archive into a writer. @throws NotUnpacked */
export async function readZip(stored: ArchiveBytes, writer: TreeWriter): Promise<void> {
  const bytes = new Windows(stored);
  // Of a CommonJS package in a bundle only the default is there.
  const { default: yauzl } = await import("yauzl");
  class Source extends yauzl.RandomAccessReader {
    override read(...[into, offset, length, at, done]: Parameters<RandomAccessReader["read"]>): void {
      bytes.read(at, length).then((found) => {
        found.copy(into, offset);
        done(found.length < length ? new Error("it ends too early") : null);
      }, done);
    }

    override _readStreamForRange(start: number, end: number): Readable {
      return Readable.from(pieces(bytes, start, end), { objectMode: false, highWaterMark: PIECE_BYTES });
    }
  }
  let zip: ZipFile | undefined;
  try {
    // Not by itself, which is when the last entry was listed and not when it was read.
    zip = await yauzl.fromRandomAccessReaderPromise(new Source(), bytes.sizeBytes, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      await writer.room();
      await take({ zip, bytes }, entry, writer);
    }
  } catch (error) {
    throw asMalformed(error);
  }
}

/** One window goes along the files, another along the directory at the end: a read of some bytes costs as much as one of many. */
class Windows implements ArchiveBytes {
  readonly #bytes: ArchiveBytes;
  #windows: readonly { readonly from: number; readonly held: Buffer }[] = [];

  constructor(bytes: ArchiveBytes) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.sizeBytes;
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    const end = Math.min(offset + lengthBytes, this.sizeBytes);
    const known = this.#windows.find(({ from, held }) => from <= offset && end <= from + held.length);
    if (known !== undefined) {
      // The one that is used stays.
      this.#windows = [known, ...this.#windows.filter((each) => each !== known)];
      return known.held.subarray(offset - known.from, end - known.from);
    }
    if (lengthBytes > PIECE_BYTES) return await this.#bytes.read(offset, lengthBytes);
    const held = await this.#bytes.read(offset, Math.min(WINDOW_BYTES, this.sizeBytes - offset));
    this.#windows = [{ from: offset, held }, ...this.#windows.slice(0, 1)];
    return held.subarray(0, end - offset);
  }
}

async function* pieces(bytes: ArchiveBytes, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const piece = await bytes.read(at, Math.min(PIECE_BYTES, end - at));
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

async function take(archive: Archive, entry: Entry, writer: TreeWriter): Promise<void> {
  const path = entry.fileName;
  const mode = modeOf(entry);
  const kind = mode & KIND;
  if (path.endsWith("/") || kind === FOLDER) {
    writer.folder(path);
    return;
  }
  if (!entry.canDecodeFileData())
    throw malformed(`has an entry that is encrypted or packed in an unknown way: ${path}`);
  if (kind === LINK) {
    writer.link(path, await targetOf(archive, entry));
    return;
  }
  if (kind !== 0 && kind !== REGULAR) throw malformed(`has an entry that is no file, folder or link: ${path}`);
  const executable = (mode & 0o111) !== 0;
  writer.file({ path, executable, sizeBytes: entry.uncompressedSize, content: contentOf(archive, entry) });
}

function modeOf({ versionMadeBy, externalFileAttributes }: Entry): number {
  const system = versionMadeBy >> 8;
  return system === 3 || system === 19 ? externalFileAttributes >>> 16 : 0;
}

async function targetOf(archive: Archive, entry: Entry): Promise<string> {
  if (entry.uncompressedSize > TARGET_BYTES_MAX) throw malformed(`has a link that is too long: ${entry.fileName}`);
  const parts: Buffer[] = [];
  for await (const bytes of contentOf(archive, entry)) parts.push(bytes);
  return Buffer.concat(parts).toString("utf8");
}

/** Newer than the oldest Node that this runs on. */
const { crc32 } = zlib as { readonly crc32?: (bytes: Uint8Array, before?: number) => number };

async function* contentOf(archive: Archive, entry: Entry): AsyncGenerator<Buffer> {
  let sum = 0;
  try {
    const pieces = isSmall(entry) ? smallContent(archive, entry) : await archive.zip.openReadStreamPromise(entry);
    for await (const bytes of pieces) {
      sum = crc32?.(bytes as Buffer, sum) ?? entry.crc32;
      yield bytes as Buffer;
    }
  } catch (error) {
    throw asMalformed(error);
  }
  if (sum !== entry.crc32) throw malformed(`is damaged: ${entry.fileName}`);
}

function isSmall({ compressedSize, uncompressedSize }: Entry): boolean {
  return Math.max(compressedSize, uncompressedSize) <= PIECE_BYTES;
}

/** At once: a chain of streams for each of thousands of small files takes three times as long as what is in them. */
async function* smallContent({ zip, bytes }: Archive, entry: Entry): AsyncGenerator<Buffer> {
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const stored = await bytes.read(fileDataStart, entry.compressedSize);
  // One more, to tell an end from a cut.
  const maxOutputLength = entry.uncompressedSize + 1;
  const content = entry.compressionMethod === 0 ? stored : zlib.inflateRawSync(stored, { maxOutputLength });
  if (content.length !== entry.uncompressedSize) throw malformed(`does not have the size it says: ${entry.fileName}`);
  yield content;
}
