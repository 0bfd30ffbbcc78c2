/** Test fixture: archives of any content, right and wrong. */
import { crc32, deflateRawSync } from "node:zlib";
import { Header } from "tar/header";
import { Pax } from "tar/pax";

/** One entry of an archive. */
export interface TestEntry {
  readonly path: string;
  /** Default: a file. */
  readonly type?: "File" | "Directory" | "SymbolicLink" | "Link" | "FIFO" | "CharacterDevice";
  readonly content?: Uint8Array | string;
  readonly mode?: number;
  /** Of a link. */
  readonly target?: string;
  /** What the archive says instead of the truth. */
  readonly claims?: { readonly sizeBytes?: number; readonly crc32?: number };
}

const FILES = new Set(["File", undefined]);

/** A tar in the POSIX form; paths that are too long for its headers are in pax ones. */
export function tarOf(entries: readonly TestEntry[], end = Buffer.alloc(1024)): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, type = "File", content = "", mode = 0o644, target, claims } of entries) {
    const bytes = FILES.has(type) ? Buffer.from(content) : Buffer.alloc(0);
    const size = claims?.sizeBytes ?? bytes.length;
    if (Buffer.byteLength(path) > 99) blocks.push(new Pax({ path }).encode());
    const header = new Header({
      path: path.slice(0, 99),
      type,
      mode,
      size,
      ...(target === undefined ? {} : { linkpath: target }),
    });
    const block = Buffer.alloc(512);
    header.encode(block);
    blocks.push(block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, end]);
}

const KINDS = { File: 0o100000, Directory: 0o040000, SymbolicLink: 0o120000, FIFO: 0o010000 } as const;

/** A zip as Unix makes it; every other file is stored as it is. */
export function zipOf(entries: readonly TestEntry[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [index, { path, type = "File", content = "", mode = 0o644, target, claims }] of entries.entries()) {
    const name = Buffer.from(path);
    const bytes = Buffer.from(target ?? content);
    const isPacked = index % 2 === 0;
    const data = isPacked ? deflateRawSync(bytes) : bytes;
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2);
    facts.writeUInt16LE(isPacked ? 8 : 0, 4);
    facts.writeUInt32LE(claims?.crc32 ?? crc32(bytes), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(claims?.sizeBytes ?? bytes.length, 18);
    facts.writeUInt16LE(name.length, 22);
    const entry = Buffer.concat([Buffer.from("PK\x03\x04"), facts, name, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((((KINDS as Record<string, number>)[type] ?? 0) | mode) * 65536, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.from("PK\x01\x02"), Buffer.from([20, 3]), facts, tail, name);
    local.push(entry);
    offset += entry.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}
