/**
 * Digests of actions on the command line.
 *
 * Never: loads what speaks to servers: a task's name has to be told from a digest first.
 */
import {
  type DigestFunction,
  err,
  HEX_LENGTH,
  isDigestFunction,
  ok,
  type Problem,
  problem,
  type Result,
} from "@kahn/core";

/** An action as somebody wrote it. */
export interface ActionName {
  readonly text: string;
  readonly fn: DigestFunction;
  readonly hash: string;
  /** Left out when only the hash was given. */
  readonly sizeBytes?: number;
}

/** True for what is meant as a digest, not as a task's name. */
export function looksLikeDigest(text: string): boolean {
  return /^(?:[a-z0-9]+:)?[0-9a-f]{32,}(?:\/\d+)?$/.test(text);
}

/** Reads `sha256:HASH/SIZE`, `HASH/SIZE` or `HASH`; without a function its length tells it, SHA-256 before BLAKE3. */
export function parseActionName(text: string): Result<ActionName, Problem<"digest-malformed">> {
  const [, given, hash = "", size] = /^(?:([a-z0-9]+):)?([0-9a-f]+)(?:\/(0|[1-9][0-9]{0,14}))?$/.exec(text) ?? [];
  const names = Object.keys(HEX_LENGTH) as DigestFunction[];
  const fn = given ?? names.find((name) => HEX_LENGTH[name] === hash.length) ?? "";
  if (!isDigestFunction(fn) || HEX_LENGTH[fn] !== hash.length) {
    const next = text.includes("#")
      ? "Write the digest of the task's action: `kahn runs show` has it, for tasks that ran with --remote-exec."
      : "Write sha256:HASH/SIZE, HASH/SIZE or HASH, with the hash in lower-case hex.";
    return err(problem("digest-malformed", `"${text}" is not a digest`, { next }));
  }
  return ok({ text, fn, hash, ...(size === undefined ? {} : { sizeBytes: Number(size) }) });
}
