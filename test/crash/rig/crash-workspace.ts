/**
 * A workspace whose Kahn is going to be killed.
 *
 * Owns:      reading the journals of its runs, finding its processes, and ending those that a failed test leaves.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import type { RunEvent } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import { nodeFileSystem } from "@kahn/system";
import { recorder } from "@kahn/testing";
import { expect, onTestFinished } from "vitest";
import { PEERS } from "../../../bench/peers.ts";
import { writeWorkspace } from "../../../bench/workspace.ts";
import { kahnBinary, until } from "../../e2e/rig/kahn-process.ts";
import { type Files, manifest, ROOT_MANIFEST, Workspace } from "../../e2e/rig/workspace.ts";
import { type LiveProcess, livingOf, sweep } from "./live-processes.ts";

/** A task that writes `started` and then runs until the workspace's root holds a file `go`. */
export const HANG = "echo > started; while [ ! -e ../../go ]; do sleep 0.02; done";

/**
 * The same, but it heeds no TERM, INT or HUP, and leaves children, grandchildren and processes that lost their parent,
 * of the same mind, all in its own group. Does nothing when `go` is there from the beginning.
 */
export const STUBBORN = [
  "[ -e ../../go ] && exit 0",
  "trap '' TERM INT HUP",
  "sleep 1000 & (sleep 1000 &) ; (sh -c 'sleep 1000 & sleep 1000' &)",
  "echo > started",
  "while :; do sleep 1000; done",
].join("; ");

/** What a journal says. */
export interface JournalledRun {
  readonly id: string;
  /** When its first record was written; undefined when there is none. */
  readonly startedAtMs: number | undefined;
  /** Undefined while it has not finished, or if it never will. */
  readonly status: string | undefined;
  /** Labels of the tasks whose command it started. */
  readonly started: ReadonlySet<string>;
  /** Labels of the tasks that succeeded in it and whose results were stored. */
  readonly stored: ReadonlySet<string>;
}

/** A workspace with journals and processes. */
export class CrashWorkspace extends Workspace {
  constructor(files: Files = {}) {
    super(files);
    onTestFinished(() => void sweep(this.#marks()));
  }

  /** Runs, oldest first. */
  runs(): JournalledRun[] {
    const store = fileJournalStore({ fs: nodeFileSystem(), directory: this.path(".kahn/state/runs") });
    return store.list().map((id) => {
      const log = recorder();
      const records = store.peek(id);
      // Killed before the first segment was there.
      if (records.ok) for (const { body } of records.value) log.event(body as unknown as RunEvent);
      const stored = log.ofKind("node.settled").filter((event) => event.end === "succeeded" && event.stored === true);
      return {
        id,
        startedAtMs: log.events[0]?.atMs,
        status: log.finished?.status,
        started: new Set(log.startedOrder()),
        stored: new Set(stored.map(({ node }) => log.labelOf(node))),
      };
    });
  }

  /** Waits until the tasks of these packages have written `started`. */
  async started(packages: readonly string[]): Promise<void> {
    await until("the tasks have started", () => packages.every((name) => this.exists(`packages/${name}/started`)));
  }

  /** Names in a folder; none when it is absent. */
  namesIn(path: string): string[] {
    return this.exists(path) ? readdirSync(this.path(path)) : [];
  }

  /** Waits until a task has made a file. */
  async awaitFile(path: string): Promise<void> {
    await until(`there is ${path}`, () => this.exists(path));
  }

  /** Runs a Kahn from a shell: redirections and pipes may follow its arguments. Nothing else goes on meanwhile. */
  shell(
    line: string,
    after = "",
  ): { readonly stdout: string; readonly stderr: string; readonly status: number | null } {
    return spawnSync("sh", ["-c", `{ "$NODE" "$KAHN" ${line}; }${after}`], {
      cwd: this.directory,
      env: { PATH: process.env.PATH, HOME: this.home, NODE: process.execPath, KAHN: kahnBinary() },
      encoding: "utf8",
    });
  }

  /** Makes `started` wait for the next run's tasks. */
  forgetStarts(): void {
    for (const name of readdirSync(this.path("packages"))) {
      if (this.exists(`packages/${name}/started`)) this.remove(`packages/${name}/started`);
    }
  }

  /** Processes of this workspace that live, Kahn and guardians among them. */
  living(): LiveProcess[] {
    return livingOf(this.#marks());
  }

  /** Waits until no process of any run lives, as long as the grace and some patience allow. */
  async quiet(): Promise<void> {
    await until("no process of the workspace is alive", () => this.living().length === 0).catch((error: unknown) => {
      expect(this.living(), String(error)).toEqual([]);
    });
  }

  /** Fails unless everything in the cache is what its name says and no record lacks anything. */
  async expectSoundCache(): Promise<void> {
    const verified = await this.kahn("cache verify --json");
    expect(verified, verified.stderr).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(verified.stdout)).toMatchObject({ corrupt: [], incomplete: [] });
  }

  /** Fails unless `kahn runs list` shows each run as its journal has it. */
  async expectListedRuns(): Promise<void> {
    const listed = await this.kahn("runs list --json");
    const lines = listed.stdout.split("\n").filter((line) => line !== "");
    const shown = lines.map((line) => JSON.parse(line) as { run: string; status: string });
    const expected = this.runs().map(({ id, status }) => ({ run: id, status: status ?? "interrupted" }));
    expect(shown.map(({ run, status }) => ({ run, status }))).toEqual(expected.reverse());
  }

  #marks() {
    const store = fileJournalStore({ fs: nodeFileSystem(), directory: this.path(".kahn/state/runs") });
    return { base: dirname(this.home), runs: store.list() };
  }
}

/** The workspace that Kahn is measured with; its builds also make a symbolic link and an executable file. */
export class CrashBench extends CrashWorkspace {
  readonly folders: readonly string[];

