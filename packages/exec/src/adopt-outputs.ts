/**
 * Outputs of an action that ran elsewhere, as if it had run here.
 *
 * Owns:      bringing them into the workspace, and what of them counts.
 * Invariant: afterwards the node's outputs in the workspace are what the action made, no more and no less, and every blob
 *            that the lists name is in the store. What the globs do not name is not brought, and said.
 */
import {
  type ActionResult,
  type BlobStore,
  err,
  ok,
  type Problem,
  problem,
  type ResolvedAction,
  type Result,
} from "@kahn/core";
import { type RestoreContext, restoreOutputs } from "./output-restore.ts";
import { type CollectedOutputs, collectOutputs, flattenResult, type OutputEntry } from "./output-tree.ts";

/** The outputs, and the paths of those that are none. */
export interface AdoptedOutputs extends CollectedOutputs {
  readonly dropped: readonly string[];
}

/** Takes in the outputs of a result, whose blobs `context.blobs` can get. */
export async function adoptOutputs(
  context: RestoreContext,
  { outputs: spec, command, label }: Pick<ResolvedAction, "outputs" | "command" | "label">,
  result: ActionResult,
): Promise<Result<AdoptedOutputs, Problem>> {
  const directory = command.workingDirectory;
  const flat = await flattenResult(context.blobs, result, directory);
  if (!flat.ok) return err(flat.problem.code === "missing" ? lost(label, "a tree") : (flat.problem as Problem));
  const isOutput = ({ kind, path }: OutputEntry) => spec.matches(kind === "directory" ? `${path}/.` : path);
  const wanted = flat.value.filter(isOutput);
  const dropped = flat.value.filter((entry) => entry.kind !== "directory" && !isOutput(entry)).map(({ path }) => path);
  const restored = await restoreOutputs(context, spec, wanted);
  if (!restored.ok) return restored;
  if (restored.value.kind === "missing") return err(lost(label, restored.value.path));
  const kept = new Set(wanted.map(({ path }) => path));
  const before = collectOutputs(context, spec, directory);
  if (!before.ok) return before;
  const stale = before.value.entries.filter(({ kind, path }) => kind !== "directory" && !kept.has(path));
  for (const { path } of stale) {
    context.fs.remove(`${spec.workspaceRoot}/${path}`);
    context.states.forget(`${spec.workspaceRoot}/${path}`);
  }
  const now = stale.length === 0 ? before : collectOutputs(context, spec, directory);
  if (!now.ok) return now;
  const stored = await store(context.blobs, spec.workspaceRoot, now.value);
  return stored.ok ? ok({ ...now.value, dropped }) : stored;
}

/** Files that were in place already came from nowhere, and so are in no store. */
async function store(blobs: BlobStore, root: string, outputs: CollectedOutputs): Promise<Result<void, Problem>> {
  const files = outputs.entries.filter((entry) => entry.kind === "file");
  const ingested = await blobs.ingest(
    files.map(({ path, executable, digest }) => ({ path: `${root}/${path}`, executable, expected: digest })),
  );
  if (!ingested.ok) return ingested;
  for (const [digest, bytes] of outputs.trees) {
    const written = await blobs.write(digest, bytes);
    if (!written.ok) return written;
  }
  return ok(undefined);
}

function lost(label: string, what: string): Problem {
  return problem("remote-output-lost", `the server ran ${label} and no longer has ${what}`, {
    next: "Run it again. If it happens often, the server's store is too small.",
  });
}
