/**
 * Names that stand for blobs.
 *
 * Method:    an entry is kept as a result with one output, so that whatever keeps the blobs of results keeps its blob:
 *            the collector, a scrub, and completeness. The facts are the result's inline output.
 */
import type { ResidentStore } from "@kahn/cas/resident";
import type { ActionResult, Digest, Result } from "@kahn/core";
import { digestFunction, digestOf, encodeActionResult, err, invariant, ok, problem } from "@kahn/core";
import type { NamedEntries, NamedEntry, ServerStoreProblem } from "./server-store.ts";

/** The path of the one output. */
const PATH = "entry";

/** Of two puts under one name at once the second waits for the first: it may have to be exclusive. */
class Turnstile {
  readonly #last = new Map<Digest, Promise<unknown>>();

  async pass<T>(key: Digest, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const done = before === undefined ? work() : before.then(work);
    const settled = done.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      return await done;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }
}

type Outcome = Result<"stored" | "exists", ServerStoreProblem>;

/** The named entries of a store. */
export function namedEntries({ records, blobs }: ResidentStore): NamedEntries {
  const turnstile = new Turnstile();
  /** Puts what `put` puts, unless the name is taken and that matters. */
  const inTurn = (key: Digest, isExclusive: boolean, put: () => Promise<Result<void, ServerStoreProblem>>) =>
    turnstile.pass(key, async (): Promise<Outcome> => {
      const there = isExclusive ? await records.get(key) : ok(undefined);
      if (!there.ok) return there;
      if (there.value !== undefined) return ok("exists");
      const done = await put();
      return done.ok ? ok("stored") : done;
    });
  return {
    get: async (namespace, name) => {
      const found = await records.get(keyOf(namespace, name));
      return found.ok ? ok(found.value && entryOf(found.value.result)) : found;
    },
    put: async (...[namespace, name, entry, options]: Parameters<NamedEntries["put"]>) => {
      // Records name digests without their function, which is that of the key.
      invariant(digestFunction(entry.digest) === "sha256", `an entry has a digest of SHA-256, not ${entry.digest}`);
      const key = keyOf(namespace, name);
      return await inTurn(key, options?.exclusive === true, async () => {
        const missing = await blobs.findMissing([entry.digest]);
        if (!missing.ok) return missing;
        if (missing.value.length > 0) return err(noBlob(namespace, entry));
        return await records.put(key, encodeActionResult(resultOf(entry)));
      });
    },
    putBytes: async (namespace, name, { bytes, facts, exclusive = false }) => {
      const key = keyOf(namespace, name);
      const resultFor = (digest: Digest) => resultOf({ digest, facts });
      return await inTurn(key, exclusive, () => records.putNamed(key, { bytes, resultOf: resultFor }));
    },
    forget: async (namespace, name) => await records.forget(keyOf(namespace, name)),
  };
}

function keyOf(namespace: string, name: string): Digest {
  return digestOf(JSON.stringify(["entry", namespace, name]));
}

function resultOf({ digest, facts }: NamedEntry): ActionResult {
  return {
    outputFiles: [{ path: PATH, digest, executable: false }],
    outputDirectories: [],
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "" },
    stdoutRaw: Buffer.from(JSON.stringify(facts)),
  };
}

/** What results say, for as long as somebody keeps them. */
const ENTRIES = new WeakMap<ActionResult, NamedEntry>();

/** `undefined` for a record that this module did not write. */
function entryOf(result: ActionResult): NamedEntry | undefined {
  const known = ENTRIES.get(result);
  if (known !== undefined) return known;
  const digest = result.outputFiles[0]?.digest;
  if (digest === undefined || result.stdoutRaw === undefined) return undefined;
  const facts = JSON.parse(Buffer.from(result.stdoutRaw).toString()) as Record<string, string>;
  const entry = { digest, facts };
  ENTRIES.set(result, entry);
  return entry;
}

function noBlob(namespace: string, { digest }: NamedEntry) {
  return problem("blob-mismatch" as const, `a name in ${namespace} was to stand for ${digest}, which is not there`, {
    next: "Store the blob first, then the name.",
  });
}
