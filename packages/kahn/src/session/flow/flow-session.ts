/**
 * One command's view of a folder of flows: which run is meant, where its graph is, and how a run is told something.
 *
 * Invariant: a run is executed by at most one process; what it is told goes through that process if there is one.
 */
import { closestName, err, FileSystemError, ok, type Problem, ProblemError, problem, type Result } from "@kahn/core";
import { shellWord } from "@kahn/report";
import { type LockHolder, lockHolder } from "@kahn/system";
import {
  type Ack,
  type Flow,
  type FlowGraph,
  type LookOptions,
  type RunCommand,
  type RunSummary,
  runSummary,
} from "@kahn/workflow";
import type { Host } from "../../cli/host.ts";
import { userCache } from "../load-model.ts";
import { type SystemPorts, systemPorts } from "../system-ports.ts";
import { type FlowFolderOptions, openFlowFolder } from "./folder.ts";
import { type GraphPlace, loadGraph, parseGraphPlace } from "./graph-module.ts";
import { type FlowPlace, flowPlace, graphOfLabels } from "./place.ts";
import { inShellWords } from "./problems.ts";

/** How long one try at telling an owner takes; it may end in the middle, and then the run has none. */
const ANSWER_MS = 5000;
const TRIES = 6;

/** What every command for flows is given. */
export interface FlowRequest {
  /** `--dir`. */
  readonly dir: string | undefined;
  /** `--file`, or the FILE of `flow run`. */
  readonly file: string | undefined;
  /** For those who wait for a run. */
  readonly command: string;
}

/** A folder of flows, open. */
export class FlowSession {
  readonly host: Host;
  readonly ports: SystemPorts;
  readonly place: FlowPlace;
  readonly #request: FlowRequest;
  #flow: Flow | undefined;

  constructor(host: Host, ports: SystemPorts, { place, request }: { place: FlowPlace; request: FlowRequest }) {
    this.host = host;
    this.ports = ports;
    this.place = place;
    this.#request = request;
  }

  /** Opens the flow with more options than none; once, before it is first used. */
  open(options: FlowFolderOptions): Flow {
    const { directory, root } = this.place;
    this.#flow = openFlowFolder(
      { directory, workspace: root, command: this.#request.command, answerMs: ANSWER_MS },
      options,
    );
    return this.#flow;
  }

  get flow(): Flow {
    return this.#flow ?? this.open({});
  }

  /** What looks back. */
  look(): LookOptions {
    return this.flow.look();
  }

  /** Every run's id; also of those that cannot be read. */
  ids(): readonly string[] {
    return this.flow.journals.list();
  }

  /** The run meant by its id, the beginning of it that no other shares, or `last`. */
  find(text: string): Result<string, Problem> {
    const ids = this.ids();
    if (ids.includes(text)) return ok(text);
    if (text === "last") {
      const newest = this.#newest(ids);
      return newest === undefined ? err(noRuns(this.place)) : ok(newest);
    }
    const begin = ids.filter((id) => id.startsWith(text) || id.startsWith(text.toUpperCase()));
    if (begin.length === 1) return ok(begin[0]!);
    if (begin.length > 1) return err(ambiguous(text, begin));
    return err(unknownRun(text, ids, this.place));
  }

