/**
 * Remote execution, put together: the services, the pool behind them, and its workers.
 *
 * Owns: the defaults.
 */
import { availableParallelism } from "node:os";
import type { Clock, DigestFunction, Random } from "@kahn/core";
import type { Registration } from "../grpc/index.ts";
import type { ExecutionOffer } from "../reapi/capabilities.ts";
import type { Access } from "../reapi/requests/access-port.ts";
import { OPEN_ACCESS } from "../reapi/requests/access-port.ts";
import type { ReapiLimits, ServiceContext } from "../reapi/requests/service-context.ts";
import { DEFAULT_REAPI_LIMITS } from "../reapi/requests/service-context.ts";
import type { LogStreams } from "../reapi/streams/log-streams.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { ActionRules } from "./actions/action-request.ts";
import type { ActionRunner, WorkerOffer } from "./actions/action-runner.ts";
import { InputClosures } from "./actions/input-closure.ts";
import { DEFAULT_PLATFORM_POLICY } from "./actions/platform.ts";
import type { ExecutionListener } from "./machine/execution-listener.ts";
import { NO_LISTENER } from "./machine/execution-listener.ts";
import type { MachineLimits } from "./machine/operation-state.ts";
import { DEFAULT_MACHINE_LIMITS } from "./machine/operation-state.ts";
import type { ExecutionStatus } from "./pool/execution-pool.ts";
import { ExecutionPool } from "./pool/execution-pool.ts";
import type { MayBegin } from "./services/execution-service.ts";
import { executionService } from "./services/execution-service.ts";
import { operationsService } from "./services/operations-service.ts";

/** Bounds and defaults of execution. */
export interface ExecutionLimits extends MachineLimits, Pick<ActionRules, "timeoutMs" | "timeoutMaxMs"> {
  /** A client that waits hears at least this often. */
  readonly keepAliveMs: number;
  /** Of one message of an answer. */
  readonly answerMaxBytes: ReapiLimits["answerMaxBytes"];
}

/** Limits for a server of a team. */
export const DEFAULT_EXECUTION_LIMITS: ExecutionLimits = {
  ...DEFAULT_MACHINE_LIMITS,
  timeoutMs: 15 * 60_000,
  timeoutMaxMs: 24 * 3_600_000,
  keepAliveMs: 60_000,
  answerMaxBytes: DEFAULT_REAPI_LIMITS.answerMaxBytes,
};

/** What execution needs. */
export interface ExecutionOptions {
  readonly store: ServerStore;
  readonly clock: Clock;
  /** Names of operations are made of it, so it must be one that nobody can guess. */
  readonly random: Random;
  /** Runs actions here; left out for a server whose workers all come from outside (`join`). */
  readonly runner?: ActionRunner;
  /** How the worker that stands for `runner` presents itself. Default: `local`, one slot a processor, this platform. */
  readonly worker?: Partial<Omit<WorkerOffer, "runner">>;
  /** Default: everybody may do everything. */
  readonly access?: Access;
  /** The same as the cache services'. */
  readonly digestFunctions: readonly DigestFunction[];
  /** Where output is shown while it is made; default: nowhere. */
  readonly logs?: LogStreams;
  readonly limits?: Partial<ExecutionLimits>;
  /** Default: `DEFAULT_PLATFORM_POLICY`. */
  readonly platform?: ActionRules["platform"];
  /** Caches results with another exit code than 0. Default: false. */
  readonly cacheFailures?: boolean;
  /** Asked before each operation. Default: everybody may have any number. */
  readonly mayBegin?: MayBegin;
  /** Told what becomes of operations and runs. Default: nobody. */
  readonly listener?: ExecutionListener;
  /** Told what broke that is a bug, and what could not be stored. Default: nobody. */
  readonly onFault?: (error: unknown) => void;
}

/** The services, and what a server does with them besides serving. */
export interface ExecutionServices {
  /** Execution and Operations, for `GrpcServer`. */
  readonly services: readonly Registration[];
  /** For the capabilities. */
  readonly offer: ExecutionOffer;
  /** One more worker. Its name is its own. */
  join(worker: WorkerOffer): void;
  /** A worker is lost: what it ran is started again elsewhere, once. */
  leave(worker: string): void;
  status(): ExecutionStatus;
  /** Running actions finish; the others are answered UNAVAILABLE, new ones refused so. Resolves when nothing runs. */
  drain(): Promise<void>;
  /** Ends everything at once, runs included. Before the store is closed. */
  close(): void;
}

/** Makes the services: Execution, google.longrunning.Operations. */
export function executionServices(options: ExecutionOptions): ExecutionServices {
  const { store, clock, random, logs, cacheFailures = false, listener = NO_LISTENER, onFault = () => {} } = options;
  const { mayBegin = () => {} } = options;
  const limits = { ...DEFAULT_EXECUTION_LIMITS, ...options.limits };
  const context: ServiceContext = {
    store,
    clock,
    random,
    limits: { ...DEFAULT_REAPI_LIMITS, answerMaxBytes: limits.answerMaxBytes },
    access: options.access ?? OPEN_ACCESS,
    // Results are sent as they are.
    zstd: undefined,
    digestFunctions: options.digestFunctions,
  };
  const place = { context, closures: new InputClosures(store), logs, cacheFailures, listener, onFault };
  const pool = new ExecutionPool({ clock, random, limits, keepAliveMs: limits.keepAliveMs, place });
  const rules = { ...limits, platform: options.platform ?? DEFAULT_PLATFORM_POLICY };
  if (options.runner !== undefined) pool.join({ ...LOCAL_WORKER, ...options.worker, runner: options.runner });
  return {
    services: [...executionService({ context, pool, rules, onFault, mayBegin }), ...operationsService(context, pool)],
    offer: { supportedNodeProperties: ["mtime", "unix_mode"] },
    join: (worker) => pool.join(worker),
    leave: (worker) => pool.leave(worker),
    status: () => pool.status(),
    drain: () => pool.drain(),
    close: () => pool.close(),
  };
}

/** This machine. */
const LOCAL_WORKER: Omit<WorkerOffer, "runner"> = {
  name: "local",
  slots: availableParallelism(),
  properties: {
    OSFamily: [process.platform],
    ISA: [process.arch === "x64" ? "x86-64" : process.arch],
    Pool: ["", "default"],
  },
};
