/**
 * Checks a recorded log of the kernel against its invariants.
 *
 * Owns:  the rules that hold between steps and at the end (P1, P2, P10, P11, no idle places); the others are in
 *        `log-model.ts`, `check-queue.ts` and `check-delta.ts`.
 * Never: calls the kernel. P12 (determinism) needs two logs: compare them.
 */
import { QueueCheck } from "./check-queue.ts";
import type { KernelLog, KernelLogEntry, Violation } from "./kernel-log.ts";
import { isFallen, LogModel, type NodeModel } from "./log-model.ts";

/** How much a log must show. */
export interface LogExpectation {
  /** `whole`: the run must have come to its end. `prefix`: it may have been cut. */
  readonly extent: "whole" | "prefix";
}

/**
 * Checks a log.
 *
 * @returns the first few violations in order of the log (what follows a broken promise means little); empty if it keeps
 *   all promises.
 */
export function checkLog(log: KernelLog, { extent }: LogExpectation = { extent: "whole" }): Violation[] {
  const violations: Violation[] = [];
  let entry = 0;
  const report = (rule: string, message: string) => {
    violations.push({ rule, message, entry });
  };
  const model = new LogModel(log.options, report);
  const queue = new QueueCheck(model, report);
  for (; entry < log.entries.length && violations.length === 0; entry++) {
    checkEntry(log.entries[entry]!, model, queue);
    checkRest(model, report);
    checkServices(model, report);
  }
  if (log.thrown !== undefined) report("protocol", `the kernel threw: ${log.thrown}`);
  if (extent === "whole" && violations.length === 0) checkEnd(model, report);
  return violations;
}

function checkEntry(entry: KernelLogEntry, model: LogModel, queue: QueueCheck): void {
  model.takeEvent(entry);
  for (const effect of entry.effects) {
    if (effect.kind === "execute") queue.beforeExecute(model.nodes[effect.node]!);
    model.takeEffect(effect);
  }
  queue.afterEntry();
}

type Report = (rule: string, message: string) => void;

/** Between two steps nothing is left lying: every node is in flight, over, or waits for something real. */
function checkRest(model: LogModel, report: Report): void {
  const hasIo = model.ioInUse < model.options.limits.io;
  const awaited = new Set([...model.inFlight.values()].map((effect) => effect.node));
  for (const node of model.nodes) {
    if (node.phase === "ended") continue;
    const name = `node ${node.number} (${node.phase})`;
    if (node.phase === "done" || node.phase === "hit") report("P1", `${name} has its answer and does not go on`);
    if (node.phase === "storing" && !awaited.has(node.number) && hasIo) report("P7", `${name} waits for a free place`);
    if (node.phase !== "pending" && node.phase !== "queued") {
      const isToTell = model.stop === "cancel" && node.phase === "running";
      const isTold = model.isKilling ? node.told === "kill" : node.told !== "no";
      if (isToTell && !isTold) report("P11", `${name} is not ended`);
      continue;
    }
    if (model.stop !== "no") report("P11", `${name} is left after ${model.stop}`);
    else if (model.isDoomed(node)) report("P10", `${name} is not skipped though something it requires has fallen`);
    else if (node.phase === "pending" && hasIo && isFree(node, model)) report("P2", `${name} waits for nothing`);
  }
}

/** Services that are all that is left must be ended, or the run never is. */
function checkServices(model: LogModel, report: Report): void {
  const left = model.nodes.filter((node) => node.phase !== "ended");
  const isOver = model.isSealed && left.length > 0 && left.every((node) => node.spec.lifetime === "service");
  const isStanding = left.every((node) => node.phase === "running" && node.told === "no");
  if (isOver && isStanding) report("P2", "only services are left and none is ended");
}

function isFree(node: NodeModel, model: LogModel): boolean {
  const { requires, after } = node.spec;
  return requires.every((edge) => model.isMet(edge, "requires")) && after.every((edge) => model.isMet(edge, "after"));
}

function checkEnd(model: LogModel, report: Report): void {
  const left = model.nodes.filter((node) => node.phase !== "ended").map((node) => node.number);
  if (left.length > 0) report("P1", `nodes ${left.join()} never settle`);
  if (model.claims.holders.length > 0) report("P7", `nodes ${model.claims.holders.join()} hold claims at the end`);
  const hasFallen = model.nodes.some(isFallen);
  const expected = model.stop === "cancel" ? "cancelled" : hasFallen ? "failed" : "succeeded";
  if (model.finished === undefined) report("P2", "the run never finishes");
  else if (model.finished !== expected) report("P2", `the run is reported as ${model.finished}, not ${expected}`);
}
