/**
 * A server: every protocol on one store, behind one access, on any number of addresses.
 *
 * Owns:      the order in which parts are made, and in which they are let go.
 * Invariant: either a server runs, or nothing of it is left and the problems say why. After `closed` it holds no timer,
 *            no socket and no file.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { AccessFacts, ServerAccess } from "./access/open-access.ts";
import { replaceAccess } from "./access/open-access.ts";
import type { ServerConfig } from "./operation/server-settings.ts";
import type { ServerStatus } from "./operation/server-status.ts";
import type { DrainOutcome, ListenAddress, Port, PortTls } from "./port/index.ts";
import { openPort } from "./port/index.ts";
import { readMaterial, settingsForRestart } from "./server/material/material.ts";
import { CONNECTIONS_MIN_MS, ServerParts } from "./server/parts.ts";
import type { ServerPorts } from "./server/ports.ts";

/** A server that takes calls. */
export interface RunningServer {
  /** Where it listens, with the ports that were chosen. */
  readonly addresses: readonly ListenAddress[];
  /** What is worth telling about how it was started, such as `serve-plaintext-credentials`. */
  readonly warnings: readonly Problem[];
  /** Of the access that is in force. */
  readonly access: AccessFacts;
  status(): ServerStatus;
  /**
   * Takes over who may come and what they may do (but not whose signatures count), and the certificates; goes on with
   * the access log in a new file when somebody moved the old one. Calls and connections that are open go on as they began.
   *
   * @returns or what is wrong with the files, and then everything stays as it was. The problems are those of `startServer`.
   */
  reload(next: ServerConfig): Result<Reloaded, readonly Problem[]>;
  /**
   * Goes away without losing anything: says so to probes, lets running actions finish, answers what waits with
   * UNAVAILABLE; then takes no more connections, lets those that are there fetch what the actions made until they have
   * asked for nothing for a second, lets open calls finish, flushes the store. May be called again with less time.
   *
   * @param graceMs default: `drain.grace` of the configuration.
   */
  drain(graceMs?: number): Promise<DrainOutcome>;
  /** Resolves once everything is let go of. */
  readonly closed: Promise<void>;
}

/** A client that has asked for nothing for so long has fetched what its actions made. */
const FETCH_IDLE_MS = 1000;

/** What became of a changed configuration. */
export interface Reloaded {
  /** What counts from now on. */
  readonly access: AccessFacts;
  /** Settings that changed and count from the next start on: keys, such as `store.maxSize`. */
  readonly forRestart: readonly string[];
}

/**
 * Starts a server.
 *
 * @returns or every problem: `serve-open-to-network`, `serve-file-unreadable`, `serve-htpasswd-invalid`,
 *          `serve-jwks-invalid`, `port-unavailable`, `tls-material-invalid`, `serve-log-unwritable`, or why the store cannot be opened.
 */
export async function startServer(
  config: ServerConfig,
  ports: ServerPorts,
): Promise<Result<RunningServer, readonly Problem[]>> {
  const material = readMaterial(config, ports);
  if (!material.ok) return material;
  const { access, tls } = material.value;
  const parts = await ServerParts.open(config, ports, access);
  if (!parts.ok) return parts;
  const listening = await listenAll(config, parts.value, tls);
  if (!listening.ok) {
    await parts.value.close();
    return listening;
  }
  const running = { config, ports, access, parts: parts.value };
  return ok(new Server(running, listening.value, [...access.warnings, ...parts.value.warnings]));
}

/** What a server was made of. */
interface Running {
  readonly config: ServerConfig;
  readonly ports: ServerPorts;
  readonly access: ServerAccess;
  readonly parts: ServerParts;
}

class Server implements RunningServer {
  readonly #running: Running;
  readonly #parts: ServerParts;
  readonly #ports: readonly Port[];
  readonly warnings: readonly Problem[];
  readonly closed: Promise<void>;
  #access: AccessFacts;
  #settle: () => void = () => {};
  #draining: Promise<DrainOutcome> | undefined;
  /** From then on the ports drain. */
  #isWorkDone = false;

