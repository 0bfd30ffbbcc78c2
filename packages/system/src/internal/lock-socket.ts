/**
 * Listening Unix sockets as signs of life: as long as any process has one open, connecting succeeds; when the last one
 * is gone, however it ended, the kernel refuses, and closes what was connected.
 *
 * Owns: listening, asking, waiting, and paths too long for a socket's address.
 */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { errnoOf } from "./refusal.ts";

/** A socket that this process listens on. */
export interface ListeningSocket {
  /** Its descriptor. */
  readonly fd: number;
  /** Closes this process's descriptor and lets those go who wait on it. */
  close(): void;
}

/** Whether somebody listens. `alive` comes with a connection, which the one who asked destroys. */
export type Life =
  | { readonly kind: "alive"; readonly connection: Socket }
  /** Alive, with more waiters than the kernel queues. */
  | { readonly kind: "crowded" }
  | { readonly kind: "dead" };

/** 108 bytes on Linux and 104 on macOS, with the final NUL; Node 20 cuts a longer path without a word. */
const ADDRESS_BYTES_MAX = 100;

/** Listens on a new socket file. Does not keep the process alive. Rejects with the system's error. */
export async function listenAt(path: string): Promise<ListeningSocket> {
  return withShortPath(path, (address) => {
    const waiters = new Set<Socket>();
    const server = createServer((waiter) => {
      waiters.add(waiter);
      waiter.unref();
      // Read, so that a waiter who leaves is noticed; what happens to it is its own affair.
      waiter.resume();
      waiter.on("error", () => {});
      waiter.on("close", () => waiters.delete(waiter));
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(address, () => {
        server.unref();
        resolve({
          fd: descriptorOf(server),
          close: () => {
            server.close();
            for (const waiter of waiters) waiter.destroy();
          },
        });
      });
    });
  });
}

/** Asks whether anybody listens on a socket file. Rejects when the system does not let us ask. */
export async function lifeOf(path: string): Promise<Life> {
  for (;;) {
    const life = await withShortPath(path, askOnce);
    if (life !== "ended-meanwhile") return life;
  }
}

function askOnce(address: string): Promise<Life | "ended-meanwhile"> {
  const connection = connect(address);
  return new Promise((resolve, reject) => {
    connection.once("connect", () => {
      connection.removeAllListeners("error");
      resolve({ kind: "alive", connection });
    });
    connection.once("error", (error) => {
      const code = errnoOf(error);
      if (code === "EAGAIN") resolve({ kind: "crowded" });
      // One of those who listened closed it while it was connecting; another may still listen.
      else if (code === "ECONNRESET" || code === "EPIPE") resolve("ended-meanwhile");
      else if (code !== undefined && NOBODY.has(code)) resolve({ kind: "dead" });
      else reject(error);
    });
  });
}

/** Refused; no such file; not a socket any more, as after copying a folder. */
const NOBODY = new Set(["ECONNREFUSED", "ENOENT", "ENOTDIR", "ENOTSOCK"]);

/** Resolves when the other side is gone or the signal aborts. Ends the connection. */
export function waitForEnd(connection: Socket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      signal?.removeEventListener("abort", finish);
      connection.destroy();
      resolve();
    };
    connection.on("error", () => {});
    connection.once("close", finish);
    connection.resume();
    if (signal?.aborted === true) finish();
    else signal?.addEventListener("abort", finish);
  });
}

/** Node has no public name for it; this one has been there since 0.10 and `child_process` relies on it. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as unknown as { _handle: { fd: number } };
  return handle.fd;
}

/** Calls with an address for a socket's path that fits, by way of a symbolic link where it must. */
async function withShortPath<T>(path: string, use: (address: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= ADDRESS_BYTES_MAX) return use(path);
  // Not os.tmpdir(), which may be long itself.
  const detour = mkdtempSync("/tmp/kahn-");
  try {
    symlinkSync(dirname(path), `${detour}/d`);
    return await use(`${detour}/d/${basename(path)}`);
  } finally {
    rmSync(detour, { recursive: true, force: true });
  }
}
