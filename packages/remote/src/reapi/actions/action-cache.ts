/**
 * ActionCache: results by instance, layer and digest.
 *
 * Invariant: what a client stored comes back byte for byte, with what it asks to have inlined behind it, and never as
 *            more than one message may hold. Failed actions are not stored unless that was chosen.
 * Never:     interprets a key, or the blob behind it, unless `strict`.
 */

import { loadEngine } from "@kahn/cas";
import type { ActionResult, Digest } from "@kahn/core";
import { decodeAction, digestFunction, digestSizeBytes, readMessage } from "@kahn/core";
import type { Codec, EncodedMessage, Registration } from "../../grpc/index.ts";
import { methodOf, RAW_PARTS, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import {
  ActionCacheMethods,
  type GetActionResultRequest,
  UpdateActionResultRequest,
} from "../../proto/generated/remote-execution.ts";
import { invalidArgument, missingBlobs, stored } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { oneDigest, permittedScope } from "../requests/service-context.ts";
import { mergedContent } from "../wire/fields.ts";
import { withBytes } from "../wire/message-codecs.ts";
import { checkedActionResult } from "./action-result-check.ts";
import type { Inlined } from "./inlining.ts";
import { isWorthInlining, withInlined, withoutRaw, withWorker } from "./inlining.ts";

/** How results are taken. */
export interface ActionCacheOptions {
  /** Refuses a result whose Action or Command is not in the store. Default: false; moon has neither. */
  readonly strict: boolean;
  /** Takes results whose exit code is not 0. Default: false. */
  readonly cacheFailures: boolean;
  /** Stands for the worker in results that name none. */
  readonly workerName: string;
}

const RESULT_FIELD = 0o32;
/** What is kept free for heads of fields and trailers when contents are inlined. */
const SLACK_BYTES = 4096;

/** The ActionCache service. */
export function actionCacheService(context: ServiceContext, options: ActionCacheOptions): Registration[] {
  const response: Codec<Uint8Array, EncodedMessage> = RAW_PARTS;
  const get = { ...methodOf("unary", ActionCacheMethods.getActionResult), response };
  const update = {
    ...methodOf("unary", ActionCacheMethods.updateActionResult),
    request: withBytes(UpdateActionResultRequest),
    response,
  };
  return [
    serve(get, async (request, call) => {
      const scope = permittedScope(context, call, { what: "ac.read", instance: request.instanceName });
      const action = oneDigest(context, request.actionDigest, request.digestFunction);
      const found = stored(await context.store.actions.get(scope, action));
      if (found === undefined) throw new StatusError(StatusCode.notFound, `there is no result for ${action}`);
      const inlined = await inlinedOf(context, request, found);
      return withInlined(found.bytes, inlined);
    }),
    serve(update, async ({ message, bytes }, call) => {
      const scope = permittedScope(context, call, { what: "ac.write", instance: message.instanceName });
      const action = oneDigest(context, message.actionDigest, message.digestFunction);
      if (message.actionResult === undefined) throw invalidArgument("action_result is missing");
      // A copy: the request's buffer is not kept for one field of it.
      const sent = Uint8Array.from(mergedContent(bytes, RESULT_FIELD));
      const result = checkedActionResult(sent, digestFunction(action));
      if (result.exitCode !== 0 && !options.cacheFailures) {
        throw new StatusError(
          StatusCode.failedPrecondition,
          `the action ended with exit code ${result.exitCode}; this server caches successes only`,
        );
      }
      if (options.strict) await mustHaveAction(context, action);
      const named = result.metadata.worker === "" ? withWorker(sent, options.workerName) : sent;
      const kept =
        named.length > context.limits.answerMaxBytes - SLACK_BYTES ? await shrunk(context, action, named) : named;
      stored(await context.store.actions.put(scope, action, kept));
      return kept;
    }),
  ];
}

/**
 * Reads what a client wants to have inlined, as long as there is room: hints, which may be left unheard.
 *
 * @throws StatusError when the store fails.
 */
export async function inlinedOf(
  context: ServiceContext,
  request: Pick<GetActionResultRequest, "inlineStdout" | "inlineStderr" | "inlineOutputFiles">,
  { bytes, result }: { readonly bytes: Uint8Array; readonly result: ActionResult },
): Promise<Inlined> {
  let room = context.limits.answerMaxBytes - SLACK_BYTES - bytes.length;
  const read = async (digest: Digest): Promise<Uint8Array | undefined> => {
    const sizeBytes = digestSizeBytes(digest);
    if (sizeBytes > room) return undefined;
    const blob = stored(await context.store.blobs.read(digest));
    // The heads of the field and of the file around it.
    if (blob !== undefined) room -= sizeBytes + 16;
    return blob;
  };
  const files = new Map<string, Uint8Array>();
  const inlined: { stdout?: Uint8Array | undefined; stderr?: Uint8Array | undefined; files: typeof files } = { files };
  const { stdout, stderr, stdoutRaw, stderrRaw } = result;
  if (request.inlineStdout && isAbsent(stdoutRaw) && isWorthInlining(stdout)) inlined.stdout = await read(stdout);
  if (request.inlineStderr && isAbsent(stderrRaw) && isWorthInlining(stderr)) inlined.stderr = await read(stderr);
  if (request.inlineOutputFiles.length === 0) return inlined;
  const wanted = new Set(request.inlineOutputFiles);
  for (const { path, digest } of result.outputFiles) {
    if (!wanted.has(path) || !isWorthInlining(digest)) continue;
    const contents = await read(digest);
    if (contents !== undefined) files.set(path, contents);
  }
  return inlined;
}

function isAbsent(raw: Uint8Array | undefined): boolean {
  return raw === undefined || raw.length === 0;
}

/** A result that no answer could hold: what it carries raw goes into blobs. */
async function shrunk(context: ServiceContext, action: Digest, result: Uint8Array): Promise<Uint8Array> {
  const engine = await loadEngine(digestFunction(action));
  const small = withoutRaw(result, engine.digest);
  if (small.result.length > context.limits.answerMaxBytes - SLACK_BYTES) {
    throw invalidArgument(`the result has ${small.result.length} bytes, more than an answer may have`);
  }
  for (const { digest, bytes } of small.raw) stored(await context.store.blobs.write(digest, bytes));
  return small.result;
}

/** No sensible Action is larger. */
const ACTION_MAX_BYTES = 32 << 20;

/** @throws StatusError FAILED_PRECONDITION when the Action or its Command is missing. */
async function mustHaveAction(context: ServiceContext, digest: Digest): Promise<void> {
  const message = stored(await readMessage(context.store.blobs, digest, ACTION_MAX_BYTES));
  if (message.kind === "too-large") throw invalidArgument(`${digest} is too large for an Action`);
  if (message.kind === "missing") throw missingBlobs([digest]);
  const action = decodeAction(message.bytes, digestFunction(digest));
  if (!action.ok)
    throw new StatusError(StatusCode.failedPrecondition, `${digest} is no Action: ${action.problem.message}`);
  const missing = stored(await context.store.blobs.findMissing([action.value.command]));
  if (missing.length > 0) throw missingBlobs(missing);
}