  constructor(running: Running, ports: readonly Port[], warnings: readonly Problem[]) {
    const { parts } = running;
    this.#running = running;
    this.#access = running.access.facts;
    this.#parts = parts;
    this.#ports = ports;
    this.warnings = warnings;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    parts.countConnections(() => ports.reduce((sum, port) => sum + port.counts().connections, 0));
  }

  get addresses(): readonly ListenAddress[] {
    return this.#ports.map((port) => port.address);
  }

  get access(): AccessFacts {
    return this.#access;
  }

  status(): ServerStatus {
    return this.#parts.status();
  }

  reload(next: ServerConfig): Result<Reloaded, readonly Problem[]> {
    const { config, ports, access } = this.#running;
    // It stays where it listens, and so does what that asks of its access.
    const material = readMaterial({ ...next, listen: config.listen, tls: sameKind(config.tls, next.tls) }, ports);
    if (!material.ok) return material;
    const { tls } = material.value;
    const refused = tls === undefined ? [] : this.#ports.map((port) => port.replaceTls(tls));
    const problems = refused.flatMap((each) => (each.ok ? [] : [each.problem]));
    if (problems.length > 0) return err(problems);
    replaceAccess(access, material.value.access);
    this.#access = material.value.access.facts;
    const log = this.#parts.reopenLog();
    if (!log.ok) ports.report?.({ ...log.problem, severity: "warning" });
    return ok({ access: this.#access, forRestart: settingsForRestart(config, next) });
  }

  drain(graceMs = this.#parts.graceMs): Promise<DrainOutcome> {
    if (this.#draining === undefined) this.#draining = this.#drain(graceMs);
    else {
      this.#parts.hurry(graceMs);
      if (this.#isWorkDone) for (const port of this.#ports) void port.drain(graceMs);
    }
    return this.#draining;
  }

  async #drain(graceMs: number): Promise<DrainOutcome> {
    // Calls are still taken: who waits for an action may come back to ask for it, and capabilities are answered.
    const leftMs = await this.#parts.finishWork(graceMs);
    this.#isWorkDone = true;
    const outcomes = await Promise.all(this.#ports.map((port) => this.#drainPort(port, leftMs)));
    await this.#parts.close();
    this.#settle();
    const connections = outcomes.reduce((sum, each) => sum + (each.kind === "cut" ? each.connections : 0), 0);
    return connections === 0 ? { kind: "drained" } : { kind: "cut", connections };
  }

  /** Whose action has just ended still fetches what it made, unless the time is up. */
  async #drainPort(port: Port, leftMs: number): Promise<DrainOutcome> {
    const { clock } = this.#running.ports;
    const dueMs = clock.monotonicMs() + leftMs;
    const maxMs = leftMs - CONNECTIONS_MIN_MS;
    if (this.#parts.runsActions && maxMs > 0) await port.linger({ idleMs: FETCH_IDLE_MS, maxMs });
    return await port.drain(Math.max(0, dueMs - clock.monotonicMs()));
  }
}

async function listenAll(
  config: ServerConfig,
  parts: ServerParts,
  tls: PortTls | undefined,
): Promise<Result<readonly Port[], readonly Problem[]>> {
  const opened = await Promise.all(
    config.listen.map((address) =>
      openPort({ ...parts.handlers(), address, ...(tls === undefined || address.kind === "unix" ? {} : { tls }) }),
    ),
  );
  const ports = opened.flatMap((each) => (each.ok ? [each.value] : []));
  const problems = opened.flatMap((each) => (each.ok ? [] : [each.problem]));
  if (problems.length === 0) return ok(ports);
  await Promise.all(ports.map((port) => port.close()));
  return err(problems);
}

/** The section as it may change: whether there is TLS, and who must show a certificate, is decided at the start. */
function sameKind(running: ServerConfig["tls"], next: ServerConfig["tls"]): ServerConfig["tls"] {
  if (running === undefined || next === undefined) return running;
  return { ...next, clientCertificate: running.clientCertificate };
}
