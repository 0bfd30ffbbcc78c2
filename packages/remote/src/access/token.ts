/**
 * Bearer tokens: making them, and finding whose one is.
 *
 * Never:     keeps a token; what is kept is its SHA-256, which is enough for texts of 256 random bits.
 * Invariant: hashes are compared in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Random } from "@kahn/core";
import type { TokenSettings } from "../operation/server-settings.ts";
import type { Subject } from "./subject.ts";

/** A new token, to be shown once, and the hash that goes into the configuration. */
export interface NewToken {
  readonly token: string;
  readonly hash: string;
}

/** Makes a token of 256 bits. */
export function newToken(random: Random): NewToken {
  const token = `kahn_${Buffer.from(random.bytes(32)).toString("base64url")}`;
  return { token, hash: tokenHash(token) };
}

/** The hash of a token as the configuration has it. */
export function tokenHash(token: string): string {
  return `sha256:${createHash("sha256").update(token, "utf8").digest("hex")}`;
}

interface KnownToken {
  readonly hash: Buffer;
  readonly subject: Subject;
  readonly expiresAtMs: number;
}

/** The tokens of a configuration. */
export class TokenList {
  /** By the first bytes of their hashes, which an attacker cannot turn into a token. */
  readonly #tokens = new Map<string, KnownToken[]>();

  constructor(settings: readonly TokenSettings[]) {
    for (const { name, hash, claims, expires } of settings) {
      const bytes = Buffer.from(hash.slice("sha256:".length), "hex");
      const subject = { name: `token:${name}`, claims };
      const known = { hash: bytes, subject, expiresAtMs: expires ?? Number.POSITIVE_INFINITY };
      const key = bytes.toString("hex", 0, 4);
      this.#tokens.set(key, [...(this.#tokens.get(key) ?? []), known]);
    }
  }

  get isEmpty(): boolean {
    return this.#tokens.size === 0;
  }

  /** Whose token it is; `expired` for one that was good once. */
  find(token: string, nowMs: number): Subject | "unknown" | "expired" {
    const hash = createHash("sha256").update(token, "utf8").digest();
    for (const known of this.#tokens.get(hash.toString("hex", 0, 4)) ?? []) {
      if (timingSafeEqual(known.hash, hash)) return nowMs < known.expiresAtMs ? known.subject : "expired";
    }
    return "unknown";
  }
}
