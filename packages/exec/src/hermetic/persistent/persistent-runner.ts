/**
 * Runs actions on persistent workers: what a compiler has warmed up once serves many actions.
 *
 * Owns:      its root folder with one folder for each worker, and what a killed runner left there.
 * Invariant: an outcome is what the same command would have given by itself, with what the worker says on standard
 *            error; a worker serves only actions with the same tools, arguments and environment.
 * Note:      inputs are copies, in a sandbox too: mounts cannot be added to a process that runs.
 */
import { canonicalJson, problem } from "@kahn/core";
import type { HermeticObserver, HermeticOutcome } from "../hermetic-action.ts";
import type { InputTree } from "../input-tree.ts";
import { claimRoot } from "../internal/claim-root.ts";
import { ActionPreparation, refusalsAsOutcome } from "../prepared-action.ts";
import type { Sandbox } from "../sandbox.ts";
import { markedTools } from "./marked-tools.ts";
import type {
  PersistentRequest,
  PersistentRunner,
  PersistentRunnerOptions,
  WorkerCounts,
} from "./persistent-action.ts";
import { PersistentWorker, wordsOf } from "./persistent-worker.ts";
import { hasFlagFile, inputDigest, type WorkerCommandRefusal, workerCommand } from "./worker-command.ts";
import { WorkerPool } from "./worker-pool.ts";
import { logOf, type PieceOfWork, WorkerRun, WorkerSeat } from "./worker-run.ts";

/** A worker that dies is replaced once for one action. */
const ATTEMPTS_MAX = 2;

/** Makes a runner; removes what an earlier one left in `root`. @throws FileSystemError when `root` cannot be used. */
export function persistentRunner(options: PersistentRunnerOptions): PersistentRunner {
  claimRoot(options);
  return new Runner(options);
}

class Runner implements PersistentRunner {
  readonly #options: PersistentRunnerOptions;
  readonly #preparation: ActionPreparation;
  readonly #pool: WorkerPool<WorkerSeat>;
  #last = 0;

  constructor(options: PersistentRunnerOptions) {
    const { clock, workersMax = 4, idleMs = 300_000 } = options;
    this.#options = options;
    this.#preparation = new ActionPreparation(options);
    this.#pool = new WorkerPool({ clock, workersMax, idleMs });
  }

  async run(
    request: PersistentRequest,
    observer: HermeticObserver = {},
    signal?: AbortSignal,
  ): Promise<HermeticOutcome> {
    return await refusalsAsOutcome(request, async () => {
      const work = await this.#prepare(request, observer, signal);
      return "kind" in work ? work : await this.#work(request, work, signal);
    });
  }

  async fits({ command, inputRoot, worker }: PersistentRequest): Promise<boolean> {
    if (!hasFlagFile(command.arguments)) return false;
    if (worker.toolInputs !== "marked") return worker.toolInputs.length > 0;
    const loaded = await this.#preparation.inputs.load(inputRoot);
    return loaded.kind === "tree" && markedTools(loaded.tree) !== undefined;
  }

  counts(): WorkerCounts {
    return this.#pool.counts();
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#options.fs.removeTree(this.#options.root);
  }

