/**
 * A limit on bytes that are held for peers, over a connection within that of a server.
 *
 * Invariant: what was taken is given back exactly once; the sum over all children never exceeds the parent's limit.
 */

/** Bytes that may be held at once. */
export class ByteBudget {
  readonly limitBytes: number;
  readonly #parent: ByteBudget | undefined;
  #heldBytes = 0;

  constructor(limitBytes: number, parent?: ByteBudget) {
    this.limitBytes = limitBytes;
    this.#parent = parent;
  }

  /** Bytes held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes so many bytes (or gives back, if negative). @returns false, and takes nothing, if there are not as many. */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#heldBytes + bytes > this.limitBytes) return false;
    if (this.#parent !== undefined && !this.#parent.take(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }
}
