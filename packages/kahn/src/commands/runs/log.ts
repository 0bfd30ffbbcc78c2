/** `kahn runs log`: prints what a task printed, from the cache or, for one that failed, from the value store. */
import { type Digest, problem, type RunEvent, type RunId } from "@kahn/core";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { EXIT, refuse } from "../../cli/command.ts";
import { findRun, unknownRun } from "../../session/run/find.ts";
import { listRuns, readableEvents } from "../../session/run/journal.ts";
import type { WorkspaceSession } from "../../session/workspace-session.ts";
import { runTitle } from "./title.ts";

type Settled = Extract<RunEvent, { kind: "node.settled" }>;

/** Prints both streams of a task to standard output and standard error. */
export async function printLog(session: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const { host, journals } = session;
  const [, label, text] = given.positionals;
  if (label === undefined) return refuse(host, [problem("arguments-count", "name a task: kahn runs log web#build")]);
  const named = text === undefined ? undefined : findRun(session, text);
  if (text !== undefined && named === undefined) return refuse(host, [unknownRun(text)]);
  for (const run of named === undefined ? listRuns(journals) : [named]) {
    const settled = settledIn(session, run, label);
    if (settled === undefined) continue;
    const streams = await streamsOf(session, settled);
    if (streams === undefined) return refuse(host, [goneProblem(label, run)]);
    const [stdout, stderr] = streams;
    // On standard error, so that what is printed on standard output is what the task printed there.
    host.stderr.write(
      stdout.length + stderr.length === 0
        ? `${label} printed nothing (run ${run})\n`
        : `${label} in ${runTitle(run, readableEvents(journals, run).events)}\n`,
    );
    host.stdout.write(Buffer.from(stdout).toString());
    host.stderr.write(Buffer.from(stderr).toString());
    return EXIT.done;
  }
  return refuse(host, [
    problem("task-unknown", `no run has a finished task ${label}`, { next: "kahn runs show lists tasks." }),
  ]);
}

function settledIn({ journals }: WorkspaceSession, run: RunId, label: string): Settled | undefined {
  let node: number | undefined;
  for (const event of readableEvents(journals, run).events) {
    if (event.kind === "run.planned") node ??= event.nodes.find((each) => each.label === label)?.node;
    if (event.kind === "node.settled" && event.node === node && event.end !== "skipped") return event;
  }
  return undefined;
}

type Streams = readonly [stdout: Uint8Array, stderr: Uint8Array];

/** Both streams; `undefined` when one of them is no longer there. */
async function streamsOf(session: WorkspaceSession, settled: Settled): Promise<Streams | undefined> {
  // A service that was ended has succeeded and has no result. What a retried success kept is of its failed attempts.
  const isKept = settled.end !== "succeeded" || settled.durationMs === undefined;
  if (isKept) return both(kept(session, settled.stdout), kept(session, settled.stderr));
  if (settled.action === undefined) return undefined;
  const found = await session.store.actions.lookup(settled.action);
  if (!found.ok || found.value.kind === "miss") return undefined;
  const { result } = found.value;
  return both(
    result.stdoutRaw ?? (await blob(session, result.stdout)),
    result.stderrRaw ?? (await blob(session, result.stderr)),
  );
}

const NOTHING = new Uint8Array();

function both(stdout: Uint8Array | undefined, stderr: Uint8Array | undefined): Streams | undefined {
  return stdout === undefined || stderr === undefined ? undefined : [stdout, stderr];
}

/** A stream that the journal names none of was empty. */
function kept(session: WorkspaceSession, digest: Digest | undefined): Uint8Array | undefined {
  if (digest === undefined) return NOTHING;
  const value = session.values.get(digest);
  return value.ok ? value.value : undefined;
}

async function blob(session: WorkspaceSession, digest: Digest | undefined): Promise<Uint8Array | undefined> {
  if (digest === undefined) return NOTHING;
  const read = await session.store.blobs.read(digest);
  return read.ok ? read.value : undefined;
}

function goneProblem(label: string, run: RunId) {
  return problem("log-gone", `the output of ${label} in run ${run} is no longer in the cache, or was never stored`, {
    next: `Run it again: kahn run ${label}.`,
  });
}
