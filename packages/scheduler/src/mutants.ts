/**
 * Faults to plant in the kernel, to see that the property suite finds them.
 *
 * Invariant: each `find` occurs exactly once in its file (the test fails otherwise), so a change of the kernel cannot
 *            silently turn a mutant into the kernel itself.
 */

/** One replacement of text. */
export interface Patch {
  /** Relative to this folder. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A faulty kernel. */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
}

const ADMISSION = "internal/admission.ts";
const HEAP = "internal/node-heap.ts";
const KERNEL = "kernel.ts";
const NODES = "internal/node-table.ts";
const PUMP = "internal/pump.ts";
const QUEUES = "internal/claim-queues.ts";
const RESOURCES = "internal/resources.ts";
const SETTLING = "internal/settling.ts";

const keepDuplicates: Patch = {
  file: ADMISSION,
  find: "if (nodes.namedBy[dependency] === node + 1) continue;",
  replace: "",
};
const countDuplicatesOnce: Patch = {
  file: ADMISSION,
  find: "nodes.unmet[node]!++;",
  replace: "if (edges.dependency[edge - 1] !== dependency || edges.dependent[edge - 1] !== node) nodes.unmet[node]!++;",
};

function mutant(name: string, file: string, ...[find, replace]: [find: string, replace: string]): Mutant {
  return { name, patches: [{ file, find, replace }] };
}

