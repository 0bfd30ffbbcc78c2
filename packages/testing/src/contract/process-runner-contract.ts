/**
 * The contract of `ProcessRunner`. Every command is `sh -c TEXT` with a text of `PROCESS_SCRIPTS`: a real runner runs
 * it, a fake one maps the text to a script (`processContractScripts`).
 */
import assert from "node:assert/strict";
import type { FileSystem, OutputSink, ProcessExit, ProcessRunner, ProcessSpec, RunningProcess } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";
import { PROCESS_SCRIPTS } from "./process-scripts.ts";

/** A process runner under test. */
export interface ProcessRunnerSubject extends ContractSubject {
  readonly runner: ProcessRunner;
  /** The file system that the processes see. */
  readonly fs: FileSystem;
  /** Absolute path of an empty directory. */
  readonly root: string;
  /** The PATH with which `sh` and the usual tools are found. */
  readonly path: string;
  /** Lets so much of the runner's time pass; nothing to do where time passes by itself. */
  pass(ms: number): Promise<void>;
  /** True when nothing of the group of this process lives; what is dead and waits to be reaped does not count. */
  isQuiet(pid: number): boolean;
}

const GRACE_MS = 60;

/** Where the process is to end by itself: a busy machine may take its time. */
const PATIENT_MS = 60_000;

/** What a case starts, and how it listens. */
class Bench {
  readonly subject: ProcessRunnerSubject;
  heard = "";
  #listeners: (() => void)[] = [];

  constructor(subject: ProcessRunnerSubject) {
    this.subject = subject;
  }

  /** A file next to the processes. */
  at(name: string): string {
    return `${this.subject.root}/${name}`;
  }

  text(name: string): string | undefined {
    const bytes = this.subject.fs.readFile(this.at(name));
    return bytes && Buffer.from(bytes).toString();
  }

  tee(name: string): OutputSink {
    const onBytes = (bytes: Uint8Array) => {
      this.heard += Buffer.from(bytes).toString();
      for (const listener of this.#listeners) listener();
    };
    return { kind: "tee", path: this.at(name), onBytes };
  }

  start(script: keyof typeof PROCESS_SCRIPTS, changes: Partial<ProcessSpec> = {}): RunningProcess {
    return this.subject.runner.start({
      argv: ["sh", "-c", PROCESS_SCRIPTS[script]],
      cwd: this.subject.root,
      env: { PATH: this.subject.path },
      stdout: this.tee("stdout"),
      stderr: { kind: "file", path: this.at("stderr") },
      graceMs: GRACE_MS,
      label: script,
      ...changes,
    });
  }

  async run(script: keyof typeof PROCESS_SCRIPTS, changes: Partial<ProcessSpec> = {}): Promise<ProcessExit> {
    return this.start(script, changes).ended;
  }

  /** Resolves once the output heard so far contains a text. */
  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.heard.includes(text)) resolve();
      };
      this.#listeners.push(look);
      look();
    });
  }

  /** Lets the grace pass, then waits for the end. */
  async afterGrace(running: RunningProcess): Promise<ProcessExit> {
    await this.subject.pass(GRACE_MS);
    return running.ended;
  }
}

const EXITED: ProcessExit = { kind: "exited", exitCode: 0 };

/** The cases for a process runner. */
export function processRunnerContract(make: MakeSubject<ProcessRunnerSubject>): readonly ContractCase[] {
  const withBench = (experiments: Readonly<Record<string, (bench: Bench) => Promise<void>>>) =>
    contractCases<ProcessRunnerSubject>(
      make,
      Object.fromEntries(
        Object.entries(experiments).map(([name, experiment]) => [
          name,
          (subject: ProcessRunnerSubject) => experiment(new Bench(subject)),
        ]),
      ),
    );
  return [...withBench(STARTING), ...withBench(ENDING)];
}

