/**
 * JSON Web Tokens of issuers whose public keys are in a file: RS256, ES256, EdDSA.
 *
 * Owns:      keys, signatures, and the claims that decide whether a token is good.
 * Invariant: the algorithm is the key's, never the token's choice; `none` and shared secrets do not exist here. No claim
 *            is looked at before the signature is good.
 * Source:    RFC 7515, 7517, 7518, 7519, 8037.
 */
import type { KeyObject } from "node:crypto";
import { createPublicKey, verify } from "node:crypto";
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { IssuerSettings } from "../operation/server-settings.ts";
import type { Claims, Subject } from "./subject.ts";
import { claimsTest } from "./subject.ts";

/** Public keys of one issuer. */
export type KeySet = readonly PublicKey[];

interface PublicKey {
  readonly id: string | undefined;
  readonly algorithm: "RS256" | "ES256" | "EdDSA";
  readonly key: KeyObject;
}

/** A token that is good, and until when. */
export interface VerifiedToken {
  readonly subject: Subject;
  readonly expiresAtMs: number;
}

const LEEWAY_MS = 60_000;
const LENGTH_MAX = 16_384;

/** Reads a JSON Web Key Set. Keys of other kinds are left out. @returns `serve-jwks-invalid` when none is left. */
export function parseKeySet(file: string, text: string): Result<KeySet, Problem> {
  const invalid = (why: string): Result<KeySet, Problem> => {
    const next = "Fetch the keys from the issuer's jwks_uri again.";
    return err(problem("serve-jwks-invalid", `${file} ${why}`, { where: { file }, next }));
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return invalid("is no JSON");
  }
  const listed = (parsed as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) return invalid("has no list of keys");
  const keys = listed.flatMap((each) => publicKey(each as Readonly<Record<string, unknown>> | null) ?? []);
  return keys.length > 0 ? ok(keys) : invalid("has no key for RS256, ES256 or EdDSA");
}

function publicKey(jwk: Readonly<Record<string, unknown>> | null): PublicKey | undefined {
  if (jwk === null || typeof jwk !== "object" || (jwk.use !== undefined && jwk.use !== "sig")) return undefined;
  const algorithm =
    jwk.kty === "RSA"
      ? "RS256"
      : jwk.kty === "EC" && jwk.crv === "P-256"
        ? "ES256"
        : jwk.kty === "OKP" && jwk.crv === "Ed25519"
          ? "EdDSA"
          : undefined;
  if (algorithm === undefined || (jwk.alg !== undefined && jwk.alg !== algorithm)) return undefined;
  try {
    // The public part alone, should there be more.
    const { kty, n, e, crv, x, y } = jwk;
    const key = createPublicKey({ key: { kty, n, e, crv, x, y } as import("node:crypto").JsonWebKey, format: "jwk" });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    if (bits !== undefined && bits < 2048) return undefined;
    return { id: typeof jwk.kid === "string" ? jwk.kid : undefined, algorithm, key };
  } catch {
    return undefined;
  }
}

/** Verifies tokens of several issuers. */
export class TokenVerifier {
  readonly #issuers = new Map<string, TrustedIssuer>();

  /** Two entries of one issuer are told apart by their audiences. */
  constructor(issuers: readonly (readonly [IssuerSettings, KeySet])[]) {
    for (const [settings, keys] of issuers) {
      const { issuer } = settings;
      const fits = claimsTest(settings.claims);
      const known = this.#issuers.get(issuer) ?? { entries: [] };
      this.#issuers.set(issuer, { entries: [...known.entries, { settings, keys, fits }] });
    }
  }

  get isEmpty(): boolean {
    return this.#issuers.size === 0;
  }

  /** The token's subject, or why it is refused, in words without the token. */
  verify(token: string, nowMs: number): Result<VerifiedToken, string> {
    const parts = token.length > LENGTH_MAX ? [] : token.split(".");
    const header = parts.length === 3 ? jsonOf(parts[0]!) : undefined;
    const claims = parts.length === 3 ? jsonOf(parts[1]!) : undefined;
    if (header === undefined || claims === undefined) return err("it is no JSON Web Token");
    if (header.crit !== undefined) return err("it demands extensions that are unknown here");
    // Only to find the keys: nothing is believed yet.
    const issuer = this.#issuers.get(String(claims.iss));
    if (issuer === undefined) return err("its issuer is not trusted here");
    let why = "its signature is wrong";
    for (const entry of issuer.entries) {
      if (!isSigned(parts as [string, string, string], header, entry.keys)) continue;
      const refused = refusal(claims, entry, nowMs);
      if (refused === undefined) return ok(verified(claims, entry.settings.name));
      why = refused;
    }
    return err(why);
  }
}

interface TrustedIssuer {
  readonly entries: readonly TrustedEntry[];
}

interface TrustedEntry {
  readonly settings: IssuerSettings;
  readonly keys: KeySet;
  readonly fits: (claims: Claims) => boolean;
}

type JsonClaims = Readonly<Record<string, unknown>>;

function isSigned([header, payload, signature]: [string, string, string], named: JsonClaims, keys: KeySet): boolean {
  const signed = Buffer.from(`${header}.${payload}`, "ascii");
  const bytes = Buffer.from(signature, "base64url");
  return keys.some(({ id, algorithm, key }) => {
    if (named.alg !== algorithm || (named.kid !== undefined && id !== undefined && named.kid !== id)) return false;
    if (algorithm === "EdDSA") return verify(null, signed, key, bytes);
    if (algorithm === "ES256") return verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, bytes);
    return verify("sha256", signed, key, bytes);
  });
}

function refusal(claims: JsonClaims, { settings, fits }: TrustedEntry, nowMs: number): string | undefined {
  const audiences = [claims.aud].flat();
  if (!settings.audience.some((audience) => audiences.includes(audience))) return "it is for another audience";
  if (typeof claims.sub !== "string" || claims.sub === "") return "it has no subject";
  if (typeof claims.exp !== "number") return "it never expires";
  if (nowMs >= claims.exp * 1000 + LEEWAY_MS) return "it has expired";
  if (claims.nbf !== undefined && !(typeof claims.nbf === "number" && nowMs >= claims.nbf * 1000 - LEEWAY_MS)) {
    return "it is not good yet";
  }
  return fits(plainClaims(claims)) ? undefined : "it lacks claims that are demanded here";
}

function verified(claims: JsonClaims, issuerName: string): VerifiedToken {
  const subject = { name: `jwt:${issuerName}/${claims.sub as string}`, claims: plainClaims(claims) };
  return { subject, expiresAtMs: (claims.exp as number) * 1000 + LEEWAY_MS };
}

/** The claims that rules can speak of. */
function plainClaims(claims: JsonClaims): Claims {
  const plain: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(claims)) {
    if (Array.isArray(value)) plain[name] = value.filter((each) => typeof each === "string");
    else if (["string", "number", "boolean"].includes(typeof value)) plain[name] = String(value);
  }
  return plain;
}

function jsonOf(part: string): JsonClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonClaims) : undefined;
  } catch {
    return undefined;
  }
}
