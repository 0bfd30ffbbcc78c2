/**
 * How long a run and its visits were executed, and what of it runs: from its events alone.
 *
 * Owns:      the meaning of that time. It passes while a process has the run and a visit does something or waits for its
 *            next attempt; it does not while people are waited for, and while nobody executes the run.
 * Invariant: memory grows with what is open. Of a process that died nobody knows when: its time ends with its last event.
 */
import type { FlowEvent } from "../../machine/state/events.ts";

/** A visit that runs, or did when its run was last heard of. */
export interface RunningVisit {
  readonly path: string;
  /** Wall time of the beginning of this attempt, or of the resumption that took it up. */
  readonly sinceMs: number;
  readonly attempt: number;
  /** Until then it waits for that attempt. */
  readonly retryMs?: number;
}

interface Timed {
  /** A holder has branches or a subgraph: it does what they do. */
  role: "work" | "barrier" | "holder";
  /** How many visits in it, itself included, do something. */
  busy: number;
  /** Since when that counts; only while there are some, and the run has an owner. */
  sinceMs: number;
  totalMs: number;
  hasFailed: boolean;
  startedMs: number;
  attempt: number;
  retryMs: number | undefined;
  /** Failed visits right inside, which no event of their own closes. */
  failed: Set<string> | undefined;
}

/** The run itself, as the outermost holder. */
const RUN = "";

/** See the head of the file. */
export class ExecutionTimes {
  readonly #open = new Map<string, Timed>();
  #isOwned = false;
  #hasEnded = false;
  #lastMs = 0;

  /**
   * Takes in one event, in order.
   *
   * @returns of a visit that ends or fails with it: how long it was executed, in milliseconds; once, and of a barrier
   *          never.
   */
  take(event: FlowEvent): number | undefined {
    const { atMs } = event;
    const took = this.#takeVisit(event);
    switch (event.type) {
      case "run.started":
        this.#own(atMs);
        break;
      case "run.resumed":
        this.#disown(this.#lastMs);
        if (this.#hasEnded) this.#tryAgain(atMs);
        this.#own(atMs);
        break;
      case "run.completed":
      case "run.failed":
      case "run.cancelled":
      case "run.suspended":
        this.#disown(atMs);
        this.#hasEnded = event.type !== "run.suspended";
        break;
      default:
    }
    this.#lastMs = atMs;
    return took;
  }

  /** A fork begins here: what came before is time of the run it came from. */
  restart(): void {
    this.#disown(this.#lastMs);
    this.#tryAgain(this.#lastMs);
    const run = this.#open.get(RUN);
    if (run !== undefined) run.totalMs = 0;
  }

  /** How long the run was executed, in milliseconds: through the last event, or through `nowMs` if it is still. */
  executedMs(nowMs = this.#lastMs): number {
    const run = this.#open.get(RUN);
    if (run === undefined) return 0;
    return run.totalMs + (this.#isOwned && run.busy > 0 ? Math.max(0, nowMs - run.sinceMs) : 0);
  }

  /** What does something, in the order in which it began; of a run that nobody executes: what a resumption takes up. */
  running(): readonly RunningVisit[] {
    const found: RunningVisit[] = [];
    for (const [path, { role, hasFailed, startedMs, attempt, retryMs }] of this.#open) {
      if (role !== "work" || hasFailed) continue;
      found.push({ path, sinceMs: startedMs, attempt, ...(retryMs === undefined ? {} : { retryMs }) });
    }
    return found;
  }

  #takeVisit(event: FlowEvent): number | undefined {
    const { atMs } = event;
    switch (event.type) {
      case "node.started":
      case "branch.started":
        this.#begin(event.path, event.attempt, atMs);
        return undefined;
      case "node.retrying":
        Object.assign(this.#at(event.path), { attempt: event.attempt, retryMs: event.dueMs });
        return undefined;
      case "fan.opened":
      case "subgraph.opened":
        this.#become("holder", event.path, atMs);
        return undefined;
      case "barrier.opened":
        this.#become("barrier", event.barrier, atMs);
        return undefined;
      case "node.failed":
        return this.#fail(event.path, atMs);
      case "node.committed":
      case "branch.committed":
      case "node.skipped":
        return this.#end(event.path, atMs);
      default:
        return undefined;
    }
  }

  #at(path: string): Timed {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const timed: Timed = {
      role: path === RUN ? "holder" : "work",
      busy: 0,
      sinceMs: 0,
      totalMs: 0,
      hasFailed: false,
      startedMs: 0,
      attempt: 1,
      retryMs: undefined,
      failed: undefined,
    };
    this.#open.set(path, timed);
    return timed;
  }

  #begin(path: string, attempt: number, atMs: number): void {
    const isNew = !this.#open.has(path);
    Object.assign(this.#at(path), { attempt, startedMs: atMs, retryMs: undefined });
    if (isNew) this.#count(path, 1, atMs);
  }

  #become(role: "barrier" | "holder", path: string, atMs: number): void {
    const visit = this.#at(path);
    if (visit.role === "work" && visit.busy > 0) this.#count(path, -1, atMs);
    visit.role = role;
  }

  #fail(path: string, atMs: number): number | undefined {
    const visit = this.#at(path);
    if (visit.role === "work" && !visit.hasFailed) this.#count(path, -1, atMs);
    visit.hasFailed = true;
    const holder = this.#at(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    holder.failed ??= new Set();
    holder.failed.add(path);
    return tookOf(visit, atMs);
  }

  #end(path: string, atMs: number): number | undefined {
    const visit = this.#open.get(path);
    if (visit === undefined) return undefined;
    if (visit.role === "work" && !visit.hasFailed) this.#count(path, -1, atMs);
    this.#forget(path);
    return visit.hasFailed ? undefined : tookOf(visit, atMs);
  }

  #forget(path: string): void {
    const visit = this.#open.get(path);
    this.#open.delete(path);
    for (const inner of visit?.failed ?? []) this.#forget(inner);
  }

  /** For a visit and all that it is inside of. */
  #count(path: string, by: 1 | -1, atMs: number): void {
    for (let at: string = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
      const visit = this.#at(at);
      if (this.#isOwned && visit.busy === 0) visit.sinceMs = atMs;
      visit.busy += by;
      if (this.#isOwned && visit.busy === 0) visit.totalMs += atMs - visit.sinceMs;
      if (at === RUN) return;
    }
  }

  #own(atMs: number): void {
    this.#isOwned = true;
    this.#hasEnded = false;
    for (const visit of this.#open.values()) {
      if (visit.busy === 0) continue;
      visit.sinceMs = atMs;
      visit.startedMs = atMs;
    }
  }

  #disown(atMs: number): void {
    if (!this.#isOwned) return;
    this.#isOwned = false;
    for (const visit of this.#open.values()) if (visit.busy > 0) visit.totalMs += atMs - visit.sinceMs;
  }

  /** What failed runs again when its run is taken up. */
  #tryAgain(atMs: number): void {
    for (const [path, visit] of [...this.#open]) {
      visit.failed = undefined;
      if (!visit.hasFailed) continue;
      visit.hasFailed = false;
      visit.attempt = 1;
      visit.retryMs = undefined;
      if (visit.role === "work") this.#count(path, 1, atMs);
    }
  }
}

/** Whoever waits for people does nothing. */
function tookOf({ role, busy, totalMs, sinceMs }: Timed, atMs: number): number | undefined {
  if (role === "barrier") return undefined;
  return totalMs + (busy > 0 ? atMs - sinceMs : 0);
}
