/**
 * From an action's digest to what a runner is asked: reads Action and Command, and judges what can be judged at once.
 *
 * Never: looks at the input tree (`input-closure.ts`), or at what the runner checks anyway (paths, environment).
 */
import type { Digest } from "@kahn/core";
import { digestFunction, readMessage } from "@kahn/core";
import type { HermeticRequest } from "@kahn/exec";
import { messageDigest } from "../../names/request-digest.ts";
import type { Codec } from "../../proto/codec.ts";
import { messageDurationMs } from "../../proto/core-messages.ts";
import { DecodeError } from "../../proto/decode-error.ts";
import { Action, Command } from "../../proto/generated/remote-execution.ts";
import { invalidArgument, missingBlobs, stored, wellFormed } from "../../reapi/requests/refusal.ts";
import type { ServerStore } from "../../store/server-store.ts";
import { hermeticCommand, platformOf, wantsNetwork } from "./hermetic-command.ts";
import type { PlatformPolicy } from "./platform.ts";
import { poolOf } from "./platform.ts";

/** How actions are judged. */
export interface ActionRules {
  readonly platform: PlatformPolicy;
  /** For actions that name none. */
  readonly timeoutMs: number;
  /** An action that asks for more is refused. */
  readonly timeoutMaxMs: number;
}

/** An action that may be run. */
export interface PreparedAction {
  readonly request: HermeticRequest;
  /** Action and Command. */
  readonly messages: readonly Digest[];
  readonly doNotCache: boolean;
  readonly pool: string;
  /** Outputs were declared by fields of REAPI 2.0. */
  readonly isOlder: boolean;
}

/** No sensible Action or Command is larger. */
const MESSAGE_MAX_BYTES = 32 << 20;

/** Reads an action. @throws StatusError: FAILED_PRECONDITION with what is missing, or INVALID_ARGUMENT. */
export async function prepareAction(store: ServerStore, digest: Digest, rules: ActionRules): Promise<PreparedAction> {
  const action = await readAs(store, digest, Action);
  const fn = digestFunction(digest);
  const commandDigest = wellFormed(messageDigest(action.commandDigest, fn));
  const inputRoot = wellFormed(messageDigest(action.inputRootDigest, fn));
  const timeoutMs = timeoutOf(action, rules);
  const command = await readAs(store, commandDigest, Command);
  const platform = platformOf(action, command);
  const pool = poolOf(platform, rules.platform);
  if (!pool.ok) throw invalidArgument(pool.problem);
  return {
    request: {
      command: hermeticCommand(command, platform),
      inputRoot,
      timeoutMs,
      network: wantsNetwork(platform),
      label: digest,
    },
    messages: [digest, commandDigest],
    doNotCache: action.doNotCache,
    pool: pool.value,
    isOlder: command.outputPaths.length === 0,
  };
}

async function readAs<T>(store: ServerStore, digest: Digest, codec: Codec<T>): Promise<T> {
  const name = codec.typeName.slice(codec.typeName.lastIndexOf(".") + 1);
  const message = stored(await readMessage(store.blobs, digest, MESSAGE_MAX_BYTES));
  if (message.kind === "too-large") throw invalidArgument(`${digest} is too large for a ${name}`);
  if (message.kind === "missing") throw missingBlobs([digest]);
  try {
    return codec.decode(message.bytes);
  } catch (error) {
    if (error instanceof DecodeError) throw invalidArgument(`${digest} is no ${name}: ${error.message}`);
    throw error;
  }
}

/** A duration of 0 stands for none, as it does where it is not sent. */
function timeoutOf({ timeout }: Action, { timeoutMs, timeoutMaxMs }: ActionRules): number {
  const askedMs = timeout === undefined ? 0 : messageDurationMs(timeout);
  if (askedMs < 0) throw invalidArgument(`the action's timeout is ${askedMs} ms`);
  if (askedMs > timeoutMaxMs) {
    throw invalidArgument(`the action's timeout is ${askedMs} ms; this server allows ${timeoutMaxMs} ms`);
  }
  return askedMs === 0 ? timeoutMs : askedMs;
}
