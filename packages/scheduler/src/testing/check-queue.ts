/**
 * Order of execution and starvation: P9.
 *
 * Method: priorities are computed anew from the graph, so only logs of one delta are judged (a later delta may raise
 * the priority of earlier nodes within a bound that this oracle does not know).
 */
import { criticalPaths, graphFromLists } from "@kahn/core";
import { overlaps } from "./claim-ledger.ts";
import type { Report } from "./kernel-log.ts";
import type { LogModel, NodeModel } from "./log-model.ts";

/** Follows the queue through a log. */
export class QueueCheck {
  private readonly model: LogModel;
  private readonly report: Report;
  private paths: Float64Array | undefined;
  /** The head that waits, and which of the nodes that ran when it became the head still run. */
  private watched: { readonly head: NodeModel; readonly ahead: Set<number> } | undefined;

  constructor(model: LogModel, report: Report) {
    this.model = model;
    this.report = report;
  }

  /** Called before an `execute` is taken into the model. */
  beforeExecute(node: NodeModel): void {
    if (!this.isJudged()) return;
    const queued = this.queued();
    // Nodes of higher priority that came later may go before the one watched.
    if (this.watched !== undefined && this.precedes(node, this.watched.head)) this.watched.ahead.add(node.number);
    const head = queued.reduce((first, other) => (this.precedes(other, first) ? other : first));
    for (const other of queued) {
      if (other === node || !this.precedes(other, node) || !this.model.claims.fits(other.spec.claim)) continue;
      // It fits and may yet be held back, for the sake of the head.
      if (other !== head && overlaps(other.spec.claim, head.spec.claim)) continue;
      this.report("P9", `node ${node.number} starts before node ${other.number}, which goes first and fits`);
    }
  }

  /** Called at the end of each entry. */
  afterEntry(): void {
    const queued = this.queued();
    if (queued.length === 0 || !this.isJudged()) {
      this.watched = undefined;
      return;
    }
    const head = queued.reduce((first, node) => (this.precedes(node, first) ? node : first));
    for (const node of queued) {
      if (node !== head && overlaps(node.spec.claim, head.spec.claim)) continue;
      if (this.model.claims.fits(node.spec.claim)) this.report("P9", `node ${node.number} could start and does not`);
    }
    const holders = this.model.claims.holders;
    if (this.watched?.head !== head) this.watched = { head, ahead: new Set(holders) };
    for (const node of this.watched.ahead) if (!holders.includes(node)) this.watched.ahead.delete(node);
    if (this.watched.ahead.size === 0)
      this.report("P9", `node ${head.number} starves: all that ran before it has ended`);
  }

  private isJudged(): boolean {
    return this.model.deltas === 1 && this.model.stop === "no";
  }

  private queued(): NodeModel[] {
    return this.model.nodes.filter((node) => node.phase === "queued");
  }

  private precedes(left: NodeModel, right: NodeModel): boolean {
    this.paths ??= this.criticalPaths();
    const byClass = left.spec.priorityClass - right.spec.priorityClass;
    if (byClass !== 0) return byClass > 0;
    const byPath = this.paths[left.number]! - this.paths[right.number]!;
    return byPath === 0 ? left.number < right.number : byPath > 0;
  }

  private criticalPaths(): Float64Array {
    const specs = this.model.nodes.map((node) => node.spec);
    const graph = graphFromLists(specs.map((spec) => [...spec.requires, ...spec.after]));
    return criticalPaths(
      graph,
      specs.map((spec) => spec.weightMs),
    );
  }
}
