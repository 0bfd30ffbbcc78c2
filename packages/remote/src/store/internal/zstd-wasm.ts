/**
 * zstd as WebAssembly: the calls that are needed, on memory that is given back.
 *
 * Invariant: whatever the bytes are, a call answers or says that they are malformed; it never throws and never reads or
 *            writes beside its memory. A stream has an instance of its own, whose memory goes with it.
 */
import { brotliDecompressSync } from "node:zlib";
import { copyBytes } from "@kahn/core";
import { COMPRESSOR, DECOMPRESSOR } from "../generated/zstd-code.ts";

/** What of `WebAssembly` is used; the types of Node have a part of it. */
interface Wasm {
  readonly Module: new (code: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
  readonly RuntimeError: new (message: string) => Error;
}

/** Compiled code. */
export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Wasm };

/** Exports of the compressor, whose names the compiler has shortened: see `zstd.js` of @bokuweb/zstd-wasm. */
interface CompressorExports {
  /** The memory. */
  readonly f: WasmMemory;
  /** Static constructors. */
  readonly g: () => void;
  /** `ZSTD_isError` */
  readonly h: (code: number) => number;
  /** `ZSTD_compressBound` */
  readonly i: (sizeBytes: number) => number;
  /** `ZSTD_compress` */
  readonly m: (into: number, intoBytes: number, from: number, fromBytes: number, level: number) => number;
  /** `ZSTD_decompress` */
  readonly r: (into: number, intoBytes: number, from: number, fromBytes: number) => number;
  /** `malloc` and `free` */
  readonly s: (sizeBytes: number) => number;
  readonly t: (pointer: number) => void;
}

interface DecompressorExports {
  readonly memory: WasmMemory;
  readonly malloc: (sizeBytes: number) => number;
  readonly ZSTD_createDCtx: () => number;
  readonly ZSTD_DStreamOutSize: () => number;
  readonly ZSTD_decompressStream: (context: number, output: number, input: number) => number;
}

const PAGE_BYTES = 65_536;

/** Compressing and decompressing of whole pieces. */
export class ZstdBlocks {
  readonly #exports: CompressorExports;

  constructor(module: WasmModule) {
    const grow = (wantedBytes: number): number => {
      const { f: memory } = this.#exports;
      try {
        memory.grow(Math.ceil(((wantedBytes >>> 0) - memory.buffer.byteLength) / PAGE_BYTES));
        return 1;
      } catch {
        // What malloc answers with then is null.
        return 0;
      }
    };
    const stop = () => {
      throw new wasm.RuntimeError("zstd stopped");
    };
    const imports = { a: stop, b: () => undefined, c: stop, d: () => 0, e: grow };
    this.#exports = new wasm.Instance(module, { a: imports }).exports as CompressorExports;
    this.#exports.g();
  }

  /** One frame. */
  compress(bytes: Uint8Array, level: number): Uint8Array {
    const { i: bound, m: compress } = this.#exports;
    const frame = this.#call(bytes, bound(bytes.byteLength), (into, intoBytes, from) =>
      compress(into, intoBytes, from, bytes.byteLength, level),
    );
    if (frame === undefined) throw new RangeError(`zstd has no memory for ${bytes.byteLength} bytes`);
    return frame;
  }

  /** All frames; `undefined` when they are malformed or come to more than `sizeBytesMax`. */
  decompress(bytes: Uint8Array, sizeBytesMax: number): Uint8Array | undefined {
    const { r: decompress } = this.#exports;
    return this.#call(bytes, sizeBytesMax, (into, intoBytes, from) =>
      decompress(into, intoBytes, from, bytes.byteLength),
    );
  }

  #call(
    bytes: Uint8Array,
    intoBytes: number,
    call: (into: number, intoBytes: number, from: number) => number,
  ): Uint8Array | undefined {
    const { f: memory, h: isError, s: malloc, t: free } = this.#exports;
    // One more, because nothing may be asked for otherwise.
    const from = malloc(bytes.byteLength + 1);
    const into = malloc(intoBytes + 1);
    try {
      if (from === 0 || into === 0) return undefined;
      new Uint8Array(memory.buffer).set(bytes, from);
      const got = call(into, intoBytes, from) >>> 0;
      return isError(got) === 0 ? new Uint8Array(memory.buffer).slice(into, into + got) : undefined;
    } finally {
      free(from);
      free(into);
    }
  }
}

