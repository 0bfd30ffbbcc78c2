/** What a run on a persistent worker is asked, beside what every hermetic run is. */
import type { HermeticObserver, HermeticOutcome, HermeticRequest, HermeticRunnerOptions } from "../hermetic-action.ts";
import type { OpenWorkerPipes } from "./persistent-worker.ts";
import type { WorkerProtocol } from "./worker-protocol.ts";

/** An action for a persistent worker. */
export interface PersistentRequest extends HermeticRequest {
  readonly worker: {
    readonly protocol: WorkerProtocol;
    /**
     * Input files and directories that the worker itself is made of: when one changes, another worker is started.
     * `marked`: the files that the input tree marks as such.
     */
    readonly toolInputs: readonly string[] | "marked";
    /** Workers are shared only by requests of the same text: by those who trust each other. Default: empty. */
    readonly domain?: string;
    /** So many pieces of work at once in a directory of their own each (`sandbox_dir`). Default: 1, without one. */
    readonly multiplex?: number;
    /** It heeds requests to cancel; others are ended with their work. Default: false. */
    readonly canCancel?: boolean;
  };
}

/** What the runner works with beside what every hermetic runner does. */
export interface PersistentRunnerOptions extends HermeticRunnerOptions {
  readonly openPipes: OpenWorkerPipes;
  /** Default: 4. */
  readonly workersMax?: number;
  /** Default: 5 minutes. */
  readonly idleMs?: number;
  /** A worker whose group has more resident memory after a piece of work gets no other. Default: no limit. */
  readonly memoryMaxBytes?: number;
}

/** Numbers of a runner's workers. */
export interface WorkerCounts {
  readonly live: number;
  /** Since the runner was made. */
  readonly started: number;
  /** Pieces of work that were given to a worker which had been started for another one. */
  readonly reused: number;
}

/** Runs actions on persistent workers. */
export interface PersistentRunner {
  /**
   * Whether a command can be work of a persistent worker: flag files hold its arguments, and what the worker is made
   * of is known. What cannot is to be run by itself; so is what cannot be read, to find out why.
   */
  fits(request: PersistentRequest): Promise<boolean>;
  run(request: PersistentRequest, observer?: HermeticObserver, signal?: AbortSignal): Promise<HermeticOutcome>;
  counts(): WorkerCounts;
  /** Ends all workers. */
  close(): Promise<void>;
}