/** All of them; the test says what each run of the suite needed to find it. */
export const MUTANTS: readonly Mutant[] = [
  mutant("reversed edge", ADMISSION, "edges.add(node, dependency, strict", "edges.add(dependency, node, strict"),
  mutant(
    "lost decrement",
    SETTLING,
    "if (--state.nodes.unmet[dependent]! === 0)",
    "if (state.nodes.unmet[dependent] === 1)",
  ),
  { name: "a duplicate edge counts once and is met twice", patches: [keepDuplicates, countDuplicatesOnce] },
  {
    name: "double start on a duplicate edge",
    patches: [
      keepDuplicates,
      countDuplicatesOnce,
      {
        file: SETTLING,
        find: "if (--state.nodes.unmet[dependent]! === 0)",
        replace: "if (--state.nodes.unmet[dependent]! <= 0)",
      },
      {
        file: SETTLING,
        find: "} else if (status === WAITING && !wasReleased)",
        replace: "} else if (status <= READY && !wasReleased)",
      },
      { file: HEAP, find: "if (this.nodes.status[top] === this.status) return top;", replace: "return top;" },
    ],
  },
  mutant("`after` cascades", SETTLING, "if (edges.strict[edge] === 1 && !isOver)", "if (!isOver)"),
  mutant("`requires` does not cascade", SETTLING, "if (edges.strict[edge] === 1 && !isOver)", "if (false)"),
  mutant(
    "cause is the neighbour",
    SETTLING,
    'conclude(state, dependent, { end: "skipped", cause: rootOf(state, node) });',
    'conclude(state, dependent, { end: "skipped", cause: node });',
  ),
  mutant(
    "no fixpoint drain",
    SETTLING,
    "if (nodes.status[node]! <= QUEUED) conclude",
    "if (nodes.status[node] === READY || nodes.status[node] === QUEUED) conclude",
  ),
  mutant("reservation dropped", PUMP, "resources.mayPass(claim, reservation)", "resources.fits(claim)"),
  mutant(
    "reservation counts what is promised twice",
    RESOURCES,
    "(reservation.promised.get(resource) ?? 0);",
    "2 * (reservation.promised.get(resource) ?? 0);",
  ),
  mutant("reservation leaves the rest to all", RESOURCES, "if (left < reserved) return false;", ""),
  mutant(
    "nothing passes a head that does not fit",
    PUMP,
    "node = queue.first((claim) => resources.mayPass(claim, reservation));",
    "node = reservation === undefined ? 0 : -1;",
  ),
  mutant(
    "start after cancel",
    KERNEL,
    'if (state.stop.kind !== "no") settle(state, node, stopped',
    "if (false) settle(state, node, stopped",
  ),
  mutant(
    "restore after cancel",
    KERNEL,
    'if (outcome === "hit" && state.stop.kind === "no")',
    'if (outcome === "hit")',
  ),
  mutant("delta admitted after cancel", KERNEL, 'if (state.stop.kind !== "no") sweep', "if (false) sweep"),
  {
    name: "terminal overwritten",
    patches: [
      { file: NODES, find: "if (before >= SUCCEEDED) throw", replace: "if (false) throw" },
      { file: SETTLING, find: "if (status <= QUEUED) {", replace: "if (status <= QUEUED || status >= SUCCEEDED) {" },
    ],
  },
  {
    name: "a hit claims a slot",
    patches: [
      {
        file: KERNEL,
        find: "state.nodes.setStatus(node, RESTORING);",
        replace: "state.nodes.setStatus(node, RESTORING); state.resources.take(state.nodes.claim[node]!, node);",
      },
      {
        file: KERNEL,
        find: 'if (outcome === "missing") {',
        replace: 'state.resources.give(state.nodes.claim[node]!, node); if (outcome === "missing") {',
      },
    ],
  },
  mutant(
    "claim not released on error",
    KERNEL,
    "state.resources.give(nodes",
    'if (outcome !== "errored") state.resources.give(nodes',
  ),
  mutant(
    "shared and exclusive swapped",
    RESOURCES,
    'mode === "exclusive" ? MUTEX_WHOLE',
    'mode === "shared" ? MUTEX_WHOLE',
  ),
  mutant(
    "only slots are checked",
    RESOURCES,
    "for (let at = 0; at < resources.length; at++) {\n      if",
    "for (let at = 0; at < 1 && at < resources.length; at++) {\n      if",
  ),
  mutant("tag caps ignored", RESOURCES, "for (const tag of claim.tags)", "for (const tag of [] as string[])"),
  mutant("a pool named twice counts once", RESOURCES, "(amounts.get(resource) ?? 0) + amount", "amount"),
  mutant("the terminal is for everybody", RESOURCES, "if (claim.terminal)", "if (false)"),
  mutant(
    "I/O place kept after a miss",
    KERNEL,
    'state.ioInUse--;\n  if (outcome === "errored")',
    'if (outcome === "errored") state.ioInUse--;\n  if (outcome === "errored")',
  ),
  mutant(
    "stores take places that are not there",
    PUMP,
    "state.storesAt < stores.length && state.ioInUse < state.options.limits.io",
    "state.storesAt < stores.length",
  ),
  mutant(
    "a restore that failed counts as done",
    KERNEL,
    'outcome === "restored" ? "succeeded" : "errored"',
    '"succeeded"',
  ),
  mutant("a hit is reported as executed", KERNEL, "state.nodes.flags[node]! |= CACHED;", ""),
  mutant("fail-fast ignored", SETTLING, 'state.options.failure === "fail-fast"', "false"),
  mutant("failure forgotten", SETTLING, "state.hasFailure = true;", ""),
  mutant("critical path upside down", NODES, "return byPath > 0;", "return byPath < 0;"),
  mutant("priority class ignored", NODES, "if (byClass !== 0)", "if (false)"),
  mutant(
    "critical path stops at the neighbour",
    ADMISSION,
    "const path = nodes.pathMs[node]!;",
    "const path = nodes.weightMs[node]!;",
  ),
  mutant(
    "heap takes the wrong child",
    HEAP,
    "nodes.precedes(items[child + 1]!, items[child]!)) child++;",
    "nodes.precedes(items[child]!, items[child + 1]!)) child++;",
  ),
  mutant(
    "a queue is forgotten",
    QUEUES,
    "if (this.isActive[claim] === true) return;",
    "if (this.isActive[claim] !== undefined) return;",
  ),
  mutant("cycle admitted", ADMISSION, "order === undefined ? findCycles(graph) : []", "[] as number[][]"),
  mutant("only the first fault is reported", ADMISSION, "reasons: problems }", "reasons: problems.slice(0, 1) }"),
  mutant("delta onto a failed node waits", ADMISSION, "if (isBad)", "if (false)"),
  mutant("delta onto a settled node waits", ADMISSION, "strict ? status === SUCCEEDED : status >= SUCCEEDED", "false"),
  mutant("edges released twice", SETTLING, "status === WAITING && !wasReleased", "status === WAITING"),
  mutant(
    "a second answer of a service counts",
    KERNEL,
    "|| (nodes.flags[node]! & ANSWERED) !== 0) return;",
    ") return;",
  ),
  mutant("a service keeps its slots", KERNEL, "state.resources.giveSlots(nodes.claim[node]!, node);", ""),
  mutant("services are never ended", PUMP, "if (state.services.size > 0) endServices(state);", ""),
  mutant("services are ended though required", PUMP, "if (isRequired(state, node)) continue;", ""),
  mutant("services are ended before the graph is whole", PUMP, "(hasPinned || !state.isSealed)", "hasPinned"),
  mutant(
    "a miss under a dead service is executed",
    KERNEL,
    'else if (cause !== -1) settle(state, node, { end: "skipped", cause });',
    "",
  ),
  mutant(
    "a running node is not told",
    KERNEL,
    "TOLD_KILL : TOLD_TERM | TOLD_KILL",
    "TOLD_KILL | TOLD_TERM : TOLD_TERM | TOLD_KILL",
  ),
  mutant("finished twice", PUMP, "state.isSealed && !state.isFinished", "state.isSealed"),
  mutant(
    "finished before the seal",
    PUMP,
    "else if (state.isSealed && !state.isFinished)",
    "else if (!state.isFinished)",
  ),
];
