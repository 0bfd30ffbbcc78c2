/** Test fixture: hashers beside that are late, and files that are. Memory that came back is spoilt. */
import type { FileSystem, Hasher, PieceHashers } from "@kahn/core";
import { nativeHasher } from "@kahn/core";

/** Hashers that look at a piece as late as they may; memory that came back is spoilt, and lent again at once. */
export function lateHashers({ isLossy = false, lentMax = Number.POSITIVE_INFINITY } = {}) {
  const lent = new Set<Buffer>();
  const free: Buffer[] = [];
  const read: ArrayBufferLike[] = [];
  let queue = Promise.resolve();
  const later = (work: () => void): Promise<void> => {
    queue = queue.then(() => new Promise((resolve) => setImmediate(resolve))).then(work);
    return queue;
  };
  const hashers: PieceHashers = {
    start: (fn) => {
      const hasher: Hasher = nativeHasher(fn);
      return {
        update: (piece) => {
          read.push(piece.buffer);
          return later(() => {
            read.shift();
            hasher.update(piece);
          });
        },
        hex: async () => {
          await queue;
          return isLossy ? undefined : hasher.hex();
        },
        abandon: () => {},
      };
    },
    lend: (sizeBytes) => {
      if (lent.size >= lentMax) return undefined;
      const at = free.findIndex(({ length }) => length === sizeBytes);
      const memory = at < 0 ? Buffer.from(new SharedArrayBuffer(sizeBytes)) : free.splice(at, 1)[0]!;
      lent.add(memory);
      return memory;
    },
    takeBack: (memory) => {
      if (!lent.delete(memory)) throw new Error("memory came back that was not lent");
      if (read.includes(memory.buffer)) throw new Error("memory came back that is still read");
      free.push(memory.fill("spoilt"));
    },
  };
  return { hashers, lent, idle: () => later(() => {}) };
}

/** The file system, but what is appended later is so after so many turns of the event loop, and looked at only then. */
export function lateAppends(fs: FileSystem, turns: () => number): FileSystem {
  return new Proxy(fs, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name, target);
      if (name !== "openAppend") return typeof own === "function" ? own.bind(target) : own;
      return (path: string) => {
        const handle = target.openAppend(path);
        let pending = 0;
        let isClosed = false;
        const release = () => void (isClosed && pending === 0 && handle.close());
        return {
          ...handle,
          appendLater: async (bytes: Uint8Array) => {
            pending++;
            for (let left = turns(); left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
            handle.append(bytes);
            pending--;
            release();
          },
          close: () => {
            isClosed = true;
            release();
          },
        };
      };
    },
  });
}
