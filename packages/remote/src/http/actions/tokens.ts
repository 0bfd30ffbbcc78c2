/**
 * Signed addresses: what GitHub's clients are given to send and fetch blobs with, without any other right.
 *
 * Invariant: a token that is read here was made here, with the same key, and is not over. It says all that is needed.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock, Digest } from "@kahn/core";
import { parseDigest } from "@kahn/core";

/** What an address allows. */
export type ActionsGrant =
  | { readonly kind: "upload"; readonly id: string }
  | { readonly kind: "download"; readonly digest: Digest };

/** How long an address is good: a job's download may begin late, and its upload take long. */
const VALID_MS = 60 * 60_000;

/** A grant as it stands in an address: clients hide the value of `sig` in their logs. */
export interface ActionsToken {
  readonly text: string;
  readonly signature: string;
}

/** Makes and reads tokens. */
export class ActionsTokens {
  readonly #key: Uint8Array;
  readonly #clock: Clock;

  constructor(key: Uint8Array, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  token(grant: ActionsGrant): ActionsToken {
    const payload = JSON.stringify({ ...grant, untilMs: this.#clock.nowMs() + VALID_MS });
    const text = Buffer.from(payload).toString("base64url");
    return { text, signature: this.#signature(text).toString("base64url") };
  }

  /** What a token allows; `undefined` when it allows nothing. */
  read({ text, signature }: ActionsToken): ActionsGrant | undefined {
    const given = Buffer.from(signature, "base64url");
    const made = this.#signature(text);
    if (given.length !== made.length || !timingSafeEqual(given, made)) return undefined;
    const payload = JSON.parse(Buffer.from(text, "base64url").toString()) as ActionsGrant & {
      readonly untilMs: number;
    };
    if (payload.untilMs < this.#clock.nowMs()) return undefined;
    if (payload.kind === "upload") return { kind: "upload", id: payload.id };
    const digest = parseDigest(payload.digest);
    return digest.ok ? { kind: "download", digest: digest.value } : undefined;
  }

  #signature(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}
