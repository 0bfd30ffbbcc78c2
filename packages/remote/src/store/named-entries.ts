/**
 * Names that stand for blobs.
 *
 * Method:    an entry is kept as a result with one output, so that whatever keeps the blobs of results keeps its blob:
 *            the collector, a scrub, and completeness. The facts are the result's inline output.
 */
import type { ResidentStore } from "@kahn/cas/resident";
import type { ActionResult, Digest } from "@kahn/core";
import { digestFunction, digestOf, encodeActionResult, err, invariant, ok, problem } from "@kahn/core";
import type { NamedEntries, NamedEntry } from "./server-store.ts";

/** The path of the one output. */
const PATH = "entry";

type PutArguments = Parameters<NamedEntries["put"]>;

/** The named entries of a store. */
export function namedEntries({ records, blobs }: ResidentStore): NamedEntries {
  /** Names that are being put: of two at once that must be exclusive one has to wait for the other. */
  const putting = new Map<Digest, Promise<unknown>>();
  const put = async (...[namespace, name, entry, options]: PutArguments): ReturnType<NamedEntries["put"]> => {
    const key = keyOf(namespace, name);
    if (options?.exclusive === true) {
      const there = await records.get(key);
      if (!there.ok) return there;
      if (there.value !== undefined) return ok("exists");
    }
    // Records name digests without their function, which is that of the key.
    invariant(digestFunction(entry.digest) === "sha256", `an entry has a digest of SHA-256, not ${entry.digest}`);
    const missing = await blobs.findMissing([entry.digest]);
    if (!missing.ok) return missing;
    if (missing.value.length > 0) return err(noBlob(namespace, entry));
    const result = resultOf(entry);
    const stored = await records.put(key, encodeActionResult(result), result);
    return stored.ok ? ok("stored") : stored;
  };
  return {
    get: async (namespace, name) => {
      const found = await records.get(keyOf(namespace, name));
      return found.ok ? ok(found.value && entryOf(found.value.result)) : found;
    },
    put: async (...call) => {
      const key = keyOf(call[0], call[1]);
      const before = putting.get(key) ?? Promise.resolve();
      const done = before.then(() => put(...call));
      const settled = done.catch(() => undefined);
      putting.set(key, settled);
      try {
        return await done;
      } finally {
        if (putting.get(key) === settled) putting.delete(key);
      }
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

/** `undefined` for a record that this module did not write. */
function entryOf({ outputFiles, stdoutRaw }: ActionResult): NamedEntry | undefined {
  const digest = outputFiles[0]?.digest;
  if (digest === undefined || stdoutRaw === undefined) return undefined;
  return { digest, facts: JSON.parse(Buffer.from(stdoutRaw).toString()) as Record<string, string> };
}

function noBlob(namespace: string, { digest }: NamedEntry) {
  return problem("blob-mismatch" as const, `a name in ${namespace} was to stand for ${digest}, which is not there`, {
    next: "Store the blob first, then the name.",
  });
}
