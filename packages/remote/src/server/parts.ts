/**
 * The parts of a server, made of its configuration and wired to each other; without its sockets.
 *
 * Owns:      what lives as long as the server: the store, the services, what observes them.
 */
import type { Problem, Result, Timer } from "@kahn/core";
import { err, ok, problem, sleep } from "@kahn/core";
import { accessInterceptor, actionQuota } from "../access/interceptor.ts";
import type { ServerAccess } from "../access/open-access.ts";
import { signedStore } from "../access/signed-actions.ts";
import type { ExecutionServices } from "../execution/index.ts";
import { executionServices } from "../execution/index.ts";
import type { Registration } from "../grpc/index.ts";
import { GrpcServer, HealthService, reflectionService } from "../grpc/index.ts";
import { httpCaches } from "../http/index.ts";
import type { LineSink } from "../operation/access-log.ts";
import { AccessLog } from "../operation/access-log.ts";
import { CallObserver } from "../operation/call-observer.ts";
import { executionMetrics, measureExecution } from "../operation/execution-metrics.ts";
import { httpFront } from "../operation/http-front.ts";
import { isServed, routeName } from "../operation/http-routes.ts";
import { LogFile } from "../operation/log-file.ts";
import { Metrics } from "../operation/metrics.ts";
import { Readiness } from "../operation/readiness.ts";
import type { ServerConfig } from "../operation/server-settings.ts";
import type { ServerStatus } from "../operation/server-status.ts";
import { Tracer } from "../operation/traces.ts";
import type { PortOptions } from "../port/index.ts";
import { descriptorSet } from "../proto/descriptors.ts";
import type { ReapiServices } from "../reapi/index.ts";
import { loadWireZstd, reapiServices } from "../reapi/index.ts";
import type { BackedStore } from "../store/backed-store.ts";
import { openServerStore } from "../store/open-server-store.ts";
import type { ServerStore } from "../store/server-store.ts";
import { openBacking } from "./backing.ts";
import type { ServerRunner } from "./execution.ts";
import { openRunner } from "./execution.ts";
import { lockDir } from "./lock.ts";
import type { FolderLock, ServerPorts } from "./ports.ts";

/** What connections need at the least to finish, however long the work before took. */
export const CONNECTIONS_MIN_MS = 1000;
/** What the collector of traces has for the last ones. */
const TRACES_MAX_MS = 1000;

/** Everything but the sockets. */
export class ServerParts {
  readonly #config: ServerConfig;
  readonly #ports: ServerPorts;
  readonly #lock: FolderLock;
  readonly #store: ServerStore;
  readonly #backing: BackedStore | undefined;
  readonly #runner: ServerRunner | undefined;
  readonly #reapi: ReapiServices;
  readonly #execution: ExecutionServices | undefined;
  readonly #grpc: GrpcServer;
  readonly #readiness: Readiness;
  readonly #tracer: Tracer | undefined;
  readonly #log: AccessLog | undefined;
  readonly #logFile: LogFile | undefined;
  readonly #handlers: Omit<PortOptions, "address" | "tls">;
  readonly #startedAtMs: number;
  #connections: () => number = () => 0;
  readonly #hurried: AbortController = new AbortController();
  /** When everything must be over, as `hurry` says; monotonic. */
  #dueMs = Number.POSITIVE_INFINITY;
  #hurry: Timer | undefined;

  /** Opens the store and makes the services. */
  static async open(
    config: ServerConfig,
    ports: ServerPorts,
    access: ServerAccess,
  ): Promise<Result<ServerParts, readonly Problem[]>> {
    const lock = await lockDir(config, ports);
    if (!lock.ok) return err([lock.problem]);
    const log = openLog(config, ports);
    const given = { config, ports, access, lock: lock.value };
    const parts = log.ok ? await ServerParts.#openLocked({ ...given, log: log.value }) : err([log.problem]);
    if (parts.ok) return parts;
    if (log.ok && log.value instanceof LogFile) log.value.close();
    lock.value.release();
    return parts;
  }

