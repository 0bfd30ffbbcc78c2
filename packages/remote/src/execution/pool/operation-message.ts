/** Operations as clients see them. */
import type { Digest } from "@kahn/core";
import { digestFunction } from "@kahn/core";
import { digestFunctionNumber } from "../../names/digest-function.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import { packAny } from "../../proto/core-messages.ts";
import type { Operation } from "../../proto/generated/operations.ts";
import {
  type ExecutedActionMetadata,
  ExecuteOperationMetadata,
  ExecuteResponse,
  ExecutionStageValue,
} from "../../proto/generated/remote-execution.ts";
import type { OperationView } from "../machine/operation-state.ts";
import { responseOf } from "../results/execute-response.ts";

/** What a message says beside the stage. */
export interface OperationShown {
  readonly name: string;
  readonly action: Digest;
  readonly partial: Init<ExecutedActionMetadata> | undefined;
  readonly stdoutStreamName: string;
  readonly stderrStreamName: string;
}

const STAGES = {
  "cache-check": ExecutionStageValue.CACHE_CHECK,
  queued: ExecutionStageValue.QUEUED,
  executing: ExecutionStageValue.EXECUTING,
  completed: ExecutionStageValue.COMPLETED,
} as const;

const RESPONSE_URL = `type.googleapis.com/${ExecuteResponse.typeName}`;

/** The message of an operation at one moment. */
export function operationMessage(view: OperationView, shown: OperationShown): Init<Operation> {
  const { name, action, partial, stdoutStreamName, stderrStreamName } = shown;
  const metadata = packAny(ExecuteOperationMetadata, {
    stage: STAGES[view.stage],
    actionDigest: digestMessage(action),
    digestFunction: digestFunctionNumber(digestFunction(action)),
    partialExecutionMetadata: partial,
    stdoutStreamName,
    stderrStreamName,
  });
  if (view.stage !== "completed") return { name, metadata, done: false };
  const response = { typeUrl: RESPONSE_URL, value: responseOf(view.outcome) };
  return { name, metadata, done: true, result: { kind: "response", value: response } };
}
