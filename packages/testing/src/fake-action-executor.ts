/**
 * An `ActionExecutor` that runs no process: actions follow scripts by label, in virtual time.
 *
 * Invariant: every blob that a result names is in the blob store before the outcome comes.
 */
import type {
  ActionExecutor,
  ActionResult,
  BlobStore,
  Clock,
  ExecuteObserver,
  ExecuteOutcome,
  ExecuteRequest,
  Execution,
  FileSystem,
  Problem,
  Timer,
} from "@kahn/core";
import { canonicalJson, digestOf, problem } from "@kahn/core";

/** What running an action does. Left out is: ends at once with exit code 0, prints and makes nothing. */
export interface ActionScript {
  readonly stdout?: string;
  readonly stderr?: string;
  /** Output files: text by workspace-relative path. */
  readonly outputs?: Readonly<Record<string, string>>;
  readonly exitCode?: number;
  /** In the clock's time; 0 ends in a microtask, without the clock moving. */
  readonly durationMs?: number;
  /** True: never ends by itself; a timeout of the action and a cancel still end it. */
  readonly hangs?: boolean;
  /** It cannot be run. */
  readonly errored?: Problem;
  /** The result must not be cached. */
  readonly unpublishable?: Problem;
}

/** What a fake executor works with. */
export interface FakeActionExecutorOptions {
  readonly clock: Clock;
  readonly blobs: BlobStore;
  /** Where output files are written, where anybody looks for them. */
  readonly fs?: FileSystem;
  /** By label; a function is asked at each attempt. */
  readonly scripts?: Readonly<Record<string, ActionScript | ((request: ExecuteRequest) => ActionScript)>>;
}

/** An executor that follows scripts, and remembers what it was asked. */
export class FakeActionExecutor implements ActionExecutor {
  /** Every request, in order. */
  readonly requests: ExecuteRequest[] = [];
  readonly #options: FakeActionExecutorOptions;

  /** See `fakeActionExecutor`. */
  constructor(options: FakeActionExecutorOptions) {
    this.#options = options;
  }

  execute(request: ExecuteRequest, observer: ExecuteObserver): Execution {
    this.requests.push(request);
    const source = this.#options.scripts?.[request.resolved.label] ?? {};
    const script = typeof source === "function" ? source(request) : source;
    const { clock } = this.#options;
    const startedAtMs = clock.monotonicMs();
    const timers: Timer[] = [];
    let settle: (outcome: ExecuteOutcome | Promise<ExecuteOutcome>) => void = () => {};
    const outcome = new Promise<ExecuteOutcome>((resolve) => {
      settle = (value) => {
        for (const timer of timers) timer.cancel();
        resolve(value);
      };
    });
    const complete = () => settle(this.#complete(request, script, startedAtMs));
    const live = () => {
      if (script.errored !== undefined) return settle({ kind: "errored", problem: script.errored });
      observer.started(undefined);
      if (script.stdout !== undefined) observer.output("stdout", Buffer.from(script.stdout));
      if (script.stderr !== undefined) observer.output("stderr", Buffer.from(script.stderr));
      const { timeoutMs } = request.resolved.run;
      if (timeoutMs !== undefined) {
        timers.push(clock.setTimer(timeoutMs, () => settle(timedOut(request, script, timeoutMs))));
      }
      if (script.hangs === true) return;
      if ((script.durationMs ?? 0) === 0) queueMicrotask(complete);
      else timers.push(clock.setTimer(script.durationMs!, complete));
    };
    let cancelled = false;
    // Nothing is heard of an execution before `execute` has answered.
    queueMicrotask(() => {
      if (!cancelled) live();
    });
    return {
      outcome,
      cancel: () => {
        cancelled = true;
        settle({ kind: "cancelled" });
      },
    };
  }

  async #complete(request: ExecuteRequest, script: ActionScript, startedAtMs: number): Promise<ExecuteOutcome> {
    const { blobs, clock, fs } = this.#options;
    const { outputs: spec } = request.resolved;
    const durationMs = clock.monotonicMs() - startedAtMs;
    const files = Object.entries(script.outputs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [path, text] of files) {
      const stored = await blobs.write(digestOf(text), Buffer.from(text));
      if (!stored.ok) return { kind: "errored", problem: stored.problem };
      const absolute = `${spec.workspaceRoot}/${path}`;
      fs?.makeDirectory(absolute.slice(0, absolute.lastIndexOf("/")));
      fs?.writeFile(absolute, text);
    }
    const outputFiles = files.map(([path, text]) => ({ path, digest: digestOf(text), executable: false }));
    const made = (root: string) => outputFiles.some(({ path }) => path === root || path.startsWith(`${root}/`));
    const result: ActionResult = {
      outputFiles,
      outputDirectories: [],
      outputSymlinks: [],
      exitCode: script.exitCode ?? 0,
      ...streamsOf(script),
      metadata: { worker: "fake" },
    };
    return {
      kind: "completed",
      result,
      ...(script.unpublishable === undefined ? {} : { unpublishable: script.unpublishable }),
      outputs: digestOf(canonicalJson(files)),
      outputPaths: files.map(([path]) => path),
      missingRoots: spec.roots.filter((root) => !made(root)),
      durationMs,
    };
  }
}

/** An executor that follows scripts. */
export function fakeActionExecutor(options: FakeActionExecutorOptions): FakeActionExecutor {
  return new FakeActionExecutor(options);
}

function streamsOf({ stdout, stderr }: ActionScript): Pick<ActionResult, "stdoutRaw" | "stderrRaw"> {
  return {
    ...(stdout === undefined ? {} : { stdoutRaw: Buffer.from(stdout) }),
    ...(stderr === undefined ? {} : { stderrRaw: Buffer.from(stderr) }),
  };
}

function timedOut({ resolved }: ExecuteRequest, script: ActionScript, limitMs: number): ExecuteOutcome {
  const message = `${resolved.label} ran longer than ${limitMs} ms`;
  return {
    kind: "timed-out",
    problem: problem("task-timed-out", message),
    durationMs: limitMs,
    streams: streamsOf(script),
  };
}
