/**
 * An action as it is stored: its `Action` and `Command`, read back.
 *
 * Never: looks at the input tree, which may be large.
 */
import type { BlobStore, Digest, Problem, Property, Result } from "@kahn/core";
import { digestFunction, err, ok, problem, readMessage } from "@kahn/core";
import type { HermeticCommand, HermeticRequest } from "@kahn/exec";
import { hermeticCommand, platformOf, wantsNetwork } from "../execution/actions/hermetic-command.ts";
import { messageDigest } from "../names/request-digest.ts";
import type { Codec } from "../proto/codec.ts";
import { messageDurationMs } from "../proto/core-messages.ts";
import { DecodeError } from "../proto/decode-error.ts";
import { Action, Command } from "../proto/generated/remote-execution.ts";

/** An action with its command. */
export interface StoredAction {
  readonly digest: Digest;
  readonly commandDigest: Digest;
  readonly inputRoot: Digest;
  readonly command: HermeticCommand;
  /** The one that counts: the action's, else the command's. */
  readonly platform: readonly Property[];
  /** Left out for none. */
  readonly timeoutMs?: number;
  readonly doNotCache: boolean;
  readonly salt: Uint8Array;
}

/** No sensible Action or Command is larger. */
const MESSAGE_MAX_BYTES = 32 << 20;

/**
 * Reads an action.
 *
 * @returns `undefined` when the store has no such blob; `action-malformed`: it is something else, or its command is;
 *          `action-incomplete`: its command is not there; or trouble of the store.
 */
export async function readStoredAction(
  blobs: Pick<BlobStore, "read">,
  digest: Digest,
): Promise<Result<StoredAction | undefined, Problem>> {
  const action = await readMessageAs(blobs, digest, Action);
  if (!action.ok || action.value === undefined) return action as Result<undefined, Problem>;
  const { timeout, doNotCache, salt } = action.value;
  const fn = digestFunction(digest);
  const commandDigest = messageDigest(action.value.commandDigest, fn);
  const inputRoot = messageDigest(action.value.inputRootDigest, fn);
  if (!commandDigest.ok || !inputRoot.ok) return err(malformed(digest, "Action", "it names no command and inputs"));
  const command = await readMessageAs(blobs, commandDigest.value, Command);
  if (!command.ok) return command;
  if (command.value === undefined) {
    const message = `the command ${commandDigest.value} of the action ${digest} is not there any more`;
    return err(problem("action-incomplete", message, { next: "Have its client run it again, which sends it anew." }));
  }
  const platform = platformOf(action.value, command.value);
  const timeoutMs = timeout === undefined ? 0 : messageDurationMs(timeout);
  return ok({
    digest,
    commandDigest: commandDigest.value,
    inputRoot: inputRoot.value,
    command: hermeticCommand(command.value, platform),
    platform,
    doNotCache,
    salt,
    ...(timeoutMs > 0 ? { timeoutMs } : {}),
  });
}

/** What a runner is asked to run it. */
export function hermeticRequestOf(action: StoredAction): HermeticRequest {
  const { command, inputRoot, platform, timeoutMs, digest } = action;
  return {
    command,
    inputRoot,
    network: wantsNetwork(platform),
    label: digest,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** Reads a message of an action; `undefined` when it is not there. */
export async function readMessageAs<T>(
  blobs: Pick<BlobStore, "read">,
  digest: Digest,
  codec: Codec<T>,
): Promise<Result<T | undefined, Problem>> {
  const name = codec.typeName.slice(codec.typeName.lastIndexOf(".") + 1);
  const message = await readMessage(blobs, digest, MESSAGE_MAX_BYTES);
  if (!message.ok) return message;
  if (message.value.kind === "missing") return ok(undefined);
  if (message.value.kind === "too-large") return err(malformed(digest, name, "it is too large"));
  try {
    return ok(codec.decode(message.value.bytes));
  } catch (error) {
    if (error instanceof DecodeError) return err(malformed(digest, name, error.message));
    throw error;
  }
}

function malformed(digest: Digest, name: string, why: string): Problem<"action-malformed"> {
  return problem("action-malformed", `${digest} is no ${name}: ${why}`, {
    next: "Give the digest of an action, not that of a command, a directory or an output.",
  });
}
