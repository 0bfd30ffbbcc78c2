/**
 * Watches over a run while code of its graph is executed in this process: whatever that code does to the process, people
 * are told what became of the run.
 *
 * Invariant: says nothing about a run that ended or was left in order.
 */
import { type Problem, problem } from "@kahn/core";
import { emptyFlowView, type FlowView, foldFlowEvent, painter, problemText, writeFlowFinished } from "@kahn/report";
import type { FlowRun, StreamEvent } from "@kahn/workflow";
import { userStack } from "@kahn/workflow";
import { EXIT } from "../../cli/command.ts";
import type { CodeWatcher } from "../../cli/foreign-code.ts";
import type { Host } from "../../cli/host.ts";

/** Of what runs, so many are named. */
const NAMED_MAX = 5;

/** See the head of the file. */
export class RunWatch implements CodeWatcher {
  readonly #host: Host;
  readonly #json: boolean;
  readonly #view: FlowView = emptyFlowView();
  #run: FlowRun | undefined;
  #dirOption = "";
  #stop: (() => void) | undefined;

  /** @param json whether a last line is written for machines. */
  constructor(host: Host, { json }: { readonly json: boolean }) {
    this.#host = host;
    this.#json = json;
  }

  /** Begins; before code of the graph can run. */
  arm(): void {
    this.#stop ??= this.#host.watchForeignCode(this);
  }

  /** Is told what happens, the past of a run included. */
  readonly take = (event: StreamEvent): void => {
    if (event.type !== "node.data" && event.seq > this.#view.seq) foldFlowEvent(this.#view, event);
  };

  /** Says which run it is. */
  follow(run: FlowRun, dirOption: string): void {
    this.#run = run;
    this.#dirOption = dirOption;
  }

  /** The run has ended or was left. */
  disarm(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  ended(): number {
    const message = "code of the graph ended the process while the run was executed";
    const facts = [["cause", "it called process.exit, or the like"], ...this.#active()] as const;
    return this.#tell(problem("flow-process-ended", message, { facts, next: this.#next() }));
  }

  uncaught(thrown: unknown, how: "exception" | "rejection"): number {
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    const what =
      how === "exception" ? "threw where nobody could catch it" : "left a promise rejected that nobody awaits";
    const stack = userStack(thrown)?.split("\n") ?? [];
    const facts = [...stack.map((frame, index) => [index === 0 ? "at" : "", frame] as const), ...this.#active()];
    return this.#tell(
      problem("flow-code-uncaught", `code of the graph ${what}: ${text}`, { facts, next: this.#next() }),
    );
  }

  #next(): string {
    if (this.#run === undefined) return "Mend the code; nothing of a run was executed.";
    return `Mend the code; nothing that was finished is lost, and what ran runs again: kahn flow resume ${this.#run.id}${this.#dirOption}.`;
  }

  #active(): readonly (readonly [string, string])[] {
    const { visits, waiting } = this.#view;
    const running = [...visits.values()].filter(({ path, fan }) => !waiting.has(path) && fan === undefined);
    const names = running.slice(0, NAMED_MAX).map(({ path }) => path);
    if (running.length > names.length) names.push(`and ${running.length - names.length} more`);
    return names.length === 0 ? [] : [["running", names.join(", ")]];
  }

  #tell(found: Problem): number {
    if (this.#json && this.#run !== undefined) {
      writeFlowFinished(this.#host.stdout, { ...this.#run.peek(), status: "interrupted", problem: found });
    }
    this.#host.stderr.write(problemText(found, painter(this.#host.stderr.colour)));
    return this.#run === undefined ? EXIT.usage : EXIT.failed;
  }
}