const STARTING: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  "a process ends with its exit code": async (bench) => {
    assert.deepEqual(await bench.run("succeeds"), EXITED);
    assert.deepEqual(await bench.run("exits-3"), { kind: "exited", exitCode: 3 });
  },
  "a process that dies of a signal is told apart, by the signal's name": async (bench) => {
    assert.deepEqual(await bench.run("dies-of-usr1"), { kind: "signalled", signal: "SIGUSR1" });
  },
  "a running process has a process id of its own": async (bench) => {
    const [one, two] = [bench.start("waits"), bench.start("waits", { stdout: bench.tee("second") })];
    await bench.hears("ready\nready\n");
    assert.ok(one.pid > 0 && two.pid > 0 && one.pid !== two.pid);
    for (const each of [one, two]) each.end("kill");
    await Promise.all([one.ended, two.ended]);
  },
  "both streams go where the spec says, whole, before the process counts as ended": async (bench) => {
    assert.deepEqual(await bench.run("prints"), EXITED);
    assert.deepEqual([bench.text("stdout"), bench.text("stderr"), bench.heard], ["out\n", "err\n", "out\n"]);
  },
  "both streams may go into one file": async (bench) => {
    const both: OutputSink = { kind: "file", path: bench.at("both") };
    await bench.run("prints", { stdout: both, stderr: both });
    assert.equal(bench.text("both"), "out\nerr\n");
  },
  "a file that gets the output is replaced": async (bench) => {
    bench.subject.fs.writeFile(bench.at("stdout"), "something much longer from an earlier run");
    await bench.run("prints", { stdout: { kind: "file", path: bench.at("stdout") } });
    assert.equal(bench.text("stdout"), "out\n");
  },
  "a listener hears much output whole and in order": async (bench) => {
    assert.deepEqual(await bench.run("prints-much"), EXITED);
    assert.equal(bench.heard.length, 20_000 * 8);
    assert.ok(bench.heard.startsWith("1000000\n1000001\n") && bench.heard.endsWith("1019999\n"));
    assert.equal(bench.text("stdout"), bench.heard);
  },
  "the environment is exactly the one of the spec": async (bench) => {
    await bench.run("prints-environment", { env: { PATH: bench.subject.path, GREETING: "hello there" } });
    assert.equal(bench.heard, "hello there|unset\n");
  },
  "the working directory is the one of the spec": async (bench) => {
    bench.subject.fs.makeDirectory(bench.at("inside"));
    await bench.run("makes-file", { cwd: bench.at("inside") });
    assert.equal(bench.text("inside/made"), "made\n");
  },
  "standard input is empty": async (bench) => {
    assert.deepEqual(await bench.run("reads-input"), EXITED);
    assert.equal(bench.heard, "[]\n");
  },
  "a program that is not there never ran": async (bench) => {
    const running = bench.start("succeeds", { argv: ["kahn-contract-no-such-program"] });
    const exit = await running.ended;
    assert.ok(exit.kind === "not-started" && exit.code === "ENOENT" && exit.message !== "", JSON.stringify(exit));
    assert.equal(running.pid, 0);
    running.end("term");
    running.end("kill");
  },
  "a bare name is sought in the PATH of the spec": async (bench) => {
    const exit = await bench.run("succeeds", { env: { PATH: bench.at("no-programs-here") } });
    assert.ok(exit.kind === "not-started" && exit.code === "ENOENT", JSON.stringify(exit));
  },
  "a working directory that is not there prevents the start": async (bench) => {
    const exit = await bench.run("succeeds", { cwd: bench.at("none") });
    assert.ok(exit.kind === "not-started" && exit.code === "ENOENT", JSON.stringify(exit));
  },
  "many processes run side by side": async (bench) => {
    const names = Array.from({ length: 12 }, (_, index) => `out-${index}`);
    const exits = await Promise.all(
      names.map((name) => bench.run("prints", { stdout: { kind: "file", path: bench.at(name) } })),
    );
    assert.ok(exits.every((exit) => exit.kind === "exited" && exit.exitCode === 0));
    assert.ok(names.every((name) => bench.text(name) === "out\n"));
  },
};

const ENDING: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  "`term` sends TERM, which ends an ordinary process": async (bench) => {
    const running = bench.start("waits", { graceMs: PATIENT_MS });
    await bench.hears("ready");
    running.end("term");
    assert.deepEqual(await running.ended, { kind: "signalled", signal: "SIGTERM" });
    assert.ok(bench.subject.isQuiet(running.pid));
  },
  "a process may tidy up on TERM and end in its own way": async (bench) => {
    const running = bench.start("tidies-up-on-term", { graceMs: PATIENT_MS });
    await bench.hears("ready");
    running.end("term");
    assert.deepEqual(await running.ended, { kind: "exited", exitCode: 7 });
  },
  "what ignores TERM is killed after the grace": async (bench) => {
    const running = bench.start("ignores-term");
    await bench.hears("ready");
    running.end("term");
    assert.deepEqual(await bench.afterGrace(running), { kind: "signalled", signal: "SIGKILL" });
    assert.ok(bench.subject.isQuiet(running.pid));
  },
  "`kill` allows no grace, and may follow `term`": async (bench) => {
    const running = bench.start("ignores-term", { graceMs: 1_000_000_000 });
    await bench.hears("ready");
    running.end("term");
    running.end("kill");
    assert.deepEqual(await running.ended, { kind: "signalled", signal: "SIGKILL" });
  },
  "ending may be repeated, also after the end, and the answer stays": async (bench) => {
    const running = bench.start("waits");
    await bench.hears("ready");
    for (const how of ["term", "term", "kill", "term"] as const) running.end(how);
    const exit = await running.ended;
    running.end("kill");
    running.end("term");
    assert.deepEqual(await running.ended, exit);
    const done = bench.start("succeeds", { stdout: bench.tee("second") });
    assert.deepEqual(await done.ended, EXITED);
    done.end("term");
    assert.deepEqual(await done.ended, EXITED);
  },
  "the whole group ends with the process, even what ignores TERM, and only then has it ended": async (bench) => {
    const running = bench.start("leaves-stubborn-child", { stdout: { kind: "file", path: bench.at("stdout") } });
    assert.deepEqual(await bench.afterGrace(running), EXITED);
    assert.ok(bench.subject.isQuiet(running.pid));
  },
  "ending reaches the children of the process": async (bench) => {
    const running = bench.start("waits-with-child");
    await bench.hears("ready");
    running.end("term");
    await bench.afterGrace(running);
    assert.ok(bench.subject.isQuiet(running.pid));
  },
  "closing ends everything that runs": async (bench) => {
    const [one, two] = [bench.start("waits"), bench.start("ignores-term", { stdout: bench.tee("second") })];
    const closed = bench.subject.runner.close();
    await bench.subject.pass(GRACE_MS);
    await closed;
    const exits = await Promise.all([one.ended, two.ended]);
    assert.ok(exits.every(({ kind }) => kind === "signalled"));
    assert.ok(bench.subject.isQuiet(one.pid) && bench.subject.isQuiet(two.pid));
  },
};
