/**
 * zstd for the wire: Node's own where there is one (22.15), else WebAssembly; loaded at first use.
 *
 * Method:    what goes out is made by its callers in pieces, a frame each, so that a read can begin at any offset and no
 *            compression holds others up for more than some milliseconds. What comes in is decompressed in pieces of
 *            at most 128 KiB, whatever its frames are.
 * Invariant: memory does not depend on what a sender sends: a frame that asks for a window above the limit is refused
 *            before it gets one, and nothing is decompressed beyond the size that was promised. Time is linear in what is
 *            sent and what comes of it: frames that come to nothing are counted, and too many of them are malformed.
 */
import * as zlib from "node:zlib";
import type { ZstdPiece, ZstdStream } from "./internal/zstd-wasm.ts";

/**
 * A frame may refer back so far; a larger window is refused. 8 MiB is what RFC 8878 asks every decoder to take, and what
 * all levels but the `--ultra` ones use.
 */
export const WINDOW_MAX_BYTES = 8 * 1024 * 1024;

const LEVEL = 1;

/** The codec. */
export interface Zstd {
  /** One frame; off the event loop where Node has its own. */
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  /** All frames of a message in memory; `undefined` when they are malformed or come to more than `sizeBytesMax`. */
  decompress(bytes: Uint8Array, sizeBytesMax: number): Uint8Array | undefined;
  /** Begins a stream. */
  decompressor(): ZstdDecompressor;
}

/** Decompresses a stream. Nothing has to be closed. */
export interface ZstdDecompressor {
  /**
   * Takes bytes of any number.
   *
   * @returns what they come to, in pieces that are valid until the next one is asked for; `malformed` is the last one.
   *   Who does not ask for all pieces must not push again. Pieces may be of one byte each: who asks for all of them at
   *   once holds the event loop for as long as a million of them take.
   */
  push(bytes: Uint8Array): Iterable<ZstdPiece>;
  /** True between frames: where a stream may end. */
  readonly isAtFrameEnd: boolean;
}

let loading: Promise<Zstd> | undefined;

/** The codec; the code is read and compiled once. */
export function loadZstd(): Promise<Zstd> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Zstd> {
  const wasm = await import("./internal/zstd-wasm.ts");
  const blocks = new wasm.ZstdBlocks(wasm.compressorModule());
  const native = nativeZstd();
  return {
    compress: native?.compress ?? (async (bytes) => blocks.compress(bytes, LEVEL)),
    decompress: (bytes, sizeBytesMax) => blocks.decompress(bytes, sizeBytesMax),
    decompressor: () => new WindowGuard(new wasm.ZstdStream(wasm.decompressorModule())),
  };
}

interface NativeCalls {
  readonly zstdCompress?: (
    bytes: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
    done: (error: Error | null, frame: Uint8Array) => void,
  ) => void;
  readonly constants: { readonly ZSTD_c_compressionLevel?: number };
}

/** What this Node has; its types may be older or newer than it is. */
function nativeZstd(): Pick<Zstd, "compress"> | undefined {
  const { zstdCompress, constants } = zlib as unknown as NativeCalls;
  const { ZSTD_c_compressionLevel: level } = constants;
  if (zstdCompress === undefined || level === undefined) return undefined;
  return {
    compress: (bytes) =>
      new Promise((resolve, reject) => {
        zstdCompress(bytes, { params: { [level]: LEVEL } }, (error, frame) =>
          error === null ? resolve(frame) : reject(error),
        );
      }),
  };
}

/** The longest head of a frame: magic, descriptor, window, dictionary, size. */
const HEAD_MAX_BYTES = 18;

/** What the decoder takes at once. */
const PART_BYTES = 64 * 1024;

/**
 * Frames of nothing that a stream may have beyond one for each frame of something: pzstd writes a skippable frame before
 * every frame, others end with one.
 */
const EMPTY_FRAMES_MAX = 1024;

/** Looks at the head of each frame before it gets a window, and counts those that come to nothing. */
class WindowGuard implements ZstdDecompressor {
  readonly #stream: ZstdStream;
  /** The head of the next frame as far as it is there. */
  #head = Buffer.alloc(0);
  #isBroken = false;
  /** Frames of nothing that may still come. */
  #emptyLeft = EMPTY_FRAMES_MAX;
  #isFrameEmpty = false;

  constructor(stream: ZstdStream) {
    this.#stream = stream;
  }

  get isAtFrameEnd(): boolean {
    return this.#stream.isAtFrameEnd && this.#head.length === 0 && !this.#isBroken;
  }

  *push(bytes: Uint8Array): Iterable<ZstdPiece> {
    for (let at = 0; at < bytes.byteLength && !this.#isBroken; ) {
      const head = this.#head;
      const part = bytes.subarray(at, at + PART_BYTES - head.length);
      at += part.byteLength;
      this.#head = Buffer.alloc(0);
      // Joined only where a head was cut: to join at each frame would copy the rest of the message as often.
      yield* this.#part(head.length === 0 ? part : Buffer.concat([head, part]));
    }
  }

  *#part(part: Uint8Array): Iterable<ZstdPiece> {
    this.#stream.load(part);
    for (let from = 0; from < part.byteLength && !this.#isBroken; ) {
      if (this.#stream.isAtFrameEnd) {
        const windowBytes = windowOf(part, from);
        if (windowBytes === "more") {
          this.#head = Buffer.from(part.subarray(from));
          return;
        }
        this.#isFrameEmpty = true;
        if (windowBytes > WINDOW_MAX_BYTES || this.#emptyLeft === 0) {
          this.#isBroken = true;
          yield "malformed";
          return;
        }
      }
      const run = this.#stream.run(from);
      let step = run.next();
      for (; step.done !== true; step = run.next()) {
        if (step.value === "malformed") this.#isBroken = true;
        this.#isFrameEmpty = false;
        yield step.value;
      }
      from = step.value;
      if (this.#stream.isAtFrameEnd) this.#emptyLeft += this.#isFrameEmpty ? -1 : 1;
    }
  }
}

const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;

/** The window that the frame at an offset asks for; `more` when its head is not there whole. Of what is no frame the decoder tells. */
function windowOf(bytes: Uint8Array, from: number): number | "more" {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.min(bytes.byteLength - from, HEAD_MAX_BYTES));
  if (head.length < 4) return "more";
  const magic = head.readUInt32LE(0);
  if (magic !== MAGIC) return (magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC && head.length < 8 ? "more" : 0;
  if (head.length < 6) return "more";
  const descriptor = head[4]!;
  if ((descriptor & 0x20) === 0) {
    const base = 2 ** (10 + (head[5]! >> 3));
    return base + (base / 8) * (head[5]! & 7);
  }
  // A single segment: the window is the content, whose size stands after the number of a dictionary.
  const sizeAt = 5 + [0, 1, 2, 4][descriptor & 3]!;
  const sizeLength = 1 << (descriptor >> 6);
  if (head.length < sizeAt + sizeLength) return "more";
  if (sizeLength === 1) return head[sizeAt]!;
  if (sizeLength === 2) return head.readUInt16LE(sizeAt) + 256;
  if (sizeLength === 4) return head.readUInt32LE(sizeAt);
  return Number(head.readBigUInt64LE(sizeAt));
}
