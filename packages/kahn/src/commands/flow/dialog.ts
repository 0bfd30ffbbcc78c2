/**
 * Asks at barriers: shows what waits, takes a decision from the terminal, gives way to one from elsewhere.
 *
 * Owns:      which barrier is asked about; one at a time, in the order in which they opened.
 * Invariant: a question is taken back as soon as its barrier is decided or its time is up, and what was half typed with it.
 */
import type { Clock } from "@kahn/core";
import { durationText, type FlowReporter, painter, payloadExamples, stateText, valueText } from "@kahn/report";
import type {
  Ack,
  AnyNode,
  Decision,
  DecisionTarget,
  FlowEvent,
  FlowGraph,
  FlowRun,
  OpenBarrier,
} from "@kahn/workflow";
import { barriersAt, staticPath } from "@kahn/workflow";
import type { Host } from "../../cli/host.ts";
import type { Prompt } from "../../cli/prompt.ts";
import { parseJson, parseJsonObject, whoActs } from "./options.ts";

/** What a dialog is about. */
export interface DialogParts {
  readonly host: Host;
  readonly clock: Clock;
  readonly run: FlowRun;
  readonly graph: FlowGraph;
  readonly reporter: FlowReporter;
}

/** What was typed, read. */
type Command =
  | { readonly kind: "decide"; readonly decision: Decision }
  | { readonly kind: "leave" }
  | { readonly kind: "state" }
  | { readonly kind: "again"; readonly why: string };

