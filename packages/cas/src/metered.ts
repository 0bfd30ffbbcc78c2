/** Counts what goes through a store, for statistics and metrics. Changes nothing. */
import type { ActionCache, BlobStore, CacheMissReason, Digest } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";

/** Counts of one blob store, from its wrapping on. */
export interface BlobCounts {
  /** Blobs asked for by `findMissing`, and how many of them were missing. */
  asked: number;
  missing: number;
  /** Blobs given out by `read` and `materialize`; and those that were missing or corrupt. */
  given: number;
  givenBytes: number;
  notGiven: number;
  corrupt: number;
  /** Blobs handed in by `write` and `ingest`, whether or not they were there already. */
  taken: number;
  takenBytes: number;
  /** Calls that ended with a problem. */
  problems: number;
}

/** Counts of one action cache. */
export interface ActionCounts {
  hits: number;
  misses: Record<CacheMissReason, number>;
  recorded: number;
  problems: number;
}

/** A blob store with its counts, which grow as it is used. */
export function metered(blobs: BlobStore): BlobStore & { readonly counts: Readonly<BlobCounts> } {
  const counts = {
    asked: 0,
    missing: 0,
    given: 0,
    givenBytes: 0,
    notGiven: 0,
    corrupt: 0,
    taken: 0,
    takenBytes: 0,
    problems: 0,
  };
  const counted = <T extends { readonly ok: boolean }>(result: T): T => {
    if (!result.ok) counts.problems++;
    return result;
  };
  const given = (digest: Digest) => {
    counts.given++;
    counts.givenBytes += digestSizeBytes(digest);
  };
  return {
    counts,
    findMissing: async (digests) => {
      const result = counted(await blobs.findMissing(digests));
      counts.asked += digests.length;
      if (result.ok) counts.missing += result.value.length;
      return result;
    },
    read: async (digest) => {
      const result = counted(await blobs.read(digest));
      if (result.ok && result.value !== undefined) given(digest);
      else counts.notGiven++;
      return result;
    },
    write: async (digest, bytes) => {
      const result = counted(await blobs.write(digest, bytes));
      if (result.ok) {
        counts.taken++;
        counts.takenBytes += bytes.byteLength;
      }
      return result;
    },
    ingest: async (requests) => {
      const result = counted(await blobs.ingest(requests));
      if (result.ok) {
        counts.taken += result.value.length;
        for (const digest of result.value) counts.takenBytes += digestSizeBytes(digest);
      }
      return result;
    },
    materialize: async (requests) => {
      const result = counted(await blobs.materialize(requests));
      if (!result.ok) return result;
      for (const [index, outcome] of result.value.entries()) {
        if (outcome === "done") given(requests[index]!.digest);
        else counts.notGiven++;
        if (outcome === "corrupt") counts.corrupt++;
      }
      return result;
    },
  };
}

/** An action cache with its counts, which grow as it is used. */
export function meteredActions(actions: ActionCache): ActionCache & { readonly counts: Readonly<ActionCounts> } {
  const counts: ActionCounts = {
    hits: 0,
    misses: { "no-entry": 0, incomplete: 0, "corrupt-entry": 0 },
    recorded: 0,
    problems: 0,
  };
  return {
    counts,
    lookup: async (action) => {
      const result = await actions.lookup(action);
      if (!result.ok) counts.problems++;
      else if (result.value.kind === "hit") counts.hits++;
      else counts.misses[result.value.reason]++;
      return result;
    },
    record: async (action, value) => {
      const result = await actions.record(action, value);
      if (result.ok) counts.recorded++;
      else counts.problems++;
      return result;
    },
    ...(actions.recordToken === undefined ? {} : { recordToken: actions.recordToken.bind(actions) }),
    forget: (action) => actions.forget(action),
  };
}
