/**
 * A server: every protocol on one store, behind one access, on any number of addresses.
 *
 * Owns:      the order in which parts are made, and in which they are let go.
 * Invariant: either a server runs, or nothing of it is left and the problems say why. After `closed` it holds no timer,
 *            no socket and no file.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ServerAccess } from "./access/open-access.ts";
import { openAccess, readText } from "./access/open-access.ts";
import type { ServerConfig } from "./operation/server-settings.ts";
import type { ServerStatus } from "./operation/server-status.ts";
import type { DrainOutcome, ListenAddress, Port, PortTls } from "./port/index.ts";
import { openPort } from "./port/index.ts";
import { ServerParts } from "./server-parts.ts";
import type { ServerPorts } from "./server-ports.ts";

/** A server that takes calls. */
export interface RunningServer {
  /** Where it listens, with the ports that were chosen. */
  readonly addresses: readonly ListenAddress[];
  /** What is worth telling about how it was started, such as `serve-plaintext-credentials`. */
  readonly warnings: readonly Problem[];
  status(): ServerStatus;
  /**
   * Goes away without losing anything: says so to probes, lets running actions and open calls finish, answers what
   * waits with UNAVAILABLE, flushes the store. May be called again with less time.
   *
   * @param graceMs default: `drain.grace` of the configuration.
   */
  drain(graceMs?: number): Promise<DrainOutcome>;
  /** Resolves once everything is let go of. */
  readonly closed: Promise<void>;
}

/**
 * Starts a server.
 *
 * @returns or every problem: `serve-open-to-network`, `serve-file-unreadable`, `serve-htpasswd-invalid`,
 *          `serve-jwks-invalid`, `port-unavailable`, `tls-material-invalid`, or why the store cannot be opened.
 */
export async function startServer(
  config: ServerConfig,
  ports: ServerPorts,
): Promise<Result<RunningServer, readonly Problem[]>> {
  const tls = readTls(config, ports);
  const access = readAccess(config, ports);
  const problems = [...(tls.ok ? [] : tls.problem), ...(access.ok ? [] : access.problem)];
  if (!tls.ok || !access.ok) return err(problems);
  const parts = await ServerParts.open(config, ports, access.value);
  if (!parts.ok) return parts;
  const listening = await listenAll(config, parts.value, tls.value);
  if (!listening.ok) {
    await parts.value.close();
    return listening;
  }
  return ok(new Server(parts.value, listening.value, [...access.value.warnings, ...parts.value.warnings]));
}

class Server implements RunningServer {
  readonly #parts: ServerParts;
  readonly #ports: readonly Port[];
  readonly warnings: readonly Problem[];
  readonly closed: Promise<void>;
  #settle: () => void = () => {};
  #draining: Promise<DrainOutcome> | undefined;

  constructor(parts: ServerParts, ports: readonly Port[], warnings: readonly Problem[]) {
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

  status(): ServerStatus {
    return this.#parts.status();
  }

  drain(graceMs = this.#parts.graceMs): Promise<DrainOutcome> {
    if (this.#draining === undefined) this.#draining = this.#drain(graceMs);
    else this.#parts.hurry(graceMs);
    return this.#draining;
  }

  async #drain(graceMs: number): Promise<DrainOutcome> {
    // Calls are still taken: who waits for an action may come back to ask for it, and capabilities are answered.
    const leftMs = await this.#parts.finishWork(graceMs);
    const outcomes = await Promise.all(this.#ports.map((port) => port.drain(leftMs)));
    await this.#parts.close();
    this.#settle();
    const connections = outcomes.reduce((sum, each) => sum + (each.kind === "cut" ? each.connections : 0), 0);
    return connections === 0 ? { kind: "drained" } : { kind: "cut", connections };
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

function readTls({ tls }: ServerConfig, ports: ServerPorts): Result<PortTls | undefined, readonly Problem[]> {
  if (tls === undefined) return ok(undefined);
  const problems: Problem[] = [];
  const certificate = readText(ports, tls.certificate, problems);
  const key = readText(ports, tls.key, problems);
  const { clientAuthorities, clientCertificate } = tls;
  const authorities = clientAuthorities === undefined ? undefined : readText(ports, clientAuthorities, problems);
  if (certificate === undefined || key === undefined || problems.length > 0) return err(problems);
  const read = { certificate, key, clientCertificate };
  return ok(authorities === undefined ? read : { ...read, clientAuthorities: authorities });
}

function readAccess(config: ServerConfig, ports: ServerPorts): Result<ServerAccess, readonly Problem[]> {
  return openAccess({
    settings: config.access,
    clientCertificate: config.tls?.clientCertificate ?? "none",
    isEncrypted: config.tls !== undefined,
    addresses: config.listen,
    fs: ports.fs,
    clock: ports.clock,
    resolvePath: ports.resolvePath,
  });
}