  #newest(ids: readonly string[]): string | undefined {
    let newest: { readonly id: string; readonly atMs: number } | undefined;
    for (const id of ids) {
      const atMs = this.#startedMs(id);
      if (atMs !== undefined && (newest === undefined || atMs >= newest.atMs)) newest = { id, atMs };
    }
    return newest?.id;
  }

  /** From the first record alone: to fold every run would be dear. */
  #startedMs(id: string): number | undefined {
    const records = this.flow.journals.peek(id, 1);
    if (!records.ok) return undefined;
    try {
      for (const { body } of records.value) {
        const { atMs, madeMs = atMs } = body as { readonly atMs?: number; readonly madeMs?: number };
        return madeMs;
      }
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
    }
    return undefined;
  }

  /** A run in short. */
  summary(run: string): Result<RunSummary, Problem> {
    return runSummary(run, this.look());
  }

  /** Where the graph of a run is: `--file`, or what the run remembers. */
  graphPlace(summary: Pick<RunSummary, "run" | "labels">): Result<GraphPlace, Problem> {
    if (this.#request.file !== undefined) return ok(parseGraphPlace(this.#request.file, this.host.directory));
    const place = graphOfLabels(summary.labels, this.place.directory);
    return place === undefined ? err(graphUnknown(summary.run)) : ok(place);
  }

  /** The graph of a run. */
  async graphOf(summary: Pick<RunSummary, "run" | "labels">): Promise<Result<FlowGraph, readonly Problem[]>> {
    const place = this.graphPlace(summary);
    return place.ok ? this.load(place.value) : err([place.problem]);
  }

  /** The graph at a place. */
  load(place: GraphPlace): Promise<Result<FlowGraph, readonly Problem[]>> {
    return loadGraph(place, { fs: this.ports.fs, cacheDirectory: `${userCache(this.host)}/kahn/flow` });
  }

  /** The process that executes a run. */
  async owner(run: string): Promise<LockHolder | "unknown" | undefined> {
    const control = `${this.place.directory}/control/${run}`;
    if (this.ports.fs.lstat(control) === undefined) return undefined;
    const holder = await lockHolder(control);
    return holder.ok ? holder.value : undefined;
  }

  /**
   * Tells a run something: through its owner, or alone. An owner that leaves at this moment does not answer; then the
   * command is certainly not carried out, and is given again. @throws ProblemError
   */
  async tell(run: string, command: RunCommand): Promise<Ack> {
    let graph: FlowGraph | undefined;
    for (let tries = 1; ; tries++) {
      try {
        return await this.flow.command(run, command, graph);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        const code = error.problems[0]?.code;
        if (code === "flow-graph-needed" && graph === undefined) graph = await this.#graphForDecision(run);
        else if (code !== "inbox-withdrawn" || tries >= TRIES) {
          const place = { run, dirOption: this.dirOption() };
          throw new ProblemError(
            error.problems.map((each) => inShellWords(each, place)),
            { cause: error },
          );
        }
      }
    }
  }

  async #graphForDecision(run: string): Promise<FlowGraph> {
    const summary = this.summary(run);
    if (!summary.ok) throw new ProblemError(summary.problem);
    const graph = await this.graphOf(summary.value);
    if (!graph.ok) throw new ProblemError(graph.problem);
    return graph.value;
  }

  /** What to append to a command line so that it finds this folder. */
  dirOption(): string {
    return this.place.isNamed ? ` --dir ${shellWord(this.#request.dir ?? "")}` : "";
  }
}

/** Opens the folder of flows that a command means. */
export async function openFlowSession(
  host: Host,
  request: FlowRequest & { readonly near?: string },
): Promise<Result<FlowSession, readonly Problem[]>> {
  const ports = systemPorts(host);
  try {
    const place = await flowPlace(host, ports, { near: request.near ?? host.directory, named: request.dir });
    return place.ok ? ok(new FlowSession(host, ports, { place: place.value, request })) : place;
  } catch (error) {
    if (error instanceof FileSystemError && error.code === "ENOENT") return err([goneFolder(error.path)]);
    throw error;
  }
}

function goneFolder(path: string): Problem {
  return problem("flow-file-missing", `there is no folder ${path}`, { next: "Mend the path." });
}

function noRuns({ directory }: FlowPlace): Problem {
  return problem("flow-run-unknown", `there are no runs in ${directory}`, {
    next: "`kahn flow run FILE` makes one; runs that are elsewhere are found with --dir.",
  });
}

function ambiguous(text: string, ids: readonly string[]): Problem {
  return problem("flow-run-ambiguous", `"${text}" is the beginning of ${ids.length} runs`, {
    facts: [["runs", ids.slice(0, 10).join(", ")]],
    next: "Write more of the id.",
  });
}

function unknownRun(text: string, ids: readonly string[], place: FlowPlace): Problem {
  if (ids.length === 0) return noRuns(place);
  const near = closestName(text, ids);
  return problem("flow-run-unknown", `no run in ${place.directory} has the id "${text}", or one that begins so`, {
    next: near === undefined ? "`kahn flow list` shows all." : `Did you mean ${near}?`,
  });
}

function graphUnknown(run: string): Problem {
  return problem("flow-file-unknown", `the run "${run}" does not say where its graph is: a program started it`, {
    next: "Name the file of its graph with --file.",
  });
}