/** See the head of the file. */
export class BarrierDialog {
  readonly #parts: DialogParts;
  readonly #open = new Map<string, OpenBarrier>();
  #prompt: Prompt | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(parts: DialogParts) {
    this.#parts = parts;
  }

  /** A barrier waits. */
  opened(barrier: OpenBarrier): void {
    this.#open.set(barrier.barrier, barrier);
    if (!this.#isAsking) void this.#askAll();
  }

  /** Takes in what happens. */
  event(event: FlowEvent): void {
    if (event.type === "barrier.opened") this.opened(event);
    else if (event.type === "barrier.decided" || event.type === "barrier.timedout") this.#over(event.barrier);
    else if (event.type === "node.skipped" || event.type === "node.failed") this.#over(event.path);
    else if (/^run\.(completed|failed|cancelled|suspended|cancelling)$/.test(event.type)) this.close();
  }

  /** Takes back what is asked and asks no more. */
  close(): void {
    this.#isClosed = true;
    this.#prompt?.dismiss();
  }

  #over(barrier: string): void {
    const isAsked = this.#open.keys().next().value === barrier;
    this.#open.delete(barrier);
    if (isAsked) this.#prompt?.dismiss();
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    for (;;) {
      const next = this.#open.values().next().value;
      if (next === undefined || this.#isClosed) break;
      await this.#askAbout(next);
    }
    this.#isAsking = false;
  }

  async #askAbout(barrier: OpenBarrier): Promise<void> {
    const { reporter } = this.#parts;
    reporter.note(this.#introduction(barrier));
    while (this.#isOpen(barrier)) {
      const line = await this.#line(barrier, `${barrier.barrier}> `);
      if (!this.#isOpen(barrier)) return;
      const command = line === undefined ? { kind: "leave" as const } : await this.#read(line, barrier);
      if (command === undefined || !this.#isOpen(barrier)) continue;
      if (command.kind === "leave") {
        this.close();
        await this.#parts.run.leave("left at the prompt");
      } else if (command.kind === "state") reporter.note(stateText(this.#parts.run.peek().state));
      else if (command.kind === "again") reporter.note(`  ${command.why}\n`);
      else await this.#decide(barrier, command.decision);
    }
  }

  #isOpen({ barrier }: OpenBarrier): boolean {
    return !this.#isClosed && this.#open.has(barrier);
  }

  /** A line from the terminal; `undefined` when the input ended or the question was taken back. */
  async #line(barrier: OpenBarrier, question: string): Promise<string | undefined> {
    const { host, reporter } = this.#parts;
    reporter.hold((text) => host.stdout.write(text));
    const prompt = await host.ask(question);
    this.#prompt = prompt;
    reporter.hold(prompt.above);
    // Decided while the question was being put.
    if (!this.#isOpen(barrier)) prompt.dismiss();
    const line = await prompt.answer;
    this.#prompt = undefined;
    reporter.hold(undefined);
    return line;
  }

  async #decide(barrier: OpenBarrier, decision: Decision): Promise<void> {
    const { run, host, reporter } = this.#parts;
    let ack: Ack = await run.decide(barrier.barrier as DecisionTarget, decision, whoActs(host));
    if (ack.ack === "invalid" && "approve" in decision && this.#isOpen(barrier)) {
      reporter.note(`  ${ack.why ?? "it wants a payload"}\n`);
      const payload = await this.#line(barrier, `payload of ${barrier.barrier} (JSON)> `);
      if (payload === undefined || payload.trim() === "") return;
      const parsed = parseJson(payload, "the payload");
      if (!parsed.ok) return reporter.note(`  ${parsed.problem.message}\n`);
      const again = { approve: true, payload: parsed.value } as Decision;
      ack = await run.decide(barrier.barrier as DecisionTarget, again, whoActs(host));
    }
    if (ack.ack === "accepted" || ack.ack === "duplicate") this.#open.delete(barrier.barrier);
    else reporter.note(`  ${ack.ack}${ack.why === undefined ? "" : `: ${ack.why}`}\n`);
  }

  /** What a line means; asks on where something is missing. `undefined`: nothing was said. */
  async #read(line: string, barrier: OpenBarrier): Promise<Command | undefined> {
    const [, word = "", rest = ""] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(line) ?? [];
    const more = async (question: string) => (rest === "" ? this.#line(barrier, question) : rest);
    switch (word.toLowerCase()) {
      case "a":
      case "approve":
        return approval(rest);
      case "r":
      case "reject": {
        const reason = await more("reason> ");
        return reason === undefined ? undefined : { kind: "decide", decision: { reject: reason } };
      }
      case "m":
      case "modify":
        return modification(await more("keys to change (JSON)> "));
      case "t":
      case "reroute": {
        const node = await more("node to go to> ");
        return node === undefined || node === "" ? undefined : { kind: "decide", decision: { reroute: node } };
      }
      case "l":
      case "leave":
        return { kind: "leave" };
      case "s":
      case "state":
        return { kind: "state" };
      case "":
        return undefined;
      default:
        return { kind: "again", why: `"${word}" is none of: a, r, m, t, l, s` };
    }
  }

  #introduction({ barrier, payload, dueMs, accept }: OpenBarrier): string {
    const { host, graph, clock } = this.#parts;
    const paint = painter(host.stdout.colour);
    const node = barriersAt(graph, staticPath(barrier))[0]?.barrier;
    const { needed, whole } = payloadExamples(accept);
    const lines = [`${paint("?", "cyan")} ${paint(node?.label ?? barrier, "bold")} waits for a decision`];
    if (typeof payload === "object" && payload !== null && !Array.isArray(payload)) {
      lines.push(...indented(stateText(payload as Readonly<Record<string, unknown>>)));
    } else if (payload !== undefined) lines.push(`  ${valueText(payload, 2000)}`);
    if (dueMs !== undefined) {
      const left = durationText(Math.max(0, dueMs - clock.nowMs()));
      lines.push(paint(`  without one in ${left}: ${node?.onTimeout ?? "reject"}`, "dim"));
    }
    if (needed !== undefined) lines.push(paint(`  approve with its payload: a ${needed}`, "dim"));
    if (whole !== undefined) lines.push(paint(`  approve with all that may be said: a ${whole}`, "dim"));
    const targets = reroutes(graph, barrier);
    const reroute = targets.length === 0 ? "" : `  rerou[t]e (${targets.join(", ")})`;
    lines.push(paint(`  [a]pprove  [r]eject  [m]odify${reroute}  [s]tate  [l]eave`, "dim"));
    return `${lines.join("\n")}\n`;
  }
}

function approval(rest: string): Command {
  if (rest === "") return { kind: "decide", decision: { approve: true } };
  const payload = parseJson(rest, "the payload");
  if (!payload.ok) return { kind: "again", why: payload.problem.message };
  return { kind: "decide", decision: { approve: true, payload: payload.value } };
}

function modification(text: string | undefined): Command | undefined {
  if (text === undefined || text === "") return undefined;
  const set = parseJsonObject(text, "the change");
  if (!set.ok) return { kind: "again", why: set.problem.message };
  return { kind: "decide", decision: { modify: set.value } };
}

function indented(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`);
}

/** Where a barrier of the graph itself may be led instead. */
function reroutes(graph: FlowGraph, barrier: string): readonly string[] {
  const name = staticPath(barrier);
  const node: AnyNode | undefined = graph.nodes.get(name);
  if (node === undefined) return [];
  const byEdge = (graph.outgoing.get(name) ?? []).flatMap((edge) => edge.to);
  const onReject = node.kind === "barrier" && typeof node.onReject === "object" ? [node.onReject.goto] : [];
  return [...new Set([...byEdge, ...(node.targets ?? []), ...onReject])];
}
