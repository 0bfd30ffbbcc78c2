/**
 * Follows a run of tasks for the node that asked for it: hands on what it tells, and keeps what is said of failures.
 *
 * Invariant: of a task that has not failed nothing is kept beyond its end; of the others the last words.
 */
import { StringDecoder } from "node:string_decoder";
import type { OutputEvent, RunEvent, RunObserver } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import type { NodeContext } from "../../definition/nodes.ts";
import { TextEnd } from "./last-words.ts";

/** So many failed tasks are named, and of so many the output is shown. */
const NAMED_MAX = 10;
const SHOWN_MAX = 3;

type Settled = Extract<RunEvent, { kind: "node.settled" }>;

/** Events are handed on as they are, output as text under the label of its task. */
export class TasksWatch implements RunObserver {
  readonly #emit: NodeContext["emit"];
  readonly #labels: string[] = [];
  readonly #decoders = new Map<string, StringDecoder>();
  readonly #ends = new Map<number, TextEnd>();
  readonly #done = new Set<number>();
  readonly #failed: Settled[] = [];

  constructor(emit: NodeContext["emit"]) {
    this.#emit = emit;
  }

  waiting(text: string): void {
    this.#emit({ kind: "waiting", for: text });
  }

  event(event: RunEvent): void {
    if (event.kind === "run.planned") for (const { node, label } of event.nodes) this.#labels[node] = label;
    if (event.kind === "node.settled") this.#settle(event);
    this.#emit(event);
  }

  output({ node, stream, bytes }: OutputEvent): void {
    const key = `${node} ${stream}`;
    const decoder = this.#decoders.get(key) ?? new StringDecoder("utf8");
    this.#decoders.set(key, decoder);
    const text = decoder.write(Buffer.from(bytes));
    if (!this.#done.has(node)) this.#endOf(node).add(text);
    this.#emit({ kind: "output", task: this.#labels[node], stream, text });
  }

  #settle(event: Settled): void {
    if (event.end === "failed" || event.end === "errored") {
      this.#failed.push(event);
      return;
    }
    this.#done.add(event.node);
    this.#ends.delete(event.node);
  }

  #endOf(node: number): TextEnd {
    const known = this.#ends.get(node);
    if (known !== undefined) return known;
    const end = new TextEnd();
    this.#ends.set(node, end);
    return end;
  }

  /** The tasks that failed, in the order in which they did. */
  failed(): readonly string[] {
    return this.#failed.map(({ node }) => this.#labels[node] ?? `task ${node}`);
  }

  /** Each of them with why, and of the first few what they printed last. */
  facts(): NonNullable<NodeError["facts"]> {
    const facts: (readonly [string, string])[] = [];
    for (const [index, { node, exitCode, problem }] of this.#failed.slice(0, NAMED_MAX).entries()) {
      const label = this.#labels[node] ?? `task ${node}`;
      const why = problem?.message ?? (exitCode === undefined ? "failed" : `exited with code ${exitCode}`);
      facts.push(["failed", why.includes(label) ? why : `${label}: ${why}`]);
      const said = index < SHOWN_MAX ? this.#ends.get(node)?.lastWords() : undefined;
      if (said !== undefined && said !== "") facts.push(["it said", said]);
    }
    const more = this.#failed.length - NAMED_MAX;
    if (more > 0) facts.push(["failed", `and ${more} more`]);
    return facts;
  }
}
