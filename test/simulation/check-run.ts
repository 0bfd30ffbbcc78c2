/**
 * What must be true of every simulated run, whatever happened in it.
 *
 * Owns:      the invariants, each as one sentence per violation; and what the world may rely on after the run.
 * Source:    the invariants P1–P19 of the kernel's specification and ARCHITECTURE.md.
 */
import { digestOf, type InputEntry } from "@kahn/core";
import { checkLog } from "@kahn/scheduler/testing";
import { checkRunEvents, type RunEventOf } from "@kahn/testing";
import { outputRoots } from "./command.ts";
import { readEntry } from "./fake-commands.ts";
import { inputsOf, Oracle } from "./oracle.ts";
import { LOCK_FILE, labelOf, type SimTask, type Source } from "./sim-workspace.ts";
import type { RunRecord } from "./simulated-run.ts";
import { CACHE, type World } from "./world.ts";

type Settled = RunEventOf<"node.settled">;

/** A run with what its checks share. */
interface Case {
  readonly world: World;
  readonly record: RunRecord;
  readonly oracle: Oracle;
  /** Of the plan, in its order. */
  readonly tasks: readonly SimTask[];
  readonly settled: ReadonlyMap<string, Settled>;
  /** True when a source changed while the run went on. */
  readonly wasEdited: boolean;
  readonly say: (violation: string) => void;
}

/** Violations of a run that has just ended. @param before versions of the sources when it began. */
export function checkRun(world: World, record: RunRecord, before: ReadonlyMap<string, number>): string[] {
  const violations = [...record.violations];
  const planned = record.recorder.ofKind("run.planned").flatMap(({ nodes }) => nodes.map(({ label }) => label));
  const wasEdited = [...world.versions].some(([path, version]) => before.get(path) !== version);
  const tasks = planned.map((label) => world.workspace.tasks.find((task) => labelOf(task) === label)!);
  const settled = new Map(
    record.recorder.ofKind("node.settled").map((event) => [record.recorder.labelOf(event.node), event]),
  );
  const subject: Case = {
    world,
    record,
    oracle: new Oracle(world.workspace, world.sources),
    tasks,
    settled,
    wasEdited,
    say: (violation) => violations.push(violation),
  };
  checkEnd(subject);
  checkJournal(subject);
  checkInputs(subject);
  if (!wasEdited) checkSettled(subject);
  settleLitter(subject);
  if (!wasEdited && record.end.kind === "finished") checkOutputs(subject);
  noteStored(subject);
  return violations;
}

function checkEnd({ world, record, say }: Case): void {
  const { end } = record;
  if (end.kind === "threw") say(`the run threw ${end.error instanceof Error ? end.error.stack : String(end.error)}`);
  if (end.kind === "stalled") say("the run stalled: nothing is due, and it has not ended");
  // A request for nothing but groups without a command behind them is refused, and rightly so.
  const isRightly = end.kind === "refused" && (record.fs.fired.length > 0 || end.why.startsWith("nothing-to-run"));
  if (end.kind === "refused" && !isRightly) say(`the run was refused: ${end.why}`);
  if (end.kind === "refused" && !/[A-Za-z]/.test(end.why)) say("the run was refused without a word");
  if (record.kernel !== undefined) {
    const extent = end.kind === "finished" ? "whole" : "prefix";
    for (const { rule, message } of checkLog(record.kernel, { extent })) say(`kernel ${rule}: ${message}`);
  }
  if (end.kind !== "finished") return;
  if (record.leftAlive.length > 0) say(`processes outlive the run: ${record.leftAlive.join(", ")}`);
  const { status } = end.outcome;
  const refusedAppend = record.fs.fired.some(({ path }) => path.includes("/state/runs/"));
  if (status === "errored" && !refusedAppend) say("the run ended as errored, and its journal refused nothing");
  if (status === "errored" && record.recorder.finished?.problem === undefined) say("an errored run does not say why");
  if (refusedAppend && status !== "errored" && !isWholeJournal(record))
    say("its journal refused, and the run ended as if not");
  if (status === "cancelled" && !record.cancelled) say("the run says it was cancelled, and nobody did");
  world.trace.push(`${status} ${JSON.stringify(end.outcome.counts)}`);
}

function isWholeJournal({ journal, recorder }: RunRecord): boolean {
  return JSON.stringify(journal) === JSON.stringify(recorder.events);
}

