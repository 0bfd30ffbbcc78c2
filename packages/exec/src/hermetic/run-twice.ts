/** Runs an action twice and says where the results differ: what `replay` shows of an action that is not deterministic. */
import type { ActionResult, BlobStore, InputEntry } from "@kahn/core";
import { flattenResult } from "../output-tree.ts";
import type { HermeticObserver, HermeticOutcome, HermeticRequest, HermeticRunner } from "./hermetic-action.ts";

/** One thing that two results do not share. `undefined` on a side that has none of it. */
export interface ResultDifference {
  /** Path of an output, or `exit code`, `stdout`, `stderr`. */
  readonly what: string;
  /** A digest, `-> target`, `directory`, or a number; an executable has `+x` behind it. */
  readonly first: string | undefined;
  readonly second: string | undefined;
}

/** What two runs gave. */
export type TwiceOutcome =
  /** `differences` is empty for an action that gave the same twice. */
  | {
      readonly kind: "compared";
      readonly differences: readonly ResultDifference[];
      readonly runs: readonly Completed[];
    }
  /** A run did not complete, so there is nothing to compare. */
  | { readonly kind: "undecided"; readonly outcome: HermeticOutcome };

type Completed = Extract<HermeticOutcome, { kind: "completed" }>;

/** Runs the action, and once more after it. */
export async function runTwice(
  { runner, blobs }: { readonly runner: HermeticRunner; readonly blobs: BlobStore },
  request: HermeticRequest,
  follow: { readonly observer?: HermeticObserver; readonly signal?: AbortSignal } = {},
): Promise<TwiceOutcome> {
  const runs: Completed[] = [];
  for (let run = 0; run < 2; run++) {
    const outcome = await runner.run(request, follow.observer, follow.signal);
    if (outcome.kind !== "completed") return { kind: "undecided", outcome };
    runs.push(outcome);
  }
  const [first, second] = runs as [Completed, Completed];
  const differences = await compareResults(blobs, first.result, second.result);
  if (differences === undefined) return { kind: "undecided", outcome: second };
  return { kind: "compared", differences, runs };
}

/** Where two results differ, sorted; directories are compared entry by entry. `undefined` when one cannot be read. */
export async function compareResults(
  blobs: BlobStore,
  first: ActionResult,
  second: ActionResult,
): Promise<readonly ResultDifference[] | undefined> {
  const one = await factsOf(blobs, first);
  const two = await factsOf(blobs, second);
  if (one === undefined || two === undefined) return undefined;
  const names = [...new Set([...one.keys(), ...two.keys()])].sort();
  return names
    .map((what) => ({ what, first: one.get(what), second: two.get(what) }))
    .filter((difference) => difference.first !== difference.second);
}

async function factsOf(blobs: BlobStore, result: ActionResult): Promise<Map<string, string> | undefined> {
  const entries = await flattenResult(blobs, result, "");
  if (!entries.ok) return undefined;
  const facts = new Map(entries.value.map((entry) => [entry.path, factOf(entry)]));
  facts.set("exit code", String(result.exitCode));
  for (const stream of ["stdout", "stderr"] as const) {
    const raw = result[`${stream}Raw`];
    const fact = result[stream] ?? (raw === undefined ? undefined : JSON.stringify(Buffer.from(raw).toString()));
    if (fact !== undefined) facts.set(stream, fact);
  }
  return facts;
}

function factOf(entry: InputEntry): string {
  switch (entry.kind) {
    case "file":
      return entry.executable ? `${entry.digest} +x` : entry.digest;
    case "symlink":
      return `-> ${entry.target}`;
    case "directory":
      return "directory";
  }
}
