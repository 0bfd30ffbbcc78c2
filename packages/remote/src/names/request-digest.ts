/**
 * Digests as requests carry them: `Digest` messages without a function, and core's digests.
 *
 * Invariant: a digest that comes out has lower-case hex of its function's length and a size from 0 up; so nothing that
 *            is made of one, a path above all, can be anything else.
 */
import type { Digest, DigestFunction, Problem, Result } from "@kahn/core";
import { digestHash, digestOfParts, digestSizeBytes, err, ok, problem } from "@kahn/core";
import { type DigestFunctionProblem, emptyHash, requestFunction } from "./digest-function.ts";

/** `Digest` of remote_execution.proto. */
export interface DigestMessage {
  readonly hash: string;
  readonly sizeBytes: number;
}

/** Why the digests of a request cannot be used. INVALID_ARGUMENT. */
export type RequestDigestProblem = Problem<"digest-malformed"> | DigestFunctionProblem;

/** The message of a digest; its function goes into a field of its own. */
export function digestMessage(digest: Digest): DigestMessage {
  return { hash: digestHash(digest), sizeBytes: digestSizeBytes(digest) };
}

/** The digest of a message, made with `fn`. A message that is not there is malformed. */
export function messageDigest(
  message: DigestMessage | undefined,
  fn: DigestFunction,
): Result<Digest, Problem<"digest-malformed">> {
  if (message === undefined) return malformed("a digest is missing");
  const { hash, sizeBytes } = message;
  const digest = digestOfParts(fn, hash, sizeBytes);
  if (digest === undefined) return malformed(`${JSON.stringify(hash.slice(0, 130))}/${sizeBytes} is no ${fn} digest`);
  // The one blob whose size everybody knows; of all others the store finds out.
  if (sizeBytes !== 0 && hash === emptyHash(fn)) return malformed(`${hash} is empty, and not of ${sizeBytes} bytes`);
  return ok(digest);
}

/**
 * The one digest of a request.
 *
 * @param functionNumber the request's `digest_function`; 0 when it named none.
 */
export function requestDigest(
  message: DigestMessage | undefined,
  functionNumber: number,
): Result<Digest, RequestDigestProblem> {
  if (message === undefined) return malformed("a digest is missing");
  const fn = requestFunction(functionNumber, message.hash);
  return fn.ok ? messageDigest(message, fn.value) : fn;
}

/**
 * All digests of a request, in its order; one that is malformed refuses them all.
 *
 * @param functionNumber the request's `digest_function`; 0 when it named none, and then the first digest decides.
 */
export function requestDigests(
  messages: readonly DigestMessage[],
  functionNumber: number,
): Result<Digest[], RequestDigestProblem> {
  const [first] = messages;
  if (first === undefined) return ok([]);
  const fn = requestFunction(functionNumber, first.hash);
  if (!fn.ok) return fn;
  const digests: Digest[] = [];
  for (const message of messages) {
    const digest = messageDigest(message, fn.value);
    if (!digest.ok) return digest;
    digests.push(digest.value);
  }
  return ok(digests);
}

function malformed(message: string): { readonly ok: false; readonly problem: Problem<"digest-malformed"> } {
  const next = "Send the hash in lower-case hex, of the digest function's length, and the exact size in bytes.";
  return err(problem("digest-malformed", message, { next }));
}
