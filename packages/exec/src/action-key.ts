/**
 * Action keys: from a resolved action to the digest of its REAPI `Action`.
 *
 * Owns:      what is in a key and in which canonical form.
 * Never:     puts an absolute path, a task's name, a timeout, a retry, a tag, a mutex or a priority into it.
 * Invariant: declared actions carry a salt (what the result rests on beside command and files); hermetic ones have
 *            none, so that the same action has the same digest wherever it comes from.
 */

import { createHash } from "node:crypto";
import {
  buildInputRoot,
  canonicalJson,
  type Digest,
  digestOf,
  encodeAction,
  encodeCommand,
  type Json,
  type ResolvedAction,
} from "@kahn/core";
import { KEY_SCHEMA } from "./key-record.ts";

/** An action's digest with the digests it is made of. */
export interface ActionKey {
  readonly action: Digest;
  readonly command: Digest;
  readonly inputRoot: Digest;
}

/** Bytes of the messages behind a key: what a remote executor has to upload. */
export interface ActionMessages {
  readonly action: Uint8Array;
  readonly command: Uint8Array;
  readonly directories: ReadonlyMap<Digest, Uint8Array>;
}

/**
 * The key of an action.
 *
 * @param closures of the nodes it requires directly, in any order; labels are not part of the key.
 */
export function actionKey(resolved: ResolvedAction, closures: readonly Digest[]): ActionKey {
  const command = digestOf(encodeCommand(resolved.command));
  const inputRoot = buildInputRoot(resolved.inputs).root;
  return { action: digestOf(encodeActionOf(resolved, closures, { command, inputRoot })), command, inputRoot };
}

/** The key's messages in full, for an executor elsewhere. */
export function actionMessages(resolved: ResolvedAction, closures: readonly Digest[]): ActionMessages {
  const command = encodeCommand(resolved.command);
  const { root, directories } = buildInputRoot(resolved.inputs, { keepBytes: true });
  const parts = { command: digestOf(command), inputRoot: root };
  return { action: encodeActionOf(resolved, closures, parts), command, directories };
}

function encodeActionOf(
  resolved: ResolvedAction,
  closures: readonly Digest[],
  parts: { readonly command: Digest; readonly inputRoot: Digest },
): Uint8Array {
  return encodeAction({
    ...parts,
    doNotCache: false,
    salt: resolved.isolation === "hermetic" ? new Uint8Array() : saltOf(resolved, closures),
    platform: resolved.command.platform,
  });
}

function saltOf(resolved: ResolvedAction, closures: readonly Digest[]): Uint8Array {
  const { parts } = resolved;
  const record: Json = {
    schema: KEY_SCHEMA,
    class: resolved.isolation,
    // Sorted: the order of declaration says nothing. Not deduplicated: two dependencies may well be equal.
    closures: [...closures, ...resolved.contributions.map(([, digest]) => digest)].sort(),
    outputs: parts.outputGlobs,
    external: parts.external,
    tools: parts.tools,
    platform: parts.platform,
    ...(parts.server === undefined ? {} : { server: parts.server }),
    // Absent is not empty: a present variable is in the command's environment, an absent one is named here.
    absent: parts.env.filter(([, value]) => value === undefined).map(([name]) => name),
    declared: parts.env.map(([name]) => name),
    arguments: parts.passedArguments,
  };
  return createHash("sha256").update(canonicalJson(record)).digest();
}