/** What a push may come to. `malformed` ends the stream. */
export type ZstdPiece = Uint8Array | "malformed";

const INPUT_BYTES = 64 * 1024;

/** Error codes are the last numbers below 2^32. */
const ERROR_MIN = 2 ** 32 - 200;

/** Decompresses a stream in pieces of at most 128 KiB. */
export class ZstdStream {
  readonly #exports: DecompressorExports;
  readonly #context: number;
  readonly #input: number;
  readonly #output: number;
  readonly #outputBytes: number;
  readonly #structs: number;
  #inputBytes = 0;
  /** The last call ended a frame. */
  isAtFrameEnd = true;

  constructor(module: WasmModule) {
    const imports = { env: { emscripten_notify_memory_growth: () => undefined } };
    const exports = new wasm.Instance(module, imports).exports as DecompressorExports;
    this.#exports = exports;
    this.#context = exports.ZSTD_createDCtx();
    this.#outputBytes = exports.ZSTD_DStreamOutSize();
    this.#input = exports.malloc(INPUT_BYTES);
    this.#output = exports.malloc(this.#outputBytes);
    this.#structs = exports.malloc(24);
  }

  /** Takes bytes for `run` to read. @param bytes at most 64 KiB; they may change afterwards. */
  load(bytes: Uint8Array): void {
    // Of a large message, which lies in shared memory.
    copyBytes(bytes, Buffer.from(this.#exports.memory.buffer), this.#input);
    this.#inputBytes = bytes.byteLength;
  }

  /**
   * Decompresses what was loaded, from an offset up to its end or that of a frame, whichever comes first.
   *
   * @returns pieces, each valid until the next one is asked for; at the end, up to which offset bytes were read.
   */
  *run(from: number): Generator<ZstdPiece, number> {
    let readBytes = from;
    for (;;) {
      const view = new DataView(this.#exports.memory.buffer);
      const fields = [this.#input, this.#inputBytes, readBytes, this.#output, this.#outputBytes, 0];
      for (let at = 0; at < fields.length; at++) view.setUint32(this.#structs + 4 * at, fields[at]!, true);
      const left = this.#step();
      if (left >= ERROR_MIN) {
        yield "malformed";
        return readBytes;
      }
      // The memory may have grown, and then the old view is of nothing.
      const after = new DataView(this.#exports.memory.buffer);
      readBytes = after.getUint32(this.#structs + 8, true);
      const gotBytes = after.getUint32(this.#structs + 20, true);
      this.isAtFrameEnd = left === 0;
      if (gotBytes > 0) yield new Uint8Array(this.#exports.memory.buffer, this.#output, gotBytes);
      // A full buffer may not have been all.
      if (this.isAtFrameEnd || (readBytes === this.#inputBytes && gotBytes < this.#outputBytes)) return readBytes;
    }
  }

  /** What the decoder wants next, or an error code. */
  #step(): number {
    try {
      return this.#exports.ZSTD_decompressStream(this.#context, this.#structs + 12, this.#structs) >>> 0;
    } catch (error) {
      // A trap: none is known, and if there is one it is this stream's alone.
      if (error instanceof wasm.RuntimeError) return ERROR_MIN;
      throw error;
    }
  }
}

/** Compiled code, made at first use. */
export function compressorModule(): WasmModule {
  compressor ??= compiled(COMPRESSOR);
  return compressor;
}

/** Likewise. */
export function decompressorModule(): WasmModule {
  decompressor ??= compiled(DECOMPRESSOR);
  return decompressor;
}

let compressor: WasmModule | undefined;
let decompressor: WasmModule | undefined;

function compiled(text: string): WasmModule {
  return new wasm.Module(brotliDecompressSync(Buffer.from(text, "base64")));
}
