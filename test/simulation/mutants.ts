/**
 * Faults to plant in `exec`, to see that the simulation finds them.
 *
 * Invariant: each `find` occurs exactly once in its file (the test fails otherwise), so a change of `exec` cannot
 *            silently turn a mutant into `exec` itself.
 */
import type { Patch } from "./exec-under-test.ts";

/** A faulty `exec`. */
export interface Mutant {
  readonly name: string;
  /** A seed whose simulation finds it. */
  readonly seed: number;
  readonly patches: readonly Patch[];
}

function mutant(seed: number, name: string, file: string, ...[find, replace]: [find: string, replace: string]): Mutant {
  return { name, seed, patches: [{ file, find, replace }] };
}

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  mutant(
    2,
    "the record is written before the blobs",
    "local-executor.ts",
    "await this.#ingest(outputs, streams.problem) : undefined;",
    "(this.#options.clock.setTimer(5, () => void this.#ingest(outputs, streams.problem).catch(() => {})), undefined) : undefined;",
  ),
  mutant(
    90,
    "a closure without those below it",
    "closure.ts",
    'if (resolved.reach === "transitive") {',
    "if (false) {",
  ),
  mutant(
    358,
    "a task that reaches its own outputs only is treated like any other",
    "closure.ts",
    'if (resolved.reach === "transitive") {',
    "if (true) {",
  ),
  mutant(1, "a key without closures", "action-key.ts", "closures: [...closures, ...resolved", "closures: [...resolved"),
  mutant(
    1,
    "the fingerprint leaves out whether an input is executable",
    "result-memo.ts",
    'if (entry.kind === "file" && entry.executable) fields.push("x");',
    "",
  ),
  mutant(
    1,
    "inputs are not looked at again after the command",
    "local-executor.ts",
    "resolved.changedInputs() : [];",
    "[] : [];",
  ),
  mutant(
    1,
    "stale files are kept on restore",
    "node-restore.ts",
    "dropStale(context, node, new Set(node.outputPaths));",
    "",
  ),
  mutant(67, "results of other work trees are not remembered", "node-restore.ts", "  keepRecord(context, node);\n", ""),
  mutant(45, "outputs of removed inputs stay", "node-execute.ts", "  cleanBefore(context, node);\n", ""),
  mutant(
    62,
    "a store that refuses is treated as one that stored",
    "node-execute.ts",
    "if (!recorded.ok) return storeFailed(node, recorded.problem);",
    "",
  ),
  mutant(
    54,
    "a result is recorded although its blobs were refused",
    "local-executor.ts",
    "if (!ingested.ok) return storeFailed(this.#request.resolved, ingested.problem);",
    "if (!ingested.ok) return undefined;",
  ),
  mutant(
    6,
    "observers are told before the journal",
    "event-log.ts",
    "    await this.#journal(events);\n    for (const event of events) this.#hand((observer) => observer.event(event));",
    "    for (const event of events) this.#hand((observer) => observer.event(event));\n    await this.#journal(events);",
  ),
  mutant(
    1,
    "effects are performed before the journal has their events",
    "run-graph.ts",
    "      const refused = await this.#log.append(events);\n",
    "      if (this.#broken === undefined) for (const effect of effects) this.#perform(effect);\n      const refused = await this.#log.append(events); effects.length = 0;\n",
  ),
  mutant(
    2,
    "a journal that refuses is overheard",
    "run-graph.ts",
    "if (refused !== undefined && this.#broken === undefined) this.#stopFor(refused);",
    "",
  ),
  mutant(1, "what is in place is believed to be right", "output-restore.ts", "present.digest === entry.digest &&", ""),
  mutant(
    1,
    "the executable bit of what is in place is not looked at",
    "output-restore.ts",
    "((present.stat.mode & 0o111) !== 0) === entry.executable",
    "true",
  ),
  mutant(1, "empty directories are no outputs", "output-tree.ts", "found.emptyDirectories.push(directory);", "{}"),
  mutant(
    31,
    "linked outputs are not made private before the command",
    "local-executor.ts",
    'if (outputs.mode !== "link") return;',
    "return;",
  ),
  mutant(
    9,
    "attempts go on after a cancel",
    "node-execute.ts",
    'context.cancelled);\n    if (context.cancelled.aborted) return "cancelled";',
    "context.cancelled);",
  ),
  mutant(1, "a failure with attempts left is final", "node-execute.ts", "attempt >= attemptsMax ||", "true ||"),
  mutant(
    432,
    "a command that timed out has succeeded",
    "local-executor.ts",
    'if (endedBy === "timeout" || endedBy === "not-ready") {',
    "if (false) {",
  ),
  mutant(
    3,
    "a service is ready at once",
    "readiness.ts",
    "if (probe === undefined)",
    "if (probe !== undefined) options.onReady(); if (probe === undefined)",
  ),
  mutant(
    31,
    "a missing blob is no reason to run",
    "output-restore.ts",
    'if (failed === -1) return ok({ kind: "restored", writtenFiles: wanted.length });',
    'return ok({ kind: "restored", writtenFiles: wanted.length });',
  ),
  mutant(
    1,
    "a hit prints nothing",
    "node-restore.ts",
    "for (const [stream, bytes] of found.streams)",
    "for (const [stream, bytes] of [] as typeof found.streams)",
  ),
];
