/**
 * The part of a server that runs actions: the hermetic runner on the server's store, behind the execution services.
 */
import type { Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import type { HermeticRunner, HermeticRunnerOptions, SandboxLevel, WorkerCounts } from "@kahn/exec";
import { hermeticRunner, persistentRunner } from "@kahn/exec";
import { openFifoPair } from "@kahn/system";
import { RunsUnderWay } from "../execution/actions/runs-under-way.ts";
import type { ActionRunner } from "../execution/index.ts";
import { WorkerRunner } from "../execution/persistent/worker-runner.ts";
import type { ServerConfig } from "../operation/server-settings.ts";
import { blobStoreOf } from "../store/blob-store-of.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { ServerPorts } from "./ports.ts";

/** What runs actions on this machine. */
export interface ServerRunner {
  readonly runner: ActionRunner;
  readonly slots: number;
  readonly level: SandboxLevel;
  /** `undefined` where there are none. */
  readonly workers: (() => WorkerCounts) | undefined;
  /** What runs lack of what was wanted, such as `sandbox-lowered`. */
  readonly warnings: readonly Problem[];
  /**
   * Waits for the runs under way, which somebody else must have ended, ends persistent workers, and removes what was kept.
   *
   * @returns `exec-root-failed` when something could not be removed; the next server on the folder tries again.
   */
  close(): Promise<Result<void, Problem>>;
}

const MODES = { enforce: "required", auto: "preferred", off: "off" } as const;

/**
 * Makes the runner.
 *
 * @returns `undefined` for a server that only caches; `sandbox-unavailable` where a sandbox is demanded and does not
 *          work; `exec-root-failed` when its folder cannot be used.
 */
export async function openRunner(
  { execution, dir, store: { maxSize } }: ServerConfig,
  { processes, processors = 1, fs, clock, resolvePath }: ServerPorts,
  store: ServerStore,
): Promise<Result<ServerRunner | undefined, Problem>> {
  if (!execution.enabled || processes === undefined) return ok(undefined);
  const folder = resolvePath(dir);
  const root = `${folder}/work`;
  const { sandbox: wanted, network, readable, maxDisk = maxSize / 4 } = execution;
  try {
    fs.makeDirectory(folder);
    const options: HermeticRunnerOptions = {
      ...{ fs, clock, processes, root },
      blobs: blobStoreOf(store),
      sandbox: { mode: MODES[wanted], network: network ? "asked" : "never", alsoReadable: readable },
      // Beside the store's own limit: kept trees have files that it may have removed.
      stagedMaxBytes: maxSize / 4,
      diskMaxBytes: Math.round(maxDisk),
    };
    const alone = hermeticRunner(options);
    const verdict = await alone.sandbox();
    if (verdict.kind === "refused") {
      alone.close();
      return err(verdict.problem);
    }
    const slots = execution.slots === 0 ? processors : execution.slots;
    const ran = withWorkers(execution, {
      alone,
      slots,
      options: { ...options, root: `${folder}/workers` },
    });
    const runs = new RunsUnderWay(ran.runner);
    return ok({
      runner: runs,
      workers: ran.workers,
      close: async () => {
        // They write into what is removed next, up to the grace that they have.
        await runs.ended();
        return await removed(root, ran.close);
      },
      slots,
      level: verdict.level,
      warnings: verdict.lowered === undefined ? [] : [verdict.lowered],
    });
  } catch (error) {
    const message = `actions cannot be run in ${root}: ${(error as Error).message}`;
    const next = "Give another dir, or set execution.enabled to false.";
    return err(problem("exec-root-failed", message, { next }));
  }
}

async function removed(root: string, close: () => Promise<void>): Promise<Result<void, Problem>> {
  try {
    await close();
    return ok(undefined);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    const message = `what actions left in ${root} could not be removed: ${error.message}`;
    const next = "Start the server again, or remove it.";
    return err({ ...problem("exec-root-failed", message, { next }), severity: "warning" });
  }
}

/** What `openRunner` makes, before runs are counted. */
interface RunnerParts extends Pick<ServerRunner, "runner" | "workers"> {
  readonly close: () => Promise<void>;
}

function withWorkers(
  { workers }: ServerConfig["execution"],
  of: { readonly alone: HermeticRunner; readonly options: HermeticRunnerOptions; readonly slots: number },
): RunnerParts {
  const { alone, options, slots } = of;
  if (!workers.enabled) return { runner: alone, workers: undefined, close: async () => alone.close() };
  const persistent = persistentRunner({
    ...options,
    openPipes: (pipes) => openFifoPair({ ...pipes, clock: options.clock }),
    workersMax: workers.max === 0 ? slots : workers.max,
    idleMs: workers.idle,
    ...(workers.maxMemory === undefined ? {} : { memoryMaxBytes: workers.maxMemory }),
  });
  const close = async () => {
    await persistent.close();
    alone.close();
  };
  return { runner: new WorkerRunner(alone, persistent, slots), workers: () => persistent.counts(), close };
}
