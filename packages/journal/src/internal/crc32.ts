/**
 * CRC-32 (IEEE 802.3, as in zip and PNG) of a piece of memory.
 *
 * Owns: the choice between zlib's implementation (Node ≥ 20.15 and ≥ 22.2: 0.15 µs for 200 bytes, 3 GB/s on large
 *       ones) and the table below (Node 20.12 to 20.14: 350 MB/s), which give equal values.
 * Note: CRC-32C would be no better here; it guards against torn and rotten bytes, not against people.
 */
import * as zlib from "node:zlib";

const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** The table-driven form, for a Node without `zlib.crc32`. */
export function crc32ByTable(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) crc = TABLE[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** CRC-32 as an unsigned 32-bit number; of no bytes it is 0. */
export const crc32: (bytes: Uint8Array) => number =
  (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32 ?? crc32ByTable;
