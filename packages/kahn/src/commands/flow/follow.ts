/**
 * Follows a run that this process executes: shows it, asks at its barriers, leaves it when it is told to.
 *
 * Invariant: whatever ends this (a signal, a barrier without a terminal, the end of the run), the journal has everything,
 *            and what is printed last is the command that goes on.
 */
import { type Durability, err, ok, type Problem, type ProblemError, problem, type Result } from "@kahn/core";
import {
  type FlowReporter,
  flowEndText,
  flowReporter,
  painter,
  problemText,
  writeFlowEvent,
  writeFlowFinished,
} from "@kahn/report";
import {
  ExecutionTimes,
  eventsOf,
  type FlowEvent,
  type FlowGraph,
  type FlowRun,
  type RunResult,
  type StreamEvent,
} from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { EXIT, refuse } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import type { FlowSession } from "../../session/flow/flow-session.ts";
import type { FlowFolderOptions } from "../../session/flow/folder.ts";
import { inShellWords } from "../../session/flow/problems.ts";
import { BarrierDialog } from "./dialog.ts";
import { parseCount } from "./options.ts";
import { EventTap } from "./tap.ts";
import { RunWatch } from "./watch.ts";

/** How a run is followed. */
export interface FollowOptions {
  readonly json: boolean;
  readonly wait: boolean;
  readonly durability: Durability;
  readonly maxSteps: number | undefined;
  /** What the engine tells, from before the run begins. */
  readonly tap: EventTap;
  /** Tells what becomes of the run if code of its graph ends the process. */
  readonly watch: RunWatch;
}

/** What is followed. */
export interface Followed {
  readonly session: FlowSession;
  readonly graph: FlowGraph;
  readonly options: FollowOptions;
  /** What happened before this process took the run up. */
  readonly past?: readonly FlowEvent[];
  /** How long it was executed in that time, in milliseconds; a fork was not. */
  readonly executedMs?: number;
}

/** Reads the options. */
export function followOptions(host: Host, given: ParsedArguments): Result<FollowOptions, Problem> {
  const maxSteps = parseCount(given, "max-steps");
  if (!maxSteps.ok) return err(maxSteps.problem);
  const durability = given.value("durability") === "disk" ? "disk" : "process";
  return ok({
    json: given.has("json"),
    wait: given.has("wait"),
    durability,
    maxSteps: maxSteps.value,
    tap: new EventTap(),
    watch: new RunWatch(host, { json: given.has("json") }),
  });
}

/** Refuses to run anything, in the form that was asked for. */
export function refuseRun(host: Host, given: ParsedArguments, problems: readonly Problem[]): number {
  if (given.has("json")) host.stdout.write(`${JSON.stringify({ kind: "flow.refused", problems })}\n`);
  return refuse(host, problems);
}

/** What a run did until now, if it is there: asked before this process takes it up, it is what others did. */
export function pastOf(run: string, session: FlowSession): readonly FlowEvent[] {
  const events = eventsOf(run, session.look());
  return events.ok ? events.value : [];
}

/** The run that was named, and the one that was to be made. */
export interface RefusedNames {
  readonly run?: string;
  readonly made?: string | undefined;
}

/** What kept a run from being executed, in the words of the command line. */
export function runProblems(
  error: ProblemError,
  session: FlowSession,
  { run = "RUN", made = run }: RefusedNames = {},
): readonly Problem[] {
  const option = session.dirOption();
  return error.problems.map((cause) => {
    if (cause.code === "journal-exists") {
      const next = `Go on with it (kahn flow resume ${made}${option}), or leave --id out.`;
      return problem("flow-run-exists", "there is a run with this id already", { next, cause });
    }
    if (cause.code !== "lock-held") return inShellWords(cause, { run, dirOption: option });
    return problem("flow-run-owned", `another process executes the run: ${cause.message}`, {
      facts: cause.facts ?? [],
      next: `What it shall do is told with kahn flow decide and kahn flow cancel${option}; or end that process.`,
    });
  });
}

/** What the engine is opened with: how durable, and whom it tells what. From here on code of the graph is watched. */
export function engineOptions(host: Host, { durability, tap, watch }: FollowOptions): FlowFolderOptions {
  watch.arm();
  const paint = painter(host.stderr.colour);
  const warn = (message: string, found?: Problem) =>
    host.stderr.write(found === undefined ? `${paint("warning:", "yellow")} ${message}\n` : problemText(found, paint));
  return { durability, warn, hooks: [tap.take, watch.take], onData: tap.take };
}

