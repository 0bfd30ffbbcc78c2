/**
 * One attempt at a node: its context, its timeouts, its end.
 *
 * Owns:      the AbortController (made only if somebody asks for the signal or aborts) and the timers of the attempt.
 * Invariant: answers once, whatever the node does: returns, throws, hangs, or ignores the signal.
 */
import type { Clock, Json, Timer } from "@kahn/core";
import { digestHash, digestOf, parseDurationMs } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { NodeFailure, nodeErrorOf } from "../../definition/failure.ts";
import type { AnyNode, LongTermStore, NodeContext, ParentOutcome } from "../../definition/nodes.ts";
import type { Blob } from "../../definition/state.ts";
import type { AbortWhy } from "../../machine/moves/desk.ts";
import type { Visit } from "../../machine/state/run-state.ts";

/** What an attempt may use of its run. */
export interface AttemptHost {
  readonly run: string;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly store: LongTermStore;
  emit(path: string, data: unknown): void;
  once(visit: Visit, name: string, work: () => unknown): Promise<unknown>;
  putBlob(bytes: Uint8Array | string): Blob;
  keepFile(path: string): Blob;
  readBlob(blob: Blob): Uint8Array;
}

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: "succeeded"; readonly output: unknown }
  | { readonly kind: "failed"; readonly error: NodeError };

/** What a node does in an attempt; `AnyNode`s other than tasks are turned into this. */
export type Work = (context: NodeContext) => unknown;

const NO_PARENTS: Readonly<Record<string, ParentOutcome>> = {};

/** A running attempt. */
export class Attempt implements NodeContext {
  readonly #visit: Visit;
  readonly #host: AttemptHost;
  readonly #end: (end: AttemptEnd) => void;
  #controller: AbortController | undefined;
  #aborted: NodeFailure | undefined;
  #timedOut: NodeError | undefined;
  #isOver = false;
  #hasBegun = false;
  #timers: Timer[] | undefined;
  #idle: Timer | undefined;
  #idleMs: number | undefined;
  #once: Map<string, Promise<unknown>> | undefined;
  readonly state: Readonly<Record<string, unknown>>;
  readonly run: string;
  readonly path: string;
  readonly occurrence: number;
  readonly attempt: number;
  readonly parents: Readonly<Record<string, ParentOutcome>>;
  /** Of a branch of a map. */
  readonly item: unknown;
  readonly index: number | undefined;

  /** @param end called once with the outcome, possibly before `begin` returns. */
  constructor(
    visit: Visit,
    item: { readonly item: unknown; readonly index: number } | undefined,
    { host, end }: { host: AttemptHost; end: (end: AttemptEnd) => void },
  ) {
    this.#visit = visit;
    this.#host = host;
    this.#end = end;
    this.state = visit.input;
    this.run = host.run;
    this.path = visit.id;
    this.occurrence = visit.occurrence;
    this.attempt = visit.attempt;
    this.parents = visit.parents ?? NO_PARENTS;
    this.item = item?.item;
    this.index = item?.index;
  }

  /** Starts the work. */
  begin(node: AnyNode, work: Work): void {
    this.#hasBegun = true;
    try {
      const returned = work(this);
      if (
        typeof returned !== "object" ||
        returned === null ||
        typeof (returned as { then?: unknown }).then !== "function"
      ) {
        this.#finish({ kind: "succeeded", output: returned });
        return;
      }
      this.#startTimers(node);
      (returned as PromiseLike<unknown>).then(
        (output) => this.#finish({ kind: "succeeded", output }),
        (thrown: unknown) => this.#finish({ kind: "failed", error: nodeErrorOf(thrown) }),
      );
    } catch (thrown) {
      this.#finish({ kind: "failed", error: nodeErrorOf(thrown) });
    }
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#aborted);
    return this.#controller.signal;
  }

  get idempotencyKey(): string {
    return digestHash(digestOf(`${this.#host.run}\n${this.#visit.id}`)).slice(0, 32);
  }

  get store(): LongTermStore {
    return this.#host.store;
  }

  // Bound, so that a node may take its context apart; and only when asked for, since most nodes use none of them.
  get emit(): (data: unknown) => void {
    return (data) => {
      if (this.#isOver) return;
      this.#beat();
      this.#host.emit(this.#visit.id, data);
    };
  }

  get heartbeat(): () => void {
    return () => this.#beat();
  }

  get once(): NodeContext["once"] {
    return <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
      this.#once ??= new Map();
      const running = this.#once.get(name) ?? this.#host.once(this.#visit, name, work);
      this.#once.set(name, running);
      return running as Promise<T>;
    };
  }

  get putBlob(): NodeContext["putBlob"] {
    return (bytes) => this.#host.putBlob(bytes);
  }

  get keepFile(): NodeContext["keepFile"] {
    return (path) => this.#host.keepFile(path);
  }

  get readBlob(): NodeContext["readBlob"] {
    return (blob) => this.#host.readBlob(blob);
  }

  /** Tells the node to stop; its answer is awaited by whoever aborts. */
  abort(why: AbortWhy): void {
    if (this.#isOver || this.#aborted !== undefined) return;
    this.#aborted = new NodeFailure({ class: "Cancelled", code: "flow-node-aborted", message: `aborted: ${why}` });
    this.#controller?.abort(this.#aborted);
    // It waits for what it claims: nobody has to be awaited.
    if (!this.#hasBegun) this.#finish({ kind: "failed", error: this.#aborted.error });
  }

  #beat(): void {
    if (this.#idleMs === undefined || this.#isOver) return;
    this.#idle?.cancel();
    this.#idle = this.#host.clock.setTimer(this.#idleMs, () => this.#expire("idle", this.#idleMs!));
  }

  #keep(timer: Timer): void {
    this.#timers ??= [];
    this.#timers.push(timer);
  }

  #startTimers(node: AnyNode): void {
    const timeout = "timeout" in node ? node.timeout : undefined;
    if (timeout === undefined || this.#isOver) return;
    const { run, idle } = typeof timeout === "object" ? timeout : { run: timeout, idle: undefined };
    if (run !== undefined) {
      const runMs = parseDurationMs(run)!;
      this.#keep(this.#host.clock.setTimer(runMs, () => this.#expire("run", runMs)));
    }
    if (idle === undefined) return;
    this.#idleMs = parseDurationMs(idle)!;
    this.#beat();
  }

  /** Time is up: the node is told, and given the grace to stop before the attempt counts as failed. */
  #expire(which: "run" | "idle", limitMs: number): void {
    if (this.#isOver || this.#timedOut !== undefined) return;
    const what = which === "run" ? `took longer than ${limitMs} ms` : `gave no sign of life for ${limitMs} ms`;
    this.#timedOut = { class: "Timeout", code: "flow-node-timeout", message: `${this.#visit.id} ${what}` };
    this.#aborted = new NodeFailure(this.#timedOut);
    this.#controller?.abort(this.#aborted);
    this.#keep(
      this.#host.clock.setTimer(this.#host.graceMs, () => this.#finish({ kind: "failed", error: this.#timedOut! })),
    );
  }

  #finish(end: AttemptEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timers !== undefined) for (const timer of this.#timers) timer.cancel();
    this.#idle?.cancel();
    this.#end(this.#timedOut === undefined ? end : { kind: "failed", error: this.#timedOut });
  }
}

/** A value under a name, as journals hold the results of `once`. */
export type OnceValue = readonly [Json] | readonly [];