function checkJournal({ record, say }: Case): void {
  const { journal, recorder, end } = record;
  if (end.kind === "refused" && recorder.events.length === 0) return;
  const finished = end.kind === "finished";
  for (const violation of checkRunEvents(recorder.events, { finished })) say(`events: ${violation}`);
  if (finished && end.outcome.status === "errored") return;
  // What an observer was told is in the journal; after the death of the process there may be one append more.
  const told = recorder.events.map((event) => JSON.stringify(event));
  const kept = journal.map((event) => JSON.stringify(event));
  if (finished && kept.length !== told.length)
    say(`the journal has ${kept.length} events, observers saw ${told.length}`);
  if (kept.length < told.length) say(`the journal lost ${told.length - kept.length} events that observers saw`);
  if (told.some((event, index) => kept[index] !== event)) say("the journal differs from what observers saw");
  for (const violation of checkRunEvents(journal, { finished })) say(`journal: ${violation}`);
}

/** P19: the inputs of a recorded result are those of its key up to the end of its command. */
function checkInputs({ record, settled, say }: Case): void {
  const last = new Map(record.executions.map((execution) => [execution.task.name, execution]));
  for (const { task, keyed, ended } of last.values()) {
    if (settled.get(labelOf(task))?.stored !== true) continue;
    const before = new Map(keyed.inputs.map((entry) => [entry.path, contentOf(entry)]));
    for (const [name, digest] of keyed.parts.external) before.set(name, digest);
    const after = new Map(inputsOf(task, ended).map(([path, source]) => [path, contentOf(sourceEntry(path, source))]));
    const lock = ended.get(LOCK_FILE);
    if (lock?.kind === "file") after.set(LOCK_FILE, digestOf(lock.text));
    const own = [...new Set([...before.keys(), ...after.keys()])].filter(
      (path) => before.get(path) !== after.get(path),
    );
    if (own.length > 0) say(`P19: ${task.name} was stored although ${own.join(", ")} changed while it ran`);
  }
}

function sourceEntry(path: string, source: Source): InputEntry {
  if (source.kind === "symlink") return { kind: "symlink", path, target: source.target };
  return { kind: "file", path, digest: digestOf(source.text), executable: source.executable };
}

function contentOf(entry: InputEntry): string {
  if (entry.kind === "file") return `${entry.digest}${entry.executable ? "x" : ""}`;
  return entry.kind === "symlink" ? `-> ${entry.target}` : "/";
}

function checkSettled(subject: Case): void {
  const { record, oracle, tasks, settled, world, say } = subject;
  const { end } = record;
  if (end.kind === "crashed" || end.kind === "refused") return;
  const touched = (part: string) => record.fs.fired.some(({ path, to }) => path.includes(part) || to?.includes(part));
  // Kahn could not write into the work tree itself, or not keep what a command prints.
  const isTreeRefused = touched("/packages/") || touched("/streams");
  const broke = end.kind === "finished" && end.outcome.status === "errored";
  const isStopped =
    record.cancelled ||
    broke ||
    (record.settings.failFast && [...settled.values()].some(({ end }) => end !== "succeeded"));
  for (const task of tasks) {
    const event = settled.get(labelOf(task));
    if (event === undefined || event.end === "cancelled") {
      if (event !== undefined && !isStopped) say(`${task.name} is cancelled, and nothing was`);
      continue;
    }
    const attempts = record.settings.moods.get(task.name) ?? [];
    const isUnlucky = attempts.length > task.retries || attempts.slice(0, task.retries + 1).includes("does-not-start");
    const mayFail = oracle.result(task).exitCode !== 0 || isUnlucky || isTreeRefused;
    const isStarted = record.recorder.startedOrder().includes(labelOf(task));
    if (event.end === "failed" && !mayFail)
      say(`${task.name} failed: ${JSON.stringify(event.problem)} ${record.recorder.outputOf(labelOf(task), "stderr")}`);
    if (event.end === "errored" && !mayFail) say(`${task.name} is errored: ${JSON.stringify(event.problem)}`);
    if (event.end === "succeeded" && task.kind === "command") {
      if (oracle.result(task).exitCode !== 0) say(`${task.name} succeeded with inputs that make it fail`);
      if (isStarted && isUnlucky) say(`${task.name} succeeded although no attempt did`);
    }
    if (event.end === "skipped" && task.requires.every((name) => isSucceeded(subject, name))) {
      say(`${task.name} is skipped although all that it requires succeeded`);
    }
    const mustBeStored =
      task.kind === "command" && task.cached && event.end === "succeeded" && event.source === "executed";
    if (mustBeStored && event.stored !== true && record.fs.fired.length === 0)
      say(`${task.name} succeeded and was not stored`);
    if (event.source === "cached" && (!task.cached || record.settings.force))
      say(`${task.name} is a hit, which it must not be`);
    const wasStored = task.kind === "command" && task.cached && world.storedKeys.has(oracle.key(task));
    if (wasStored && isStarted && !record.settings.force && !touched(CACHE)) {
      say(`${task.name} ran again although its result is stored: ${missText(record, task)}`);
    }
  }
}