/** Follows a run to its end or until it is left, and ends the process: code of the graph may keep it from ending. */
export async function followRun(run: FlowRun, followed: Followed): Promise<number> {
  const { host, flow } = followed.session;
  try {
    return await host.exit(await new Follower(run, followed).follow());
  } catch (thrown) {
    // A bug of ours: a run that went on would keep the process from ending.
    await flow.close();
    throw thrown;
  }
}

class Follower {
  readonly #run: FlowRun;
  readonly #followed: Followed;
  readonly #host: Host;
  readonly #reporter: FlowReporter | undefined;
  readonly #dialog: BarrierDialog | undefined;
  readonly #times = new ExecutionTimes();
  readonly #pastMs: number;
  #signals = 0;

  constructor(run: FlowRun, followed: Followed) {
    const { session, graph, options } = followed;
    this.#run = run;
    this.#followed = followed;
    this.#host = session.host;
    this.#reporter = options.json ? undefined : flowReporter(session.host.stdout, session.ports.clock);
    options.watch.follow(run, session.dirOption());
    for (const event of followed.past ?? []) {
      this.#reporter?.past(event);
      this.#times.take(event);
      options.watch.take(event);
    }
    this.#pastMs = this.#times.executedMs();
    if (this.#reporter === undefined || !session.host.canAsk) return;
    this.#dialog = new BarrierDialog({
      host: session.host,
      clock: session.ports.clock,
      run,
      graph,
      reporter: this.#reporter,
    });
  }

  async follow(): Promise<number> {
    const { session, options } = this.#followed;
    const { clock } = session.ports;
    const stop = this.#host.onSignal((name) => this.#signalled(name));
    const earlier = eventsOf(this.#run.id, session.look());
    const seq = this.#followed.past?.at(-1)?.seq ?? 0;
    options.tap.open((event) => this.#show(event), { earlier: earlier.ok ? earlier.value : [], seq });
    const result = await this.#end();
    this.#dialog?.close();
    this.#reporter?.close();
    stop();
    await session.flow.close();
    options.watch.disarm();
    const isInterrupted = this.#signals > 0;
    if (options.json) writeFlowFinished(this.#host.stdout, result);
    else {
      const durationMs = (this.#followed.executedMs ?? 0) + this.#times.executedMs() - this.#pastMs;
      const end = { result, durationMs, nowMs: clock.nowMs(), isInterrupted, dirOption: session.dirOption() };
      this.#host.stdout.write(flowEndText(end, this.#host.stdout));
    }
    return exitCodeOf(result, isInterrupted);
  }

  #show(event: StreamEvent): void {
    if (this.#reporter === undefined) writeFlowEvent(this.#host.stdout, event);
    else this.#reporter.event(event);
    if (event.type === "node.data") return;
    this.#times.take(event);
    this.#dialog?.event(event);
    if (event.type === "run.resumed") this.#askAgain();
  }

  /** What is open since before is asked about below the line that says that the run goes on. */
  #askAgain(): void {
    const waiting = this.#reporter?.view.waiting;
    for (const open of this.#run.peek().barriers) if (waiting?.has(open.barrier)) this.#dialog?.opened(open);
  }

  async #end(): Promise<RunResult> {
    if (this.#dialog !== undefined || this.#followed.options.wait) return this.#run.result;
    const settled = await this.#run.settled();
    const isOpen = settled.status === "waiting" || settled.status === "suspended";
    return isOpen ? this.#run.leave("waits for a decision") : settled;
  }

  #signalled(name: string): void {
    this.#signals++;
    if (this.#signals > 1) {
      this.#host.stderr.write(`\nstopped at once; go on with: kahn flow resume ${this.#run.id}\n`);
      void this.#host.exit(EXIT.cancelled);
      return;
    }
    this.#dialog?.close();
    const text = `\nleaving the run (${name}); once more to stop at once\n`;
    if (this.#reporter === undefined) this.#host.stderr.write(text);
    else this.#reporter.note(text);
    void this.#run.leave(name);
  }
}

function exitCodeOf(result: RunResult, isInterrupted: boolean): number {
  switch (result.status) {
    case "completed":
      return EXIT.done;
    case "failed":
      return EXIT.failed;
    case "cancelled":
      return EXIT.cancelled;
    case "waiting":
    case "suspended":
      if (result.problem !== undefined) return EXIT.failed;
      return isInterrupted ? EXIT.cancelled : EXIT.waiting;
  }
}
