/** The contract of `ActionExecutor`. */
import assert from "node:assert/strict";
import type { ActionExecutor, BlobStore, ExecuteObserver, ExecuteOutcome, ExecuteRequest, Execution } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/**
 * What the suite needs commands to do:
 * - `succeeds`: prints `out\n` and `err\n`, writes the output file `dist/made` with the text `made\n`, exits 0;
 * - `succeeds-again`: another action that does the same;
 * - `makes-other`: as `succeeds`, but its output has another text;
 * - `makes-nothing`: declares `dist/made` and does not make it, exits 0;
 * - `fails`: prints `out\n`, exits 3;
 * - `hangs`: prints `ready\n`, runs until it is ended, dies of TERM;
 * - `times-out`: prints `ready\n`, hangs, with a timeout;
 * - `cannot-start`: a program that is not there.
 * `dist/made` is relative to the workspace.
 */
export type ExecutorScenario =
  | "succeeds"
  | "succeeds-again"
  | "makes-other"
  | "makes-nothing"
  | "fails"
  | "hangs"
  | "times-out"
  | "cannot-start";

/** An action executor under test. */
export interface ActionExecutorSubject extends ContractSubject {
  readonly executor: ActionExecutor;
  readonly blobs: BlobStore;
  /** A request whose action behaves as the scenario says; digests differ between scenarios. */
  request(scenario: ExecutorScenario): ExecuteRequest;
  /** Lets time pass until the timeout of `times-out` is over; nothing to do where it passes by itself. */
  passTimeout(): Promise<void>;
}

class Watched implements ExecuteObserver {
  starts = 0;
  readonly text = { stdout: "", stderr: "" };
  #awaited: (() => void)[] = [];

  started(): void {
    this.starts++;
  }

  output(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    this.text[stream] += Buffer.from(bytes).toString();
    if (this.text.stdout.includes("ready")) for (const resolve of this.#awaited) resolve();
  }

  ready(): void {}

  /** Resolves once the command has printed `ready`. */
  hearsReady(): Promise<void> {
    return new Promise((resolve) => {
      if (this.text.stdout.includes("ready")) resolve();
      else this.#awaited.push(resolve);
    });
  }
}

function start(subject: ActionExecutorSubject, scenario: ExecutorScenario): Execution & { readonly watched: Watched } {
  const watched = new Watched();
  const execution = subject.executor.execute(subject.request(scenario), watched);
  return { outcome: execution.outcome, cancel: (how) => execution.cancel(how), watched };
}

type Completed = Extract<ExecuteOutcome, { readonly kind: "completed" }>;

async function completed(subject: ActionExecutorSubject, scenario: ExecutorScenario): Promise<Completed> {
  const outcome = await start(subject, scenario).outcome;
  assert.ok(outcome.kind === "completed", JSON.stringify(outcome));
  return outcome;
}

/** Text of a stream, wherever the result keeps it. */
async function streamText(blobs: BlobStore, { result }: Completed, stream: "stdout" | "stderr"): Promise<string> {
  const raw = stream === "stdout" ? result.stdoutRaw : result.stderrRaw;
  const digest = result[stream];
  if (digest === undefined) return Buffer.from(raw ?? []).toString();
  const read = await blobs.read(digest);
  assert.ok(read.ok && read.value !== undefined);
  return Buffer.from(read.value).toString();
}

/** The cases for an action executor. */
export function actionExecutorContract(make: MakeSubject<ActionExecutorSubject>): readonly ContractCase[] {
  return contractCases<ActionExecutorSubject>(make, {
    "a command that succeeds completes, with its streams and outputs": async (subject) => {
      const outcome = await completed(subject, "succeeds");
      assert.equal(outcome.result.exitCode, 0);
      assert.equal(await streamText(subject.blobs, outcome, "stdout"), "out\n");
      assert.equal(await streamText(subject.blobs, outcome, "stderr"), "err\n");
      assert.deepEqual(outcome.outputPaths, ["dist/made"]);
      assert.deepEqual(outcome.missingRoots, []);
      assert.ok(outcome.durationMs >= 0);
    },
    "every blob that a result names is in the store": async (subject) => {
      const { result } = await completed(subject, "succeeds");
      const named = [
        ...result.outputFiles.map(({ digest }) => digest),
        ...result.outputDirectories.map(({ tree }) => tree),
      ];
      assert.ok(named.length > 0);
      const missing = await subject.blobs.findMissing(named);
      assert.ok(missing.ok);
      assert.deepEqual(missing.value, []);
    },
    "the observer hears of the start once, and of the output before the outcome": async (subject) => {
      const { outcome, watched } = start(subject, "succeeds");
      await outcome;
      assert.equal(watched.starts, 1);
      assert.deepEqual(watched.text, { stdout: "out\n", stderr: "err\n" });
    },
    "a command that says no completes too, with its exit code": async (subject) => {
      const outcome = await completed(subject, "fails");
      assert.equal(outcome.result.exitCode, 3);
      assert.equal(await streamText(subject.blobs, outcome, "stdout"), "out\n");
    },
    "equal outputs have an equal digest, other outputs another": async (subject) => {
      const first = await completed(subject, "succeeds");
      const again = await completed(subject, "succeeds-again");
      const other = await completed(subject, "makes-other");
      assert.equal(again.outputs, first.outputs);
      assert.notEqual(other.outputs, first.outputs);
    },
    "an output root that was not made is named": async (subject) => {
      const outcome = await completed(subject, "makes-nothing");
      assert.equal(outcome.missingRoots.length, 1);
      assert.deepEqual(outcome.outputPaths, []);
    },
    "a command that cannot be started is errored, with a problem": async (subject) => {
      const outcome = await start(subject, "cannot-start").outcome;
      assert.ok(outcome.kind === "errored", outcome.kind);
      assert.match(outcome.problem.code, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(outcome.problem.message.length > 0);
    },
    "cancelling ends the command, may be repeated, and the outcome still comes": async (subject) => {
      for (const hows of [["term"], ["kill"], ["term", "term", "kill"]] as const) {
        const { outcome, cancel, watched } = start(subject, "hangs");
        await watched.hearsReady();
        for (const how of hows) cancel(how);
        assert.deepEqual(await outcome, { kind: "cancelled" });
        cancel("kill");
        assert.deepEqual(await outcome, { kind: "cancelled" });
      }
    },
    "cancelling at once, before the command runs, is an outcome as well": async (subject) => {
      const { outcome, cancel } = start(subject, "hangs");
      cancel("kill");
      assert.deepEqual(await outcome, { kind: "cancelled" });
    },
    "cancelling what has completed changes nothing": async (subject) => {
      const { outcome, cancel } = start(subject, "succeeds");
      const before = await outcome;
      cancel("term");
      assert.equal(await outcome, before);
      assert.equal(before.kind, "completed");
    },
    "a command over its time is ended and told apart, with what it had printed": async (subject) => {
      const { outcome, watched } = start(subject, "times-out");
      await watched.hearsReady();
      await subject.passTimeout();
      const ended = await outcome;
      assert.ok(ended.kind === "timed-out", ended.kind);
      assert.ok(ended.problem.message.length > 0 && ended.durationMs >= 0);
      assert.equal(Buffer.from(ended.streams.stdoutRaw ?? []).toString(), "ready\n");
    },
    "actions run side by side": async (subject) => {
      const hanging = start(subject, "hangs");
      await hanging.watched.hearsReady();
      assert.equal((await completed(subject, "fails")).result.exitCode, 3);
      hanging.cancel("kill");
      assert.equal((await hanging.outcome).kind, "cancelled");
    },
  });
}
