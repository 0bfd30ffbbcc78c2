/** What a hash thread and its program say to each other, in order. The program's data is the memory that they share. */
import type { NativeDigestFunction } from "@kahn/core";

/** To the thread. The first piece of a hash begins it. */
export type HashRequest =
  /** A piece in the shared memory. */
  | {
      readonly kind: "shared";
      readonly id: number;
      readonly fn: NativeDigestFunction;
      readonly offset: number;
      readonly lengthBytes: number;
    }
  /** A copy of a piece, at the beginning of memory that goes to the thread and back. */
  | {
      readonly kind: "moved";
      readonly id: number;
      readonly fn: NativeDigestFunction;
      readonly memory: Uint8Array<ArrayBuffer>;
      readonly lengthBytes: number;
    }
  | { readonly kind: "end"; readonly id: number; readonly fn: NativeDigestFunction }
  | { readonly kind: "drop"; readonly id: number };

/** From the thread: one for each piece, and one for each end. */
export type HashReply =
  | { readonly kind: "hashed"; readonly id: number; readonly memory?: Uint8Array<ArrayBuffer> }
  | { readonly kind: "ended"; readonly id: number; readonly hex: string };