  static async #openLocked(
    given: Pick<Foundation, "config" | "ports" | "access" | "lock" | "log">,
  ): Promise<Result<ServerParts, readonly Problem[]>> {
    const { config, ports, access } = given;
    const opened = ports.store === undefined ? await openStore(config, ports) : ok(ports.store);
    if (!opened.ok) return err([aboutFolder(opened.problem)]);
    const backed = openBacking(config, ports, opened.value);
    if (!backed.ok) {
      await opened.value.close();
      return backed;
    }
    const store = signedStore(backed.value ?? opened.value, access.signing);
    const runner = await openRunner(config, ports, store);
    if (runner.ok) {
      const zstd = ports.zstd ?? (await loadWireZstd(ports.clock));
      const made = { store, runner: runner.value, backing: backed.value };
      return ok(new ServerParts({ ...given, ports: { ...ports, zstd }, ...made }));
    }
    await store.close();
    return err([runner.problem]);
  }

  private constructor({ config, ports, access, lock, log, store, runner, backing }: Foundation) {
    this.#backing = backing;
    this.#lock = lock;
    const { clock } = ports;
    this.#config = config;
    this.#ports = ports;
    this.#store = store;
    this.#runner = runner;
    this.#startedAtMs = clock.monotonicMs();
    const metrics = new Metrics();
    this.#tracer = tracerOf(config, ports);
    this.#log = accessLogOf(log, ports);
    this.#logFile = log instanceof LogFile ? log : undefined;
    const observer = new CallObserver({ metrics, tracer: this.#tracer, log: this.#log });
    const fault = (error: unknown, where: string) => ports.report?.(faultProblem(error, where));
    this.#reapi = cacheServices(config, ports, { access, store, runner });
    this.#execution = runner && runningServices({ config, ports, access, store, runner, metrics }, this.#reapi, fault);
    const services = [...this.#reapi.services, ...(this.#execution?.services ?? [])];
    const names = [...new Set(services.map(serviceName))];
    const health = new HealthService(names, "not-serving");
    this.#readiness = new Readiness(store, health, clock);
    const about = [
      ...health.registrations(),
      ...reflectionService({ descriptorSet, services: [...names, "grpc.health.v1.Health"] }),
    ];
    this.#grpc = new GrpcServer({
      services: [...services, ...about],
      clock,
      interceptors: [observer.interceptor(), accessInterceptor(access)],
      memory: ports.hashers,
      onFault: (error, call) => fault(error, call.path),
    });
    const { authenticator, policy, quotas } = access;
    const { random, zstd } = ports;
    const caches = { store, access: policy, clock, random, ...(zstd === undefined ? {} : { zstd }) };
    this.#handlers = {
      clock,
      onStream: (stream, headers, peer) => this.#grpc.accept(stream, headers, peer),
      onRequest: httpFront({
        ...{ authenticator, access: policy, quotas, observer, metrics, clock },
        openMetrics: config.telemetry.openMetrics,
        status: () => this.status(),
        unready: () => this.#readiness.check(),
        routeName,
        isServed: (path) => isServed(config.http, path),
        caches: (hooks) => httpCaches({ ...caches, ...hooks, onFault: (error) => fault(error, "a cache") }),
      }),
      onFault: (error) => fault(error, "an HTTP request"),
    };
    metrics.beforeReading(() => this.#measure(metrics));
  }

  /** What is worth telling about how it was started. */
  get warnings(): readonly Problem[] {
    return this.#runner?.warnings ?? [];
  }

  /** For `openPort`. */
  handlers(): Omit<PortOptions, "address" | "tls"> {
    return this.#handlers;
  }

  /** How long a drain may take. */
  get graceMs(): number {
    return this.#config.drain.grace;
  }

  get runsActions(): boolean {
    return this.#execution !== undefined;
  }

  countConnections(count: () => number): void {
    this.#connections = count;
  }

  status(): ServerStatus {
    const reasons = this.#readiness.check();
    const { trouble: _trouble, ...store } = this.#store.status();
    return {
      version: this.#ports.version,
      uptimeMs: Math.round(this.#ports.clock.monotonicMs() - this.#startedAtMs),
      readiness: { ready: reasons.length === 0, reasons },
      store,
      calls: this.#grpc.counts().calls,
      connections: this.#connections(),
      ...(this.#execution === undefined ? {} : { execution: this.#execution.status() }),
    };
  }

  /** Says that the server goes, and lets running actions finish. @returns how much time open calls have left. */
  async finishWork(graceMs: number): Promise<number> {
    const { clock } = this.#ports;
    const startedAtMs = clock.monotonicMs();
    this.#readiness.drain();
    const announceMs = Math.min(this.#config.drain.announce, graceMs);
    if (announceMs > 0) await sleep(clock, announceMs, this.#hurried.signal);
    const workMs = Math.max(0, graceMs - (clock.monotonicMs() - startedAtMs));
    if (this.#execution !== undefined) {
      const done = new AbortController();
      const late = sleep(clock, workMs, AbortSignal.any([this.#hurried.signal, done.signal]));
      await Promise.race([this.#execution.drain(), late]);
      // The rest of the grace is nobody's: a timer that ran on would keep the process.
      done.abort();
    }
    await this.#backing?.flush(Math.max(0, graceMs - (clock.monotonicMs() - startedAtMs)));
    const nowMs = clock.monotonicMs();
    const leftMs = Math.max(CONNECTIONS_MIN_MS, graceMs - (nowMs - startedAtMs));
    return Math.max(0, Math.min(leftMs, this.#dueMs - nowMs));
  }

  /** Goes on with the access log in a file of its name, which somebody may have moved away. */
  reopenLog(): Result<void, Problem> {
    this.#log?.flush();
    return this.#logFile?.reopen() ?? ok(undefined);
  }

  /** Waits for work no longer than this from now on. */
  hurry(graceMs: number): void {
    const { clock } = this.#ports;
    const dueMs = clock.monotonicMs() + graceMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#hurry?.cancel();
    this.#hurry = undefined;
    if (graceMs <= 0) this.#hurried.abort();
    else this.#hurry = clock.setTimer(graceMs, () => this.#hurried.abort());
  }

  /** Lets go of everything, also of what comes after something that fails. Never rejects. */
  async close(): Promise<void> {
    this.#hurry?.cancel();
    const steps: readonly (() => Promise<Result<void, Problem>> | Promise<void> | void)[] = [
      () => this.#readiness.close(),
      () => this.#grpc.close(),
      () => this.#execution?.close(),
      () => this.#reapi.close(),
      () => this.#runner?.close(),
      () => this.#backing?.flush(CONNECTIONS_MIN_MS),
      () => this.#store.close(),
      () => this.#lock.release(),
      () => this.#log?.flush(),
      () => this.#logFile?.close(),
      () => this.#tracer?.close(TRACES_MAX_MS),
    ];
    for (const step of steps) {
      try {
        const done = await step();
        if (done?.ok === false) this.#ports.report?.(done.problem);
      } catch (error) {
        this.#ports.report?.(faultProblem(error, "the end of the server"));
      }
    }
  }

  #measure(metrics: Metrics): void {
    const { usedBytes, maxSizeBytes, blobs, records, trouble } = this.#store.status();
    const { calls, heldBytes } = this.#grpc.counts();
    const gauges: readonly (readonly [string, string, number])[] = [
      ["kahn_store_used_bytes", "Bytes in the store.", usedBytes],
      ["kahn_store_max_bytes", "Bytes that the store may have.", maxSizeBytes],
      ["kahn_store_blobs", "Blobs in the store.", blobs],
      ["kahn_store_records", "Action results and names in the store.", records],
      ["kahn_store_trouble", "1 while nothing can be written.", trouble === undefined ? 0 : 1],
      ["kahn_calls_open", "gRPC calls under way.", calls],
      ["kahn_calls_held_bytes", "Bytes of messages that wait in memory.", heldBytes],
      ["kahn_connections", "Open connections.", this.#connections()],
      ["kahn_ready", "1 while calls are welcome.", this.#readiness.reasons().length === 0 ? 1 : 0],
    ];
    for (const [name, help, value] of gauges) metrics.gauge(name, help).set(value);
    if (this.#execution !== undefined && this.#runner !== undefined) {
      const { level, workers } = this.#runner;
      measureExecution(metrics, this.#execution.status(), { level, workers: workers?.() });
    }
    if (this.#backing !== undefined) {
      const { blobs: waiting, results, dropped, keeping } = this.#backing.waiting();
      const help = "What waits to be sent to the cache behind.";
      metrics.gauge("kahn_backing_waiting", help, { kind: "blob" }).set(waiting);
      metrics.gauge("kahn_backing_waiting", help, { kind: "result" }).set(results);
      metrics
        .gauge("kahn_backing_keeping", "Results from the cache behind whose blobs are being fetched.")
        .set(keeping);
      metrics.gauge("kahn_backing_dropped", "What was never sent to the cache behind.").set(dropped);
    }
    if (this.#tracer !== undefined) {
      metrics.gauge("kahn_spans_dropped", "Spans that were not sent.").set(this.#tracer.dropped);
    }
  }
}

/** What the services are made on. */
interface Foundation {
  readonly config: ServerConfig;
  readonly ports: ServerPorts;
  readonly access: ServerAccess;
  readonly lock: FolderLock;
  readonly log: LogFile | LineSink | undefined;
  readonly store: ServerStore;
  readonly runner: ServerRunner | undefined;
  readonly backing: BackedStore | undefined;
}

const DIGEST_FUNCTIONS = ["sha256", "blake3", "sha1", "sha384", "sha512"] as const;
const OFFER: ExecutionServices["offer"] = { supportedNodeProperties: ["mtime", "unix_mode"] };

function cacheServices(
  { assets, results }: ServerConfig,
  { clock, random, zstd, origins }: ServerPorts,
  { access, store, runner }: Pick<Foundation, "access" | "store" | "runner">,
): ReapiServices {
  const { hosts } = assets;
  return reapiServices({
    ...{ store, clock, random, access: access.policy, digestFunctions: DIGEST_FUNCTIONS },
    ...(zstd === undefined ? {} : { zstd }),
    ...(origins === undefined || hosts.length === 0 ? {} : { origins: { port: origins, policy: { hosts } } }),
    ...(runner === undefined ? {} : { execution: OFFER }),
    actionCache: { strict: results.strict, cacheFailures: results.failures },
  });
}

interface Running {
  readonly runner: ServerRunner;
  readonly metrics: Metrics;
}

function runningServices(
  { config, ports, access, store, runner, metrics }: Omit<Foundation, "backing" | "lock" | "log"> & Running,
  { logs }: ReapiServices,
  fault: (error: unknown, where: string) => void,
): ExecutionServices {
  const { queueMax, timeout, timeoutMax } = config.execution;
  return executionServices({
    ...{ store, clock: ports.clock, random: ports.random, access: access.policy, logs },
    digestFunctions: DIGEST_FUNCTIONS,
    runner: runner.runner,
    worker: { slots: runner.slots },
    mayBegin: actionQuota(access.quotas),
    cacheFailures: config.results.failures,
    listener: executionMetrics(metrics),
    limits: { queueMax, timeoutMs: timeout, timeoutMaxMs: timeoutMax },
    onFault: (error) => fault(error, "an execution"),
  });
}

function openStore({ dir, store }: ServerConfig, ports: ServerPorts) {
  const { fs, clock, random, owner, livenessOf, resolvePath, hashers } = ports;
  return openServerStore({
    ...{ fs, clock, random, owner, livenessOf, hashers },
    root: resolvePath(dir),
    maxSizeBytes: store.maxSize,
    maxBlobBytes: Math.min(store.maxBlob, store.maxSize),
    durability: store.durability,
    memoryBytes: store.memory,
  });
}

function tracerOf({ telemetry }: ServerConfig, { clock, random, post, version }: ServerPorts): Tracer | undefined {
  if (telemetry.traces === undefined || post === undefined) return undefined;
  return new Tracer({ url: telemetry.traces, ratio: telemetry.traceRatio, version, clock, random, post });
}

/** The store speaks of caches of the command line. */
function aboutFolder(found: Problem): Problem {
  if (found.code !== "store-format-newer") return found;
  return { ...found, next: "Update Kahn, or give this server a folder of its own (--dir)." };
}

/** Where the access log goes; `undefined` when there is none. */
function openLog({ telemetry }: ServerConfig, ports: ServerPorts): Result<LogFile | LineSink | undefined, Problem> {
  const { accessLog } = telemetry;
  if (accessLog === "none") return ok(undefined);
  if (accessLog === "-") return ok(ports.print);
  const { fs, resolvePath, report = () => {} } = ports;
  return LogFile.open({ fs, path: resolvePath(accessLog), report });
}

function accessLogOf(log: LogFile | LineSink | undefined, { clock }: ServerPorts): AccessLog | undefined {
  if (log === undefined) return undefined;
  return new AccessLog(log instanceof LogFile ? (lines) => log.write(lines) : log, clock);
}

function serviceName({ method }: Registration): string {
  return method.path.slice(1, method.path.lastIndexOf("/"));
}

function faultProblem(error: unknown, where: string): Problem {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return problem("serve-fault", `${where} failed by a bug of this server`, {
    facts: [["error", stack]],
    next: "Report it, with this text.",
  });
}
