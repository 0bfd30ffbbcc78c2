/**
 * Execution: Execute and WaitExecution.
 *
 * Invariant: the first message comes at once and names the operation; a stream ends with the message that is done, and
 *            with no other. What is wrong with the request itself, a full queue and a server that goes away end the
 *            call; everything later stands in `ExecuteResponse.status`.
 */
import type { CallContext, Registration, SendingCall } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import { parseOperationName } from "../../names/resource-name.ts";
import type { Init } from "../../proto/codec.ts";
import type { Operation } from "../../proto/generated/operations.ts";
import type { ExecuteRequest } from "../../proto/generated/remote-execution.ts";
import { ExecutionMethods } from "../../proto/generated/remote-execution.ts";
import type { AccessQuestion, Caller } from "../../reapi/requests/access-port.ts";
import { ANONYMOUS, CALLER } from "../../reapi/requests/access-port.ts";
import { stored, wellFormed } from "../../reapi/requests/refusal.ts";
import { requestMetadata } from "../../reapi/requests/request-metadata.ts";
import type { ServiceContext } from "../../reapi/requests/service-context.ts";
import { ask, oneDigest, permitted } from "../../reapi/requests/service-context.ts";
import type { ActionScope } from "../../store/server-store.ts";
import type { ActionRules } from "../actions/action-request.ts";
import { prepareAction } from "../actions/action-request.ts";
import type { Outcome } from "../machine/operation-state.ts";
import type { ExecutionPool, OperationRecord, OperationRequest } from "../pool/execution-pool.ts";
import { NAME_COST, withWishes } from "../pool/job-work.ts";
import { refused, succeeded } from "../results/execute-response.ts";

/** What the services work with. */
export interface ExecutionServiceParts {
  readonly context: ServiceContext;
  readonly pool: ExecutionPool;
  readonly rules: ActionRules;
  readonly onFault: (error: unknown) => void;
  readonly mayBegin: MayBegin;
}

/** Whether a caller that has so many actions under way may have one more. @throws StatusError */
export type MayBegin = (caller: Caller, underWay: number) => void;

/** Longest list of files to be inlined, in characters and what each costs besides. */
const INLINE_NAMES_MAX = 64 << 10;

/** The Execution service. */
export function executionService(parts: ExecutionServiceParts): Registration[] {
  const { context, pool } = parts;
  return [
    serve(methodOf("server-streaming", ExecutionMethods.execute), async (request, call) => {
      const { asked, mayRead } = operationRequest(context, request, call);
      parts.mayBegin(call.get(CALLER) ?? ANONYMOUS, pool.underWay(asked.caller));
      const record = pool.open(asked);
      void begin(parts, record, mayRead);
      await stream(pool, record, call);
    }),
    serve(methodOf("server-streaming", ExecutionMethods.waitExecution), async (request, call) => {
      await stream(pool, knownOperation(context, pool, { call, name: request.name }), call);
    }),
  ];
}

/** An operation by its name, for a caller who may execute on its instance. @throws StatusError */
export function knownOperation(
  context: ServiceContext,
  pool: ExecutionPool,
  { call, name }: { readonly call: CallContext; readonly name: string },
): OperationRecord {
  const { instance, id } = wellFormed(parseOperationName(name));
  permitted(context, call, { what: "exec", instance });
  const record = pool.find(instance, id);
  if (record !== undefined) return record;
  throw new StatusError(StatusCode.notFound, `there is no operation ${name}, or no longer; execute the action again`);
}

/** Who calls, for whose share an action counts. */
export function callerName(call: CallContext): string {
  return (call.get(CALLER) ?? ANONYMOUS).name;
}

function operationRequest(
  context: ServiceContext,
  request: ExecuteRequest,
  call: CallContext,
): { readonly asked: OperationRequest; readonly mayRead: boolean } {
  const instance = permitted(context, call, { what: "exec", instance: request.instanceName });
  const answerTo = (what: AccessQuestion["what"]) => ask(context, call, { what, instance });
  // What this server ran itself may be stored for all, whatever else its caller may write; but not for all by one who
  // has a layer of its own.
  const layer = [answerTo("ac.write"), answerTo("exec")].find((answer) => answer.kind === "overlay");
  const scope: ActionScope = layer === undefined ? { instance } : { instance, overlay: layer.overlay };
  const { inlineStdout, inlineStderr } = request;
  // A hint; one that is too long to be kept while the action waits is left unheard.
  const namesLength = request.inlineOutputFiles.reduce((sum, path) => sum + path.length + NAME_COST, 0);
  const inlineOutputFiles = namesLength <= INLINE_NAMES_MAX ? request.inlineOutputFiles : [];
  return {
    mayRead: !request.skipCacheLookup && answerTo("ac.read").kind !== "denied",
    asked: {
      instance,
      scope,
      action: oneDigest(context, request.actionDigest, request.digestFunction),
      caller: callerName(call),
      client: requestMetadata(call),
      isFresh: request.skipCacheLookup,
      priority: request.executionPolicy?.priority ?? 0,
      wishes: { inlineStdout, inlineStderr, inlineOutputFiles },
    },
  };
}

/** Answers from the cache, or has it run. Never rejects. */
async function begin(parts: ExecutionServiceParts, record: OperationRecord, mayRead: boolean): Promise<void> {
  const { context, pool, rules, onFault } = parts;
  try {
    const cached = mayRead ? await lookUp(context, record.request) : undefined;
    if (cached !== undefined) pool.answer(record, cached);
    else pool.admit(record, await prepareAction(context.store, record.request.action, rules));
  } catch (error) {
    if (!(error instanceof StatusError)) onFault(error);
    const status = error instanceof StatusError ? error : new StatusError(StatusCode.internal, "the server broke");
    pool.answer(record, refused(status));
  }
}

/** The result that is in the cache already. Nothing is queued for it. */
async function lookUp(context: ServiceContext, request: OperationRequest): Promise<Outcome | undefined> {
  const { scope, action, wishes } = request;
  const found = stored(await context.store.actions.get(scope, action));
  if (found === undefined) return undefined;
  const response = succeeded(await withWishes(context, wishes, found), { isCached: true });
  return { kind: "answered", response, isReusable: true };
}

/** Sends how an operation stands until it is done. */
async function stream(pool: ExecutionPool, record: OperationRecord, call: SendingCall<Init<Operation>>): Promise<void> {
  const { watch, close } = pool.watch(record);
  try {
    for (let update = await watch.next(call.signal); update !== undefined; update = await watch.next(call.signal)) {
      await call.send(update.message);
      if (update.isLast) return;
    }
  } finally {
    close();
  }
}
