/** Port: what an action gave when it last ran. Keys are action digests; values are written after their blobs. */
import type { Digest } from "../digest.ts";
import type { ActionResult } from "../reapi/messages.ts";
import type { Result } from "../result.ts";
import type { StoreProblem } from "./blob-store.ts";

/** Why a look-up found nothing that can be used. */
export type CacheMissReason =
  /** No record of this action. */
  | "no-entry"
  /** A record that names blobs which are gone. */
  | "incomplete"
  /** A record that does not decode, or was written by another format. */
  | "corrupt-entry";

/** The answer to a look-up. */
export type CacheLookup =
  /** `from`: the remote cache that had it; left out when it was at hand. */
  | { readonly kind: "hit"; readonly result: ActionResult; readonly from?: string }
  | { readonly kind: "miss"; readonly reason: CacheMissReason; readonly missing?: readonly Digest[] };

/** Action results by action digest. */
export interface ActionCache {
  /** Never throws and never fails a build: trouble is a `StoreProblem` that the caller reports and treats as a miss. */
  lookup(action: Digest): Promise<Result<CacheLookup, StoreProblem>>;
  /** Records a result. The caller has stored every blob that it names. Replaces an older record atomically. */
  record(action: Digest, result: ActionResult): Promise<Result<void, StoreProblem>>;
  /**
   * A text that changes whenever the record of an action does; `undefined` when there is none. Counts as a use. Left
   * out by caches that cannot tell this at a fraction of a look-up's cost.
   */
  recordToken?(action: Digest): string | undefined;
  /** Forgets a record; no effect when there is none. */
  forget(action: Digest): Promise<Result<void, StoreProblem>>;
}
