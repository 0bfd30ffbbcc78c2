/**
 * What the services of one server share: the store, the rights, the limits, and the questions every request is asked.
 *
 * Invariant: no digest of a function that is not served here, and no instance that is none, gets past this module.
 */
import type { Clock, Digest, DigestFunction, Random } from "@kahn/core";
import { digestFunction, digestSizeBytes, InvariantError } from "@kahn/core";
import type { CallContext } from "../../grpc/index.ts";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { DigestMessage } from "../../names/request-digest.ts";
import { requestDigest, requestDigests } from "../../names/request-digest.ts";
import { parseInstanceName } from "../../names/resource-name.ts";
import { CompressorValue } from "../../proto/generated/remote-execution.ts";
import type { ActionScope, ServerStore } from "../../store/server-store.ts";
import type { Zstd } from "../wire/zstd-port.ts";
import type { Access, AccessAnswer, AccessQuestion } from "./access-port.ts";
import { ANONYMOUS, CALLER } from "./access-port.ts";
import { invalidArgument, wellFormed } from "./refusal.ts";

/** Bounds on what a request may ask for. */
export interface ReapiLimits {
  /** Bytes of all blobs of one batch, both ways; announced. Below the 4 MiB that gRPC clients take by default. */
  readonly batchMaxBytes: number;
  /** Bytes of one message of an answer: a page of a tree, a result with what was inlined. */
  readonly answerMaxBytes: number;
  /** Directories of one page of a tree, when the client does not say. */
  readonly pageDirectories: number;
  /** How long an unfinished upload is kept for its client to come back, and how many are. */
  readonly uploadKeptMs: number;
  readonly uploadsKeptMax: number;
  /** Of all that are kept; never more than a quarter of the store. */
  readonly uploadsKeptMaxBytes: number;
  /** Bytes of one log, and how long a finished one is kept; how many there are. */
  readonly logMaxBytes: number;
  readonly logKeptMs: number;
  readonly logsMax: number;
  /** Bytes of one asset fetched from its origin, and the longest such fetch. */
  readonly assetMaxBytes: number;
  readonly assetTimeoutMs: number;
}

/** Limits for a server of a team. */
export const DEFAULT_REAPI_LIMITS: ReapiLimits = {
  batchMaxBytes: (4 << 20) - (64 << 10),
  answerMaxBytes: (4 << 20) - (64 << 10),
  pageDirectories: 1000,
  uploadKeptMs: 10 * 60_000,
  uploadsKeptMax: 10_000,
  uploadsKeptMaxBytes: 16 * 2 ** 30,
  logMaxBytes: 16 << 20,
  logKeptMs: 10 * 60_000,
  logsMax: 1000,
  assetMaxBytes: 4 * 1024 ** 3,
  assetTimeoutMs: 30 * 60_000,
};

/** What every service is made with. */
export interface ServiceContext {
  readonly store: ServerStore;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly zstd: Zstd | undefined;
  readonly digestFunctions: readonly DigestFunction[];
  readonly limits: ReapiLimits;
}

/** The instance of a request, whose caller has the right. @throws StatusError */
export function permitted(
  context: ServiceContext,
  call: CallContext,
  { what, instance: name }: AccessQuestion,
): string {
  const instance = wellFormed(parseInstanceName(name));
  demand(ask(context, call, { what, instance }));
  return instance;
}

/** The layer of results that a caller reads or writes. @throws StatusError when it may not. */
export function permittedScope(
  context: ServiceContext,
  call: CallContext,
  { what, instance: name }: AccessQuestion,
): ActionScope {
  const instance = wellFormed(parseInstanceName(name));
  const answer = ask(context, call, { what, instance });
  demand(answer);
  return answer.kind === "overlay" ? { instance, overlay: answer.overlay } : { instance };
}

/** What `access` says to the call's caller. */
export function ask(context: ServiceContext, call: CallContext, question: AccessQuestion): AccessAnswer {
  return context.access.may(call.get(CALLER) ?? ANONYMOUS, question);
}

function demand(answer: AccessAnswer): void {
  if (answer.kind !== "denied") return;
  const isUnknown = answer.because === "unauthenticated";
  throw new StatusError(isUnknown ? StatusCode.unauthenticated : StatusCode.permissionDenied, answer.message);
}

/** A digest of a function that is served here. @throws StatusError INVALID_ARGUMENT */
export function servedDigest(context: ServiceContext, digest: Digest): Digest {
  const fn = digestFunction(digest);
  if (context.digestFunctions.includes(fn)) return digest;
  throw invalidArgument(`digest function ${fn} is not served here; use ${context.digestFunctions.join(", ")}`);
}

/** The one digest of a request. @throws StatusError INVALID_ARGUMENT */
export function oneDigest(context: ServiceContext, message: DigestMessage | undefined, functionNumber: number): Digest {
  return servedDigest(context, wellFormed(requestDigest(message, functionNumber)));
}

/** All digests of a request. @throws StatusError INVALID_ARGUMENT */
export function allDigests(
  context: ServiceContext,
  messages: readonly DigestMessage[],
  functionNumber: number,
): readonly Digest[] {
  const digests = wellFormed(requestDigests(messages, functionNumber));
  // One function per request.
  if (digests.length > 0) servedDigest(context, digests[0]!);
  return digests;
}

/** The zstd that was announced. */
export function zstdOf(context: ServiceContext): Zstd {
  if (context.zstd === undefined) throw new InvariantError("zstd is used and was not announced");
  return context.zstd;
}

/** True for a compressor that the capabilities list, or none. */
export function isServedCompressor(context: ServiceContext, compressor: number): boolean {
  if (compressor === CompressorValue.IDENTITY) return true;
  return compressor === CompressorValue.ZSTD && context.zstd !== undefined;
}

/** Bytes that the blobs of these digests have together. */
export function totalBytes(digests: readonly Digest[]): number {
  let bytes = 0;
  for (const digest of digests) bytes += digestSizeBytes(digest);
  return bytes;
}
