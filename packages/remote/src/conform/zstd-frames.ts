/**
 * zstd for the checks, apart from the server's: frames of raw blocks, which every decoder takes, and a decoder from npm.
 *
 * Source: RFC 8878. A frame without compression is enough to see what a server does with one.
 */
import { ZSTDDecoder } from "zstddec";

const MAGIC = 0xfd2fb528;
const BLOCK_MAX_BYTES = 128 << 10;
/** Single segment, content size of four bytes. */
const DESCRIPTOR = 0xa0;

const decoder = new ZSTDDecoder();

/** To be called once before anything is decoded. */
export async function loadZstd(): Promise<void> {
  await decoder.init();
}

/** Packs bytes as one frame. @param contentSizeBytes what its head claims; default: the truth. */
export function zstdFrame(bytes: Uint8Array, contentSizeBytes = bytes.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(MAGIC, 0);
  head[4] = DESCRIPTOR;
  head.writeUInt32LE(contentSizeBytes, 5);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at === 0 || at < bytes.length; at += BLOCK_MAX_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_MAX_BYTES);
    const blockHead = Buffer.alloc(3);
    blockHead.writeUIntLE((block.length << 3) | (at + BLOCK_MAX_BYTES >= bytes.length ? 1 : 0), 0, 3);
    parts.push(blockHead, block);
  }
  return Buffer.concat(parts);
}

/** Unpacks frames. @param sizeBytes of what comes out. @throws Error for what is no zstd. */
export function unpackedZstd(bytes: Uint8Array, sizeBytes: number): Buffer {
  // The decoder has no answer for nothing.
  return sizeBytes === 0 ? Buffer.alloc(0) : Buffer.from(decoder.decode(bytes, sizeBytes));
}
