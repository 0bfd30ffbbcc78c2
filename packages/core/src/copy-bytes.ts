/** Copying bytes between memory of any kind. */

/**
 * Copies bytes into a buffer from an offset on; there must be room.
 *
 * Not `set` or `copy`: where either memory is shared between threads these go byte by byte unless both places are aligned
 * alike, which takes seven times as long (V8 11.3), and twenty times where another thread has just read there. `fill`
 * copies what it is to repeat, and as it fits once that is all.
 */
export function copyBytes(bytes: Uint8Array, into: Buffer, offset: number): void {
  // `fill` refuses to repeat nothing.
  if (bytes.byteLength > 0) into.fill(bytes, offset, offset + bytes.byteLength);
}