function missText({ recorder }: RunRecord, task: SimTask): string {
  const missed = recorder.ofKind("node.missed").filter(({ node }) => recorder.labelOf(node) === labelOf(task));
  return JSON.stringify(missed.map(({ reasons, cache }) => ({ cache, reasons })));
}

function isSucceeded({ settled, world }: Case, name: string): boolean {
  const task = world.workspace.tasks.find((each) => each.name === name)!;
  const end = settled.get(labelOf(task))?.end;
  return end === "succeeded" || (task.kind === "service" && end !== "failed" && end !== "errored" && end !== "skipped");
}

/** A result with a record accounts for all that its command wrote. */
function settleLitter({ record, tasks }: Case): void {
  const last = new Map<string, Settled>();
  for (const event of record.journal)
    if (event.kind === "node.settled") last.set(record.recorder.labelOf(event.node), event);
  for (const task of tasks) {
    const event = last.get(labelOf(task));
    const litter = record.settings.checkout.litter;
    // A restore that was cut off or refused has left files that no record accounts for.
    if (event?.end !== "succeeded") litter.set(task.name, "any");
    if (event?.source === "executed" && event.record !== undefined && litter.get(task.name) !== "any")
      litter.delete(task.name);
  }
}

/** Never a wrong hit, no stale files, and a hit is a fresh run: outputs and streams are what the sources say. */
function checkOutputs({ world, record, oracle, tasks, settled, say }: Case): void {
  const { root, litter } = record.settings.checkout;
  for (const task of tasks) {
    const event = settled.get(labelOf(task));
    if (task.kind !== "command" || event?.end !== "succeeded") continue;
    const { outputs, stdout } = oracle.result(task);
    const how = `${task.name} (${event.source})`;
    const printed = record.recorder.outputOf(labelOf(task), "stdout");
    if (printed !== stdout) say(`${how} printed ${printed.slice(0, 60)}, not ${stdout.slice(0, 60)}`);
    for (const [path, wanted] of outputs) {
      const found = readEntry(world.fs, `${root}/${path}`);
      if (found !== wanted) say(`${how}: ${path} is ${found?.slice(0, 70)}, not ${wanted.slice(0, 70)}`);
    }
    const left = litter.get(task.name);
    for (const path of outputRoots(task).flatMap((each) => pathsBelow(world, root, each))) {
      if (!outputs.has(path) && left !== "any" && left?.has(path) !== true) say(`${how}: ${path} is stale`);
    }
  }
}

/** Files, links and empty directories at and below a path. */
function pathsBelow(world: World, root: string, path: string): string[] {
  const kind = world.fs.lstat(`${root}/${path}`)?.kind;
  if (kind === undefined) return [];
  const entries = kind === "directory" ? world.fs.readDirectory(`${root}/${path}`)! : [];
  return entries.length === 0 ? [path] : entries.flatMap(({ name }) => pathsBelow(world, root, `${path}/${name}`));
}

/** From here on these results must be found. */
function noteStored({ world, oracle, record, tasks, wasEdited }: Case): void {
  const label = new Map(tasks.map((task) => [labelOf(task), task]));
  if (wasEdited || world.isStoreDoubtful) return;
  for (const event of record.journal) {
    if (event.kind !== "node.settled" || event.stored !== true || event.end !== "succeeded") continue;
    const task = label.get(record.recorder.labelOf(event.node));
    if (task !== undefined) world.storedKeys.add(oracle.key(task));
  }
}
