/**
 * File contents as values: an older content stays what it was while the file goes on.
 *
 * Owns:      bytes that may be shared between a file, what of it is on the device, and a handle's view.
 * Invariant: no byte below `sizeBytes` of a content ever changes, so keeping one costs nothing; appending to the
 *            newest content of a buffer is amortised O(bytes appended), because it grows in place.
 */

/** A file's bytes at one moment. */
export class Content {
  static readonly empty = new Content({ bytes: new Uint8Array(0), usedBytes: 0 }, 0);
  readonly sizeBytes: number;
  readonly #buffer: Growing;

  private constructor(buffer: Growing, sizeBytes: number) {
    this.#buffer = buffer;
    this.sizeBytes = sizeBytes;
  }

  /** Copies the bytes. */
  static of(bytes: Uint8Array): Content {
    return bytes.byteLength === 0
      ? Content.empty
      : new Content({ bytes: new Uint8Array(bytes), usedBytes: bytes.byteLength }, bytes.byteLength);
  }

  /** A copy of the bytes from `offset`, at most `lengthBytes` of them. */
  read(offset = 0, lengthBytes = Number.POSITIVE_INFINITY): Uint8Array {
    return this.view().slice(offset, Math.min(this.sizeBytes, offset + lengthBytes));
  }

  /** The bytes themselves; only to be read. */
  view(): Uint8Array {
    return this.#buffer.bytes.subarray(0, this.sizeBytes);
  }

  append(more: Uint8Array): Content {
    const sizeBytes = this.sizeBytes + more.byteLength;
    let buffer = this.#buffer;
    // Bytes beyond this content may belong to a newer one: only the newest grows in place.
    if (buffer.usedBytes !== this.sizeBytes || buffer.bytes.byteLength < sizeBytes) {
      const bytes = new Uint8Array(Math.max(sizeBytes, 2 * this.sizeBytes, 64));
      bytes.set(this.view());
      buffer = { bytes, usedBytes: this.sizeBytes };
    }
    buffer.bytes.set(more, this.sizeBytes);
    buffer.usedBytes = sizeBytes;
    return new Content(buffer, sizeBytes);
  }

  /** The first `sizeBytes`; filled up with zeros when there are fewer. */
  resize(sizeBytes: number): Content {
    if (sizeBytes > this.sizeBytes) return this.append(new Uint8Array(sizeBytes - this.sizeBytes));
    return sizeBytes === this.sizeBytes ? this : new Content(this.#buffer, sizeBytes);
  }
}

interface Growing {
  readonly bytes: Uint8Array;
  usedBytes: number;
}
