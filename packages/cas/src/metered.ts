/** Counts what goes through a store, for statistics and metrics. Changes nothing. */
import type {
  ActionCache,
  BlobStore,
  CacheMissReason,
  Digest,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
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
  const meter = new BlobMeter();
  return {
    counts: meter.counts,
    findMissing: async (digests) => meter.asked(digests, await blobs.findMissing(digests)),
    read: async (digest) => meter.read(digest, await blobs.read(digest)),
    write: async (digest, bytes) => meter.written(digest, await blobs.write(digest, bytes)),
    ingest: async (requests) => meter.ingested(await blobs.ingest(requests)),
    materialize: async (requests) => meter.made(requests, await blobs.materialize(requests)),
  };
}

/** Counts answers and passes them on. */
class BlobMeter {
  readonly counts: BlobCounts = {
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

  asked(digests: readonly Digest[], answer: Result<Digest[], StoreProblem>) {
    this.counts.asked += digests.length;
    if (answer.ok) this.counts.missing += answer.value.length;
    else this.counts.problems++;
    return answer;
  }

  read(digest: Digest, answer: Result<Uint8Array | undefined, StoreProblem>) {
    if (!answer.ok) this.counts.problems++;
    else if (answer.value === undefined) this.counts.notGiven++;
    else this.#given(digest);
    return answer;
  }

  written(digest: Digest, answer: Result<void, StoreProblem>) {
    if (answer.ok) this.#taken(digest);
    else this.counts.problems++;
    return answer;
  }

  ingested(answer: Result<Digest[], StoreProblem>) {
    if (answer.ok) for (const digest of answer.value) this.#taken(digest);
    else this.counts.problems++;
    return answer;
  }

  made(requests: readonly MaterializeRequest[], answer: Result<MaterializeOutcome[], StoreProblem>) {
    if (!answer.ok) this.counts.problems++;
    else {
      answer.value.forEach((outcome, index) => {
        if (outcome === "done") this.#given(requests[index]!.digest);
        else this.counts.notGiven++;
        if (outcome === "corrupt") this.counts.corrupt++;
      });
    }
    return answer;
  }

  #given(digest: Digest): void {
    this.counts.given++;
    this.counts.givenBytes += digestSizeBytes(digest);
  }

  #taken(digest: Digest): void {
    this.counts.taken++;
    this.counts.takenBytes += digestSizeBytes(digest);
  }
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
