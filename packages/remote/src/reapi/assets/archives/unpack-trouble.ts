/** Why an archive was not unpacked, and the bounds that it may run into. */
import type { Clock } from "@kahn/core";
import type { ServerStoreProblem } from "../../../store/server-store.ts";

/** What keeps an archive from becoming a tree. */
export type UnpackTrouble =
  /** It is damaged, or holds what no tree can or may hold. */
  | { readonly kind: "malformed" | "too-large" | "too-late" | "not-found"; readonly message: string }
  | { readonly kind: "stopped" }
  | { readonly kind: "store-failed"; readonly problem: ServerStoreProblem };

/** Thrown inside, and caught at the border of `unpackArchive`. */
export class NotUnpacked extends Error {
  readonly trouble: UnpackTrouble;

  constructor(trouble: UnpackTrouble) {
    super(trouble.kind);
    this.trouble = trouble;
  }
}

/** For what is wrong with an archive itself. @param what completes "the archive …". */
export function malformed(what: string): NotUnpacked {
  return new NotUnpacked({ kind: "malformed", message: `the archive ${what}` });
}

/** What a library said of an archive, as a trouble; what is none of its words goes on as it is. */
export function asMalformed(error: unknown): NotUnpacked {
  if (error instanceof NotUnpacked) return error;
  return malformed(`cannot be read: ${(error as Error).message}`);
}

/** What one archive may come to. */
export interface UnpackBounds {
  /** Of all that is unpacked, what is no content of a file included. */
  readonly bytesMax: number;
  readonly entriesMax: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Counts against the bounds. */
export class UnpackMeter {
  readonly #bounds: UnpackBounds;
  readonly #dueMs: number;
  #bytes = 0;
  #entries = 0;

  constructor(bounds: UnpackBounds) {
    this.#bounds = bounds;
    this.#dueMs = bounds.clock.monotonicMs() + bounds.timeoutMs;
  }

  /** So many bytes have come out. @throws NotUnpacked */
  bytes(count: number): void {
    this.#bytes += count;
    if (this.#bytes > this.#bounds.bytesMax) throw tooLarge(`more than ${this.#bounds.bytesMax} bytes`);
    this.time();
  }

  /** Another file, folder or link has come out. @throws NotUnpacked */
  entry(): void {
    if (++this.#entries > this.#bounds.entriesMax) throw tooLarge(`more than ${this.#bounds.entriesMax} entries`);
    this.time();
  }

  /** More is about to be done. @throws NotUnpacked when nobody waits for it any more */
  time(): void {
    const { timeoutMs, signal, clock } = this.#bounds;
    if (signal.aborted) throw new NotUnpacked({ kind: "stopped" });
    if (clock.monotonicMs() > this.#dueMs) {
      const message = `the archive could not be unpacked within ${timeoutMs} ms`;
      throw new NotUnpacked({ kind: "too-late", message });
    }
  }
}

function tooLarge(what: string): NotUnpacked {
  return new NotUnpacked({ kind: "too-large", message: `the archive unpacks to ${what}` });
}
