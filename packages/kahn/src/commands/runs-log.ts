/** `kahn runs log`: prints what a task printed, from the cache or, for one that failed, from the value store. */
import { type Digest, problem, type RunEvent, type RunId } from "@kahn/core";
import type { ParsedArguments } from "../cli/arguments.ts";
import { EXIT, refuse } from "../cli/command.ts";
import { findRun, unknownRun } from "../session/find-run.ts";
import { listRuns, readableEvents } from "../session/run-journal.ts";
import type { WorkspaceSession } from "../session/workspace-session.ts";

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
    return (await printStreams(session, settled)) ? EXIT.done : refuse(host, [goneProblem(label, run)]);
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

async function printStreams(session: WorkspaceSession, settled: Settled): Promise<boolean> {
  const { stdout, stderr } = session.host;
  const write = (sink: typeof stdout, bytes: Uint8Array | undefined) => {
    if (bytes !== undefined) sink.write(Buffer.from(bytes).toString());
  };
  if (settled.end !== "succeeded") {
    write(stdout, kept(session, settled.stdout));
    write(stderr, kept(session, settled.stderr));
    return true;
  }
  if (settled.action === undefined) return false;
  const found = await session.store.actions.lookup(settled.action);
  if (!found.ok || found.value.kind === "miss") return false;
  const { result } = found.value;
  write(stdout, result.stdoutRaw ?? (await blob(session, result.stdout)));
  write(stderr, result.stderrRaw ?? (await blob(session, result.stderr)));
  return true;
}

function kept(session: WorkspaceSession, digest: Digest | undefined): Uint8Array | undefined {
  const value = digest === undefined ? undefined : session.values.get(digest);
  return value?.ok === true ? value.value : undefined;
}

async function blob(session: WorkspaceSession, digest: Digest | undefined): Promise<Uint8Array | undefined> {
  if (digest === undefined) return undefined;
  const read = await session.store.blobs.read(digest);
  return read.ok ? read.value : undefined;
}

function goneProblem(label: string, run: RunId) {
  return problem("log-gone", `the output of ${label} in run ${run} is no longer in the cache, or was never stored`, {
    next: `Run it again: kahn run ${label}.`,
  });
}
