/**
 * Reading zip, by its directory at the end.
 *
 * Note: links and the executable bit are there only in archives that were made on Unix.
 */
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import type { TreeWriter } from "./tree-writer.ts";
import { asMalformed, malformed } from "./unpack-trouble.ts";

/** Bytes at any place of an archive. */
export interface ArchiveBytes {
  readonly sizeBytes: number;
  /** Fewer only at the end. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
}

const PIECE_BYTES = 64 * 1024;
const TARGET_BYTES_MAX = 4096;
/** Of the attributes that Unix gives an entry. */
const KIND = 0o170000;
const LINK = 0o120000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** Reads an archive into a writer. @throws NotUnpacked */
export async function readZip(bytes: ArchiveBytes, writer: TreeWriter): Promise<void> {
  // Of a CommonJS package in a bundle only the default is there.
  const { default: yauzl } = await import("yauzl");
  class Source extends yauzl.RandomAccessReader {
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
      await take(zip, entry, writer);
    }
  } catch (error) {
    throw asMalformed(error);
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

async function take(zip: ZipFile, entry: Entry, writer: TreeWriter): Promise<void> {
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
    writer.link(path, await targetOf(zip, entry));
    return;
  }
  if (kind !== 0 && kind !== REGULAR) throw malformed(`has an entry that is no file, folder or link: ${path}`);
  const executable = (mode & 0o111) !== 0;
  writer.file({ path, executable, sizeBytes: entry.uncompressedSize, content: contentOf(zip, entry) });
}

function modeOf({ versionMadeBy, externalFileAttributes }: Entry): number {
  const system = versionMadeBy >> 8;
  return system === 3 || system === 19 ? externalFileAttributes >>> 16 : 0;
}

async function targetOf(zip: ZipFile, entry: Entry): Promise<string> {
  if (entry.uncompressedSize > TARGET_BYTES_MAX) throw malformed(`has a link that is too long: ${entry.fileName}`);
  const parts: Buffer[] = [];
  for await (const bytes of contentOf(zip, entry)) parts.push(bytes);
  return Buffer.concat(parts).toString("utf8");
}

/** Newer than the oldest Node that this runs on. */
const { crc32 } = zlib as { readonly crc32?: (bytes: Uint8Array, before?: number) => number };

async function* contentOf(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
  let sum = 0;
  try {
    for await (const bytes of await zip.openReadStreamPromise(entry)) {
      sum = crc32?.(bytes as Buffer, sum) ?? entry.crc32;
      yield bytes as Buffer;
    }
  } catch (error) {
    throw asMalformed(error);
  }
  if (sum !== entry.crc32) throw malformed(`is damaged: ${entry.fileName}`);
}
