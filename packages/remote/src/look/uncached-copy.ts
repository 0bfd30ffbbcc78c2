/**
 * An action whose result is not recorded: a copy of another one that says so.
 *
 * Invariant: but for that, the two are the same; the copy has a digest of its own, so no server takes the one for the other.
 */
import { loadEngine } from "@kahn/cas";
import type { BlobStore, Digest, Problem, Result } from "@kahn/core";
import { digestFunction, err, ok, problem } from "@kahn/core";
import { Action } from "../proto/generated/remote-execution.ts";
import { readMessageAs } from "./stored-action.ts";

/** Where the action is, and where its copy goes. */
export interface CopyStores {
  readonly from: Pick<BlobStore, "read">;
  readonly to: Pick<BlobStore, "write">;
}

/** Sends the copy. @returns its digest; that of the action itself if it has always been like that. */
export async function sendUncachedCopy(digest: Digest, { from, to }: CopyStores): Promise<Result<Digest, Problem>> {
  const action = await readMessageAs(from, digest, Action);
  if (!action.ok) return action;
  if (action.value === undefined) {
    return err(
      problem("action-incomplete", `${digest} is not there any more`, { next: "Have its client run it again." }),
    );
  }
  if (action.value.doNotCache) return ok(digest);
  const bytes = Action.encode({ ...action.value, doNotCache: true });
  const copy = (await loadEngine(digestFunction(digest))).digest(bytes);
  const written = await to.write(copy, bytes);
  if (written.ok) return ok(copy);
  const message = `a copy of ${digest} whose result is not recorded cannot be sent: ${written.problem.message}`;
  return err(
    problem("remote-exec-failed", message, {
      next: "Ask for the right to write blobs there (`cas.write`); --cached takes or makes the recorded result instead, --local runs it here.",
    }),
  );
}
