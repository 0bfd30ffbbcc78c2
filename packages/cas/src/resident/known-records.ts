/** Records that have been decoded, kept in memory up to a bound; the oldest go first. */
import type { ActionResult, Digest } from "@kahn/core";

/** A record. */
export interface StoredRecord {
  /** The encoded ActionResult. */
  readonly bytes: Uint8Array;
  readonly result: ActionResult;
}

/** A record, and what it stands on. */
export interface KnownRecord extends StoredRecord {
  /** Another one when the record is another one. */
  readonly token: string;
  /** All its blobs, those in its trees too. */
  readonly digests: readonly Digest[];
}

/** Of records and of digests. */
const MAX_BYTES = 32 * 1024 * 1024;
const DIGEST_BYTES = 100;

/** Decoded records by action. */
export class KnownRecords {
  readonly #records = new Map<Digest, KnownRecord>();
  #bytes = 0;

  /** The record of an action if it is still the one with this token. */
  get(action: Digest, token: string): KnownRecord | undefined {
    const known = this.#records.get(action);
    return known?.token === token ? known : undefined;
  }

  remember(action: Digest, record: KnownRecord): void {
    this.forget(action);
    this.#records.set(action, record);
    this.#bytes += costOf(record);
    for (const oldest of this.#records.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      this.forget(oldest);
    }
  }

  forget(action: Digest): void {
    const known = this.#records.get(action);
    if (known === undefined) return;
    this.#bytes -= costOf(known);
    this.#records.delete(action);
  }
}

function costOf({ bytes, digests }: KnownRecord): number {
  return bytes.byteLength + DIGEST_BYTES * digests.length;
}
