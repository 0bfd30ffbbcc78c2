/**
 * google.longrunning.Operations: get, list, cancel, delete, wait.
 *
 * Invariant: who does not know an operation's name sees no more than their own, unless they have the right `admin`.
 */
import type { CallContext, Registration } from "../../grpc/index.ts";
import { methodOf, serve } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { messageDurationMs } from "../../proto/core-messages.ts";
import type { ListOperationsRequest, ListOperationsResponse } from "../../proto/generated/operations.ts";
import { Operation, OperationsMethods } from "../../proto/generated/operations.ts";
import { invalidArgument } from "../../reapi/requests/refusal.ts";
import type { ServiceContext } from "../../reapi/requests/service-context.ts";
import { ask, permitted } from "../../reapi/requests/service-context.ts";
import type { ExecutionPool, OperationRecord } from "../pool/execution-pool.ts";
import { operationMessage } from "../pool/operation-message.ts";
import { callerName, knownOperation } from "./execution-service.ts";
import { parseOperationFilter, parsePageToken, printPageToken } from "./operation-filter.ts";

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

/** The Operations service. */
export function operationsService(context: ServiceContext, pool: ExecutionPool): Registration[] {
  const known = (name: string, call: CallContext): OperationRecord => knownOperation(context, pool, { call, name });
  return [
    serve(methodOf("unary", OperationsMethods.getOperation), ({ name }, call) => shownOf(known(name, call))),
    serve(methodOf("unary", OperationsMethods.listOperations), (request, call) =>
      listed(context, pool, { request, call }),
    ),
    serve(methodOf("unary", OperationsMethods.cancelOperation), ({ name }, call) => {
      pool.cancel(known(name, call));
      return {};
    }),
    serve(methodOf("unary", OperationsMethods.deleteOperation), ({ name }, call) => {
      pool.delete(known(name, call));
      return {};
    }),
    serve(methodOf("unary", OperationsMethods.waitOperation), async ({ name, timeout }, call) => {
      const limitMs = timeout === undefined ? undefined : messageDurationMs(timeout);
      return await waited(context, pool, { record: known(name, call), call, limitMs });
    }),
  ];
}

/** Resolves when it is done, or the limit is over, with how it stands. */
async function waited(
  context: ServiceContext,
  pool: ExecutionPool,
  of: { readonly record: OperationRecord; readonly call: CallContext; readonly limitMs: number | undefined },
): Promise<Init<Operation>> {
  const { record, call, limitMs } = of;
  const end = new AbortController();
  const stop = (): void => end.abort();
  const timer = limitMs === undefined ? undefined : context.clock.setTimer(Math.max(0, limitMs), stop);
  call.signal.addEventListener("abort", stop);
  const { watch, close } = pool.watch(record);
  try {
    for (;;) {
      const update = await watch.next(end.signal);
      if (update === undefined || update.isLast) return watch.newest.message;
    }
  } finally {
    close();
    timer?.cancel();
    call.signal.removeEventListener("abort", stop);
  }
}

/** One page. `name` is `{instance}/operations`, or the instance alone. */
function listed(
  context: ServiceContext,
  pool: ExecutionPool,
  { request, call }: { readonly request: ListOperationsRequest; readonly call: CallContext },
): Init<ListOperationsResponse> {
  const instance = permitted(context, call, { what: "exec", instance: request.name.replace(/(^|\/)operations$/, "") });
  const filter = parseOperationFilter(request.filter);
  if (!filter.ok) throw invalidArgument(filter.problem);
  const after = parsePageToken(request.pageToken);
  if (after === undefined) throw invalidArgument("page_token is none that was given out here");
  if (request.pageSize < 0) throw invalidArgument(`page_size is ${request.pageSize}`);
  const seesAll = ask(context, call, { what: "admin", instance }).kind === "allowed";
  const caller = callerName(call);
  const sizeMax = Math.min(request.pageSize === 0 ? PAGE_DEFAULT : request.pageSize, PAGE_MAX);
  const operations: Init<Operation>[] = [];
  let bytes = 0;
  let last = after;
  for (const record of pool.all()) {
    if (record.number <= after || record.request.instance !== instance) continue;
    if ((!seesAll && record.request.caller !== caller) || !filter.value(record)) continue;
    const message = shownOf(record);
    bytes += Operation.encode(message).length;
    const isFull = operations.length >= sizeMax || (operations.length > 0 && bytes > context.limits.answerMaxBytes);
    if (isFull) return { operations, nextPageToken: printPageToken(last) };
    operations.push(message);
    last = record.number;
  }
  return { operations };
}

function shownOf({ view, shown }: OperationRecord): Init<Operation> {
  return operationMessage(view, shown);
}
