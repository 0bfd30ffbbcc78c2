/** The contract of `ActionCache`. */
import assert from "node:assert/strict";
import type { ActionCache, ActionResult, BlobStore, CacheLookup, Digest, Result, StoreProblem } from "@kahn/core";
import { digestOf } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** An action cache under test. */
export interface ActionCacheSubject extends ContractSubject {
  /** Empty. */
  readonly cache: ActionCache;
  /** Where the blobs that records name are kept. */
  readonly blobs: BlobStore;
  /** Loses a blob behind the cache's back, where it notices at the look-up that a record names one that is gone. */
  readonly lose?: (digest: Digest) => void | Promise<void>;
  /** Damages the record of an action, where that can be done. */
  readonly damage?: (action: Digest) => void | Promise<void>;
}

function value<T>(result: Result<T, StoreProblem>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

const EMPTY: ActionResult = {
  outputFiles: [],
  outputDirectories: [],
  outputSymlinks: [],
  exitCode: 0,
  metadata: { worker: "" },
};

const ACTION = digestOf("an action");

/** A result with everything a result can hold, its blobs stored. */
async function fullResult(blobs: BlobStore): Promise<ActionResult> {
  const store = async (text: string) => {
    value(await blobs.write(digestOf(text), Buffer.from(text)));
    return digestOf(text);
  };
  return {
    outputFiles: [
      { path: "dist/a.js", digest: await store("a"), executable: false },
      { path: "dist/run ü", digest: await store("b"), executable: true },
    ],
    outputDirectories: [],
    outputSymlinks: [{ path: "dist/link", target: "a.js" }],
    exitCode: 3,
    stdout: await store("a long text".repeat(500)),
    stderrRaw: Uint8Array.of(0, 255, 10),
    metadata: {
      worker: "here",
      queuedAtMs: 1,
      executionStartedAtMs: 1_700_000_000_123,
      executionCompletedAtMs: 1_700_000_000_999,
    },
  };
}

/** A look-up as plain values: a decoder may give a `Buffer` where a `Uint8Array` went in. */
function plain(lookup: CacheLookup): unknown {
  const bytes = (_: string, member: unknown) => (member instanceof Uint8Array ? [...member] : member);
  return JSON.parse(
    JSON.stringify(lookup, (key, member: unknown) =>
      // `Buffer` has a `toJSON` of its own, which has already run here.
      typeof member === "object" && member !== null && "type" in member && member.type === "Buffer" && "data" in member
        ? member.data
        : bytes(key, member),
    ),
  );
}

/** The cases for an action cache. */
export function actionCacheContract(make: MakeSubject<ActionCacheSubject>): readonly ContractCase[] {
  return contractCases<ActionCacheSubject>(make, {
    "an action without a record is a miss": async ({ cache }) => {
      assert.deepEqual(value(await cache.lookup(ACTION)), { kind: "miss", reason: "no-entry" });
    },
    "a record is found again as it was, under its action alone": async ({ cache, blobs }) => {
      const result = await fullResult(blobs);
      value(await cache.record(ACTION, result));
      assert.deepEqual(plain(value(await cache.lookup(ACTION))), plain({ kind: "hit", result }));
      assert.equal(value(await cache.lookup(digestOf("another action"))).kind, "miss");
    },
    "the smallest result is a result": async ({ cache }) => {
      value(await cache.record(ACTION, EMPTY));
      assert.deepEqual(plain(value(await cache.lookup(ACTION))), plain({ kind: "hit", result: EMPTY }));
    },
    "a newer record replaces the older one": async ({ cache }) => {
      for (const exitCode of [0, 1, 2]) value(await cache.record(ACTION, { ...EMPTY, exitCode }));
      const lookup = value(await cache.lookup(ACTION));
      assert.ok(lookup.kind === "hit" && lookup.result.exitCode === 2);
    },
    "records at once leave one of them whole": async ({ cache, blobs }) => {
      const full = await fullResult(blobs);
      const results = Array.from({ length: 10 }, (_, exitCode) => ({ ...full, exitCode }));
      await Promise.all(results.map(async (result) => value(await cache.record(ACTION, result))));
      const lookup = value(await cache.lookup(ACTION));
      assert.ok(lookup.kind === "hit");
      assert.deepEqual(plain(lookup), plain({ kind: "hit", result: results[lookup.result.exitCode]! }));
    },
    "a forgotten record is a miss, and forgetting again has no effect": async ({ cache }) => {
      const other = digestOf("another action");
      value(await cache.record(ACTION, EMPTY));
      value(await cache.record(other, EMPTY));
      value(await cache.forget(ACTION));
      value(await cache.forget(ACTION));
      assert.deepEqual(value(await cache.lookup(ACTION)), { kind: "miss", reason: "no-entry" });
      assert.equal(value(await cache.lookup(other)).kind, "hit");
    },
    "a record that names a blob which is gone is incomplete, until the blob is back": async ({
      cache,
      blobs,
      lose,
    }) => {
      if (lose === undefined) return;
      const result = await fullResult(blobs);
      value(await cache.record(ACTION, result));
      const { digest } = result.outputFiles[0]!;
      await lose(digest);
      const lookup = value(await cache.lookup(ACTION));
      assert.ok(lookup.kind === "miss" && lookup.reason === "incomplete", JSON.stringify(lookup));
      assert.deepEqual(lookup.missing ?? [digest], [digest]);
      const again = await fullResult(blobs);
      value(await cache.record(ACTION, again));
      assert.equal(value(await cache.lookup(ACTION)).kind, "hit");
    },
    "a damaged record is a miss that says so, and can be replaced": async ({ cache, damage }) => {
      if (damage === undefined) return;
      value(await cache.record(ACTION, EMPTY));
      await damage(ACTION);
      assert.deepEqual(value(await cache.lookup(ACTION)), { kind: "miss", reason: "corrupt-entry" });
      value(await cache.record(ACTION, EMPTY));
      assert.equal(value(await cache.lookup(ACTION)).kind, "hit");
    },
  });
}
