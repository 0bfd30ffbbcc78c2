/**
 * Reading tar: POSIX (pax), GNU and old ones.
 *
 * Invariant: what is read is what is unpacked: an entry that no tree can hold, or that is not understood, refuses the archive.
 */
import type { ReadEntry } from "tar/read-entry";
import type { TreeWriter } from "./tree-writer.ts";
import { asMalformed, malformed } from "./unpack-trouble.ts";

/** The parser unpacks these by itself, past every bound. */
const PACKED = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])];

/** Takes the bytes of one archive. */
export interface TarReader {
  /** Takes the next bytes, which nobody may change afterwards. */
  write(bytes: Buffer): Promise<void>;
  /** No more come: resolves when all entries are with the writer. */
  end(): Promise<void>;
}

/** Reads an archive into a writer. Everything throws `NotUnpacked`. */
export async function tarReader(writer: TreeWriter): Promise<TarReader> {
  const { Parser } = await import("tar/parse");
  let failed: unknown;
  let wake = (): void => {};
  const fail = (error: unknown): void => {
    failed ??= asMalformed(error);
    writer.fail(failed);
    wake();
  };
  writer.onFailure((error) => {
    failed ??= error;
    wake();
  });
  const parser = new Parser({ strict: true });
  parser.on("error", fail);
  parser.on("entry", (entry: ReadEntry) => {
    try {
      take(entry, writer);
    } catch (error) {
      fail(error);
      entry.resume();
    }
  });
  parser.on("ignoredEntry", ({ path, type }: ReadEntry) =>
    fail(malformed(`has an entry that is not taken: ${path} (${type})`)),
  );
  const once = (event: "drain" | "finish"): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      parser.once(event, resolve);
    });
  let isFirst = true;
  return {
    write: async (bytes) => {
      if (isFirst && PACKED.some((magic) => bytes.subarray(0, magic.length).equals(magic))) {
        throw malformed("is packed in another way than its name says");
      }
      isFirst = false;
      await writer.room();
      if (!parser.write(bytes) && failed === undefined) await once("drain");
      if (failed !== undefined) throw failed;
    },
    end: async () => {
      const finished = once("finish");
      parser.end();
      if (failed === undefined) await finished;
      if (failed !== undefined) throw failed;
    },
  };
}

function take(entry: ReadEntry, writer: TreeWriter): void {
  const { path, type, size, linkpath = "", mode = 0 } = entry;
  switch (type) {
    case "File":
    case "OldFile":
    case "ContiguousFile":
      writer.file({ path, executable: (mode & 0o111) !== 0, sizeBytes: size, content: entry });
      return;
    case "Directory":
      writer.folder(path);
      break;
    case "SymbolicLink":
      writer.link(path, linkpath);
      break;
    case "Link":
      writer.sameFile(path, linkpath);
      break;
    default:
      throw malformed(`has an entry that is no file, folder or link: ${path} (${type})`);
  }
  entry.resume();
}
