/**
 * The listening socket: TCP or Unix, plain or TLS.
 *
 * Owns:      binding an address, and the file of a Unix socket.
 * Invariant: a Unix socket that a live server listens on is never taken away; one that a dead server left is replaced.
 */
import { chmodSync, unlinkSync } from "node:fs";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { SecureContextOptions, TLSSocket, Server as TlsServer } from "node:tls";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { ListenAddress, PortLimits, PortTls } from "./port-options.ts";

/** Why a port cannot be had. */
export type ListenProblem = Problem<"port-unavailable" | "tls-material-invalid">;

/** Hears of connections. */
export interface ConnectionSink {
  /** A connection, before anything was read from it. */
  opened(socket: Socket): void;
  /** A connection whose client must speak next: the socket itself, or the one inside TLS. */
  ready(socket: Socket | TLSSocket): void;
}

// The defaults that `http.Server` would have set.
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const;

/** Makes the server, not yet listening. */
export function createListener(
  tls: PortTls | undefined,
  limits: PortLimits,
  sink: ConnectionSink,
): Result<Server, ListenProblem> {
  if (tls === undefined) {
    // Half-open is for HTTP/1.1 clients that send and then close their side. Not with TLS: a client that leaves after the
    // handshake, for want of trust, would stay for ever.
    const server = createServer({ ...SOCKET_OPTIONS, allowHalfOpen: true }, (socket) => {
      sink.opened(socket);
      sink.ready(socket);
    });
    return ok(server);
  }
  try {
    const server = createTlsServer({
      ...SOCKET_OPTIONS,
      ...materialOf(tls),
      requestCert: tls.clientCertificate !== "none",
      rejectUnauthorized: tls.clientCertificate === "require",
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: limits.silenceMaxMs,
    });
    server.on("connection", (socket: Socket) => sink.opened(socket));
    server.on("secureConnection", (socket) => {
      if (isTrusted(socket)) sink.ready(socket);
      else socket.destroy();
    });
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return ok(server);
  } catch (error) {
    return err(unusable(error));
  }
}

/** Whether certificate, key and authorities can be used, and belong together. */
export function checkTls(tls: PortTls): Result<void, ListenProblem> {
  try {
    createSecureContext(materialOf(tls));
    return ok(undefined);
  } catch (error) {
    return err(unusable(error));
  }
}

/**
 * Shows another certificate to connections to come. Whether clients are asked for theirs stays as it is.
 *
 * @param server of `createListener`, with TLS.
 */
export function replaceTls(server: Server, tls: PortTls): Result<void, ListenProblem> {
  const checked = checkTls(tls);
  if (checked.ok) (server as TlsServer).setSecureContext(materialOf(tls));
  return checked;
}

function materialOf({ certificate, key, clientAuthorities }: PortTls): SecureContextOptions {
  const material = { cert: certificate, key, minVersion: "TLSv1.2" } as const;
  return clientAuthorities === undefined ? material : { ...material, ca: clientAuthorities };
}

function unusable(error: unknown): ListenProblem {
  const next = "Give a PEM certificate (with its chain), its PEM key, and PEM authorities.";
  const message = `the TLS certificate or key cannot be used: ${(error as Error).message}`;
  return problem("tls-material-invalid", message, { next });
}

/** False for a client that gave a certificate which no authority of ours vouches for. */
function isTrusted(socket: TLSSocket): boolean {
  return socket.authorized || socket.getPeerCertificate().raw === undefined;
}

/** Binds the address. */
export async function listen(server: Server, address: ListenAddress): Promise<Result<ListenAddress, ListenProblem>> {
  let failure = await bind(server, address);
  if (failure?.code === "EADDRINUSE" && address.kind === "unix" && (await isAbandoned(address.path))) {
    unlinkSync(address.path);
    failure = await bind(server, address);
  }
  if (failure !== undefined) return err(unavailable(address, failure));
  if (address.kind === "unix") {
    chmodSync(address.path, 0o600);
    return ok(address);
  }
  return ok({ kind: "tcp", host: address.host, port: (server.address() as AddressInfo).port });
}

function bind(server: Server, address: ListenAddress): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off("listening", listening);
      resolve(error);
    };
    const listening = () => {
      server.off("error", failed);
      resolve(undefined);
    };
    server.once("error", failed);
    server.once("listening", listening);
    if (address.kind === "unix") server.listen({ path: address.path });
    else server.listen({ host: address.host, port: address.port });
  });
}

/** True if nobody listens on this socket: the file of a server that is gone. */
function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

const NEXT: ReadonlyMap<string, string> = new Map([
  ["EADDRINUSE", "Stop what listens there, or choose another address."],
  ["EACCES", "Choose a port from 1024 on, or a folder that this user may write."],
  ["EADDRNOTAVAIL", "Choose an address of this machine; :PORT stands for all of them."],
  ["ENOENT", "Make the folder of the socket first."],
]);

function unavailable(address: ListenAddress, error: NodeJS.ErrnoException): ListenProblem {
  const where = address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
  const next = NEXT.get(error.code ?? "") ?? "Choose another address.";
  return problem("port-unavailable", `${where} cannot be listened on: ${error.message}`, { next });
}
