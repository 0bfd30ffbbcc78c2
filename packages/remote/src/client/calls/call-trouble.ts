/**
 * What a failed call says about trying again, and about what is missing.
 *
 * Owns:   reading the details of a status, and turning a status into a problem of a store.
 * Source: `google.rpc.RetryInfo` and `PreconditionFailure`; the codes after which REAPI clients repeat a call.
 */
import type { Digest, DigestFunction, Problem } from "@kahn/core";
import { digestOfParts, problem } from "@kahn/core";
import type { Status } from "../../grpc/index.ts";
import { StatusCode } from "../../grpc/index.ts";
import type { Codec } from "../../proto/codec.ts";
import { messageDurationMs, unpackAny } from "../../proto/core-messages.ts";
import { DecodeError } from "../../proto/decode-error.ts";
import { PreconditionFailure, RetryInfo } from "../../proto/generated/error-details.ts";
import { Status as RpcStatus } from "../../proto/generated/status.ts";

const CODE_NAMES = new Map<number, string>(
  Object.entries(StatusCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, (it) => `_${it}`).toUpperCase()]),
);

/** A status in words: `UNAVAILABLE: the connection was lost`. */
export function statusText({ code, message }: Pick<RpcStatus, "code" | "message">): string {
  const name = CODE_NAMES.get(code) ?? `status ${code}`;
  return message === "" ? name : `${name}: ${message}`;
}

/** Details of one type; a server that sends rubbish sends none. */
export function detailsOf<T>(codec: Codec<T>, status: Status | RpcStatus): T[] {
  try {
    const { details } = status;
    const all = details instanceof Uint8Array ? RpcStatus.decode(details).details : (details ?? []);
    return all.flatMap((any) => unpackAny(codec, any) ?? []);
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}

/** How long a server wants to be left alone before the call is repeated; `undefined` if it says nothing. */
export function askedDelayMs(status: Status | RpcStatus): number | undefined {
  const [info] = detailsOf(RetryInfo, status);
  return info?.retryDelay === undefined ? undefined : Math.max(0, messageDurationMs(info.retryDelay));
}

/** True when the same call may go well a moment later. */
export function isTransient(status: Status | RpcStatus): boolean {
  switch (status.code) {
    case StatusCode.unavailable:
    case StatusCode.aborted:
    case StatusCode.deadlineExceeded:
    case StatusCode.internal:
    case StatusCode.unknown:
      return true;
    case StatusCode.resourceExhausted:
      // Without a delay it may as well be a limit that holds for good, such as that of a message's size.
      return askedDelayMs(status) !== undefined;
    default:
      return false;
  }
}

/** The blobs that a FAILED_PRECONDITION names as missing; empty if it is about something else. */
export function missingBlobsOf(status: Status | RpcStatus, fn: DigestFunction): Digest[] {
  if (status.code !== StatusCode.failedPrecondition) return [];
  const violations = detailsOf(PreconditionFailure, status).flatMap((each) => each.violations);
  return violations.flatMap(({ type, subject }) => {
    const match = type === "MISSING" ? /(?:^|\/)blobs\/(?:[a-z0-9]+\/)?([0-9a-f]+)\/(\d+)$/.exec(subject) : null;
    const digest = match === null ? undefined : digestOfParts(fn, match[1]!, Number(match[2]));
    return digest ?? [];
  });
}

/** Who answered, or did not. */
export interface Asked {
  /** Its address. */
  readonly name: string;
  /** What was shown to it, and where that comes from: for those who have to mend it. No secret. */
  readonly credentials?: string | undefined;
}

/** Said of a whole server, since they were the answers to something that each has and everybody may ask for. */
const FINAL: ReadonlySet<StatusCode> = new Set([
  ...[StatusCode.permissionDenied, StatusCode.unauthenticated, StatusCode.unimplemented],
  ...[StatusCode.invalidArgument, StatusCode.outOfRange, StatusCode.failedPrecondition, StatusCode.notFound],
]);

/** The problem that a store answers a question with: `store-refused` when asking again changes nothing. */
export function remoteProblem(server: Asked, status: RemoteTrouble): Problem<"store-remote" | "store-refused"> {
  const code = FINAL.has(status.code) ? "store-refused" : "store-remote";
  return problem(code, `${server.name}: ${statusText(status)}`, { next: hintOf(server, status) });
}

/** Unauthenticated, too: those whom nobody knows may often read. */
const TAKES_NOTHING: ReadonlySet<StatusCode> = new Set([
  StatusCode.permissionDenied,
  StatusCode.unauthenticated,
  StatusCode.unimplemented,
]);

/**
 * The same of something that was sent: `store-denied` when the server takes nothing from us, which may well be read;
 * any other refusal may be about this one thing.
 */
export function sendingProblem(server: Asked, status: RemoteTrouble): Problem<"store-remote" | "store-denied"> {
  if (!TAKES_NOTHING.has(status.code)) {
    return problem("store-remote", `${server.name}: ${statusText(status)}`, { next: hintOf(server, status) });
  }
  const next = `${hintOf(server, status)} To only read it, set cache.remote.mode to "r".`;
  return problem("store-denied", `${server.name} takes nothing: ${statusText(status)}`, { next });
}

/** A status, as far as it is told. */
export type RemoteTrouble = Pick<Status, "code" | "message" | "about">;

function hintOf({ credentials }: Asked, { code, about }: RemoteTrouble): string {
  if (about === "certificate") {
    return "Name the authority of its certificate in cache.remote.tls.ca, and a certificate of yours in tls.cert and tls.key where it wants one.";
  }
  if (code !== StatusCode.unauthenticated && code !== StatusCode.permissionDenied) {
    return "Check the address, the network and the server's log.";
  }
  return credentials ?? "Check the token or certificate, and what it may do there.";
}