  async #prepare(
    request: PersistentRequest,
    observer: HermeticObserver,
    signal: AbortSignal | undefined,
  ): Promise<Prepared | HermeticOutcome> {
    const action = await this.#preparation.prepare(request, { observer, signal });
    if (action.kind !== "prepared") return action;
    const { command, tree, plan, level, sandbox, digest, hint, startedAtMs } = action;
    const parts = await workerCommand(command, tree, this.#options);
    if (!parts.ok) return await this.#refused(parts.problem, tree);
    const { protocol, multiplex = 1, toolInputs, domain = "" } = request.worker;
    const network = this.#preparation.sandbox.allowsNetwork(request.network ?? false);
    const key = canonicalJson([
      ...[domain, protocol.name, multiplex > 1, network, plan.workingDirectory],
      parts.value.startup as string[],
      command.environment.map(({ name, value }) => [name, value]),
      toolInputs === "marked"
        ? (markedTools(tree) ?? null)
        : [...toolInputs].sort().map((path) => [path, inputDigest(tree, path) ?? null]),
    ]);
    const missing = async () => await this.#preparation.inputs.missingFiles(tree);
    return {
      ...{ key, startup: parts.value.startup, sandbox, network },
      piece: {
        ...{ request, observer, startedAtMs, command, plan, arguments: parts.value.work, level, digest, hint, missing },
      },
    };
  }

  async #refused(refusal: WorkerCommandRefusal, tree: InputTree): Promise<HermeticOutcome> {
    if (refusal === "missing") {
      const missing = await this.#preparation.inputs.missingFiles(tree);
      return missing.ok
        ? { kind: "missing-blobs", digests: missing.value }
        : { kind: "errored", problem: missing.problem };
    }
    return refusal.code === "command-invalid"
      ? { kind: "invalid", problem: { ...refusal, code: refusal.code } }
      : { kind: "errored", problem: refusal };
  }

  async #work(request: PersistentRequest, work: Prepared, signal?: AbortSignal): Promise<HermeticOutcome> {
    const { multiplex = 1 } = request.worker;
    let said: Uint8Array = new Uint8Array();
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const wanted = { key: work.key, workMax: multiplex, signal };
      const lease = await this.#pool.lease(wanted, () => this.#seat(request, work));
      if (lease === undefined) return { kind: "cancelled" };
      let retire = true;
      try {
        if (signal?.aborted === true) {
          retire = false;
          return { kind: "cancelled" };
        }
        const ended = await new WorkerRun(this.#options, lease.worker, work.piece).outcome(signal);
        retire = ended.retire || this.#isTooLarge(lease.worker.worker.pid);
        if (ended.kind === "outcome") return ended.outcome;
        said = ended.said;
      } finally {
        lease.release(retire);
      }
    }
    const message = `the persistent worker of ${request.label} ended while it worked, twice: ${wordsOf(said)}`;
    const next = "Read its last words above; run the action without a persistent worker to see more.";
    return { kind: "errored", problem: problem("worker-died", message, { next }), ...logOf(said) };
  }

  #seat(request: PersistentRequest, { startup, sandbox, network, piece }: Prepared): WorkerSeat {
    const { protocol, multiplex = 1 } = request.worker;
    const worker = new PersistentWorker(this.#options, {
      ...{ folder: `${this.#options.root}/${++this.#last}`, argv: startup, protocol, sandbox, network },
      environment: piece.command.environment,
      workingDirectory: piece.plan.workingDirectory,
      graceMs: this.#options.graceMs ?? 1000,
      label: `worker of ${request.label}`,
    });
    return new WorkerSeat(this.#options, worker, { isShared: multiplex > 1 });
  }

  /** Resident memory of the worker's process group, where /proc tells it. */
  #isTooLarge(group: number): boolean {
    const { fs, memoryMaxBytes } = this.#options;
    if (memoryMaxBytes === undefined || group === 0) return false;
    let bytes = 0;
    for (const { name } of fs.readDirectory("/proc") ?? []) {
      if (!/^\d+$/.test(name)) continue;
      // Behind the name, which may hold anything: state, parent, group, …; resident pages are the 22nd.
      const stat = Buffer.from(fs.readFile(`/proc/${name}/stat`) ?? new Uint8Array()).toString("latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(fields[2]) === group) bytes += Number(fields[21]) * PAGE_BYTES;
    }
    return bytes > memoryMaxBytes;
  }
}

const PAGE_BYTES = 4096;

interface Prepared {
  readonly key: string;
  readonly startup: readonly string[];
  readonly sandbox: Sandbox | undefined;
  readonly network: boolean;
  readonly piece: PieceOfWork;
}
