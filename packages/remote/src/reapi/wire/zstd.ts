/** The zstd of a server as the services want it: bounded, with problems for answers, and never long at once. */

import type { Clock, Result } from "@kahn/core";
import { err, ok, problem, sleep } from "@kahn/core";
import type { Zstd as Codec, ZstdDecompressor as Decompressor } from "../../store/zstd.ts";
import { loadZstd } from "../../store/zstd.ts";
import type { Zstd, ZstdDecompressor, ZstdProblem } from "./zstd-port.ts";

/** Loads the codec: Node's own where there is one, else WebAssembly. */
export async function loadWireZstd(clock: Clock): Promise<Zstd> {
  const codec: Codec = await loadZstd();
  return {
    compress: (bytes) => codec.compress(bytes),
    decompress: (bytes, maxBytes) => {
      const unpacked = codec.decompress(bytes, maxBytes);
      return unpacked === undefined ? malformed(`or it is more than ${maxBytes} bytes unpacked`) : ok(unpacked);
    },
    decompressor: (maxBytes) => new BoundedDecompressor(codec.decompressor(), maxBytes, clock),
  };
}

/** Pieces between two turns of the event loop: 32 MiB of full ones, and a fraction of a millisecond of single bytes. */
const PIECES_A_TURN = 256;

class BoundedDecompressor implements ZstdDecompressor {
  readonly #stream: Decompressor;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  #bytes = 0;
  #pieces = 0;

  constructor(stream: Decompressor, maxBytes: number, clock: Clock) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  async push(bytes: Uint8Array, take: (piece: Uint8Array) => Promise<void>): Promise<Result<void, ZstdProblem>> {
    for (const piece of this.#stream.push(bytes)) {
      if (piece === "malformed") return malformed("or it wants a window above 8 MiB");
      this.#bytes += piece.byteLength;
      if (this.#bytes > this.#maxBytes) {
        return err(
          problem("zstd-too-large", `what was sent unpacks to more than the ${this.#maxBytes} bytes promised`),
        );
      }
      await take(piece);
      if (++this.#pieces % PIECES_A_TURN === 0) await sleep(this.#clock, 0);
    }
    return ok(undefined);
  }

  end(): Result<void, ZstdProblem> {
    return this.#stream.isAtFrameEnd ? ok(undefined) : malformed("or it ends in the middle of a frame");
  }

  close(): void {
    // Its memory is the collector's.
  }
}

function malformed(how: string): { readonly ok: false; readonly problem: ZstdProblem } {
  const next = "Send frames of zstd, compressed at a level below 20, or the bytes as they are.";
  return err(problem("zstd-malformed", `what was sent is no zstd, ${how}`, { next }));
}
