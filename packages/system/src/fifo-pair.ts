/**
 * Two named pipes between us and a process that somebody else starts: what a persistent worker reads and writes.
 *
 * Owns:  our ends of both.
 * Never: makes or removes the pipes: `mkfifo` does, and whoever owns their folder.
 * Note:  not pipes of `spawn`: those are sockets in Node, and a shell whose standard input is a socket takes itself for
 *        a remote one and reads start-up files. Both ends are opened for reading and writing, so that no opening waits
 *        for the other side; the end of the process is therefore learned from whoever started it, not from here.
 */
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { guarded } from "./internal/refusal.ts";

/** What to open. */
export interface FifoPairOptions {
  /** Absolute paths of pipes that are there. */
  readonly toProcess: string;
  readonly fromProcess: string;
  readonly onBytes: (bytes: Uint8Array) => void;
}

/** Our ends. */
export interface FifoPair {
  /** Sends bytes; what the pipe does not take at once is kept and sent when it does. */
  write(bytes: Uint8Array): void;
  /** Lets go of both: the process then reads the end of its input. Nothing is heard any more. */
  close(): void;
}

/** Opens both pipes. @throws FileSystemError when one is not there. */
export function openFifoPair({ toProcess, fromProcess, onBytes }: FifoPairOptions): FifoPair {
  const output = openEnd(toProcess, "write");
  const input = openEnd(fromProcess, "read");
  let closed = false;
  input.on("data", (bytes: Uint8Array) => {
    if (!closed) onBytes(bytes);
  });
  return {
    write: (bytes) => void (closed || output.write(bytes)),
    close: () => {
      closed = true;
      output.destroy();
      input.destroy();
    },
  };
}

function openEnd(path: string, way: "read" | "write"): Socket {
  const fd = guarded("open", path, () => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  const socket = new Socket({ fd, readable: way === "read", writable: way === "write" });
  // Whoever started the process hears of its end; a pipe that breaks then is no news.
  socket.on("error", () => {});
  return socket;
}
