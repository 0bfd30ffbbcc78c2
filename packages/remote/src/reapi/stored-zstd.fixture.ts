/**
 * zstd without compression, for tests: frames of raw and of repeated blocks, which any zstd reads. Reads only such.
 *
 * A block that repeats one byte is all it takes to make a bomb.
 */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import type { Zstd, ZstdDecompressor, ZstdProblem } from "./wire/zstd-port.ts";

const MAGIC = 0xfd2fb528;
const BLOCK_MAX_BYTES = 128 << 10;

/** One frame. Blocks of one byte, many times, are packed; others are stored. */
export function frameOf(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(MAGIC, 0);
  head[4] = 0xa0;
  head.writeUInt32LE(bytes.length, 5);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at === 0 || at < bytes.length; at += BLOCK_MAX_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_MAX_BYTES);
    const isLast = at + BLOCK_MAX_BYTES >= bytes.length;
    const isSame = block.length > 1 && block.every((byte) => byte === block[0]);
    const blockHead = Buffer.alloc(3);
    blockHead.writeUIntLE((block.length << 3) | (isSame ? 2 : 0) | (isLast ? 1 : 0), 0, 3);
    parts.push(blockHead, isSame ? block.subarray(0, 1) : block);
  }
  return Buffer.concat(parts);
}

/** The port on such frames. */
export const STORED_ZSTD: Zstd = {
  compress: frameOf,
  decompress: async (bytes, maxBytes) => {
    const stream = STORED_ZSTD.decompressor(maxBytes);
    const pieces: Uint8Array[] = [];
    const pushed = await stream.push(bytes, async (piece) => void pieces.push(Buffer.from(piece)));
    const end = pushed.ok ? stream.end() : pushed;
    return end.ok ? ok(Buffer.concat(pieces)) : end;
  },
  decompressor: (maxBytes) => new StoredDecompressor(maxBytes),
};

class StoredDecompressor implements ZstdDecompressor {
  readonly #maxBytes: number;
  #held = Buffer.alloc(0);
  #bytes = 0;
  #isInFrame = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async push(bytes: Uint8Array, take: (piece: Uint8Array) => Promise<void>): Promise<Result<void, ZstdProblem>> {
    this.#held = Buffer.concat([this.#held, bytes]);
    for (;;) {
      const step = this.#isInFrame ? this.#block() : this.#head();
      if (step === "more") return ok(undefined);
      if (step === undefined) continue;
      if ("code" in step) return err(step);
      this.#bytes += step.bytes.length;
      await take(step.bytes);
      // As the contract allows.
      step.bytes.fill(0xee);
    }
  }

  end(): Result<void, ZstdProblem> {
    const isDone = !this.#isInFrame && this.#held.length === 0;
    return isDone ? ok(undefined) : err(problem("zstd-malformed", "a frame is unfinished"));
  }

  close(): void {}

  #head(): "more" | undefined | Problem<"zstd-malformed"> {
    if (this.#held.length < 9) return "more";
    if (this.#held.readUInt32LE(0) !== MAGIC || this.#held[4] !== 0xa0) return problem("zstd-malformed", "no frame");
    this.#held = this.#held.subarray(9);
    this.#isInFrame = true;
    return undefined;
  }

  #block(): "more" | { readonly bytes: Uint8Array } | ZstdProblem {
    if (this.#held.length < 3) return "more";
    const head = this.#held.readUIntLE(0, 3);
    const type = (head >> 1) & 3;
    const size = head >>> 3;
    if (type > 1 || size > BLOCK_MAX_BYTES) return problem("zstd-malformed", "a block of another kind");
    const packed = type === 1 ? 1 : size;
    if (this.#bytes + size > this.#maxBytes) return problem("zstd-too-large", `more than ${this.#maxBytes} bytes`);
    if (this.#held.length < 3 + packed) return "more";
    const content = this.#held.subarray(3, 3 + packed);
    this.#held = this.#held.subarray(3 + packed);
    if ((head & 1) === 1) this.#isInFrame = false;
    return { bytes: type === 1 ? Buffer.alloc(size, content[0]) : Buffer.from(content) };
  }
}