  constructor(n = 20) {
    super();
    const kahn = PEERS.find((peer) => peer.name === "kahn")!;
    const folders: string[] = [];
    writeWorkspace(this.directory, { n, seed: 1 }, (packages) => {
      folders.push(...packages.map(({ folder }) => folder));
      return kahn.dress(packages);
    });
    this.folders = folders;
    for (const folder of folders) {
      const more = "ln -sfn sum dist/link\nprintf '#!/bin/sh\\n' > dist/tool\nchmod 755 dist/tool\n";
      this.append(`packages/${folder}/build.sh`, more);
    }
    this.git("commit", "-qam", "more outputs");
  }

  /** How often each task's script has really begun, by the label of the task. */
  executions(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of this.lines(".exec.log")) {
      const label = `@bench/${line.slice(2)}#${line.startsWith("b:") ? "build" : "test"}`;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    return counts;
  }

  /** Removes everything that any build has made, here or in another work tree. */
  removeOutputs(workTree = "."): void {
    for (const folder of this.folders) {
      const dist = `${workTree}/packages/${folder}/dist`;
      if (this.exists(dist)) this.remove(dist);
    }
  }

  /** As if no run had ever been. */
  reset(): void {
    this.removeOutputs();
    for (const path of [".kahn", ".exec.log"]) if (this.exists(path)) this.remove(path);
  }
}

/**
 * A workspace with one package per script, each with a task named `task`.
 *
 * @param task members of the task's configuration.
 */
export function scriptedWorkspace(scripts: Readonly<Record<string, string>>, task: object = {}): CrashWorkspace {
  const files: Record<string, string | object> = {
    "package.json": ROOT_MANIFEST,
    "kahn.jsonc": { tasks: { task: { inputs: ["package.json"], outputs: ["dist/**"], ...task } } },
  };
  for (const [name, script] of Object.entries(scripts)) {
    files[`packages/${name}/package.json`] = manifest(name, { task: script });
  }
  return new CrashWorkspace(files);
}
