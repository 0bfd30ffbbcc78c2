/**
 * Finds out which protocol a client speaks from its first bytes, without taking them.
 *
 * Owns:      a connection until the decision: its bytes, its listeners and the timer.
 * Invariant: the callback runs at most once; then every byte is back in the socket and no listener of ours is left.
 *
 * HTTP/2 by prior knowledge begins with 24 fixed bytes; methods that begin like them exist (PUT, POST, PROPFIND).
 * What was read stays in a buffer and is put back once: `unshift` while waiting would make the socket readable again
 * and again.
 */
import type { Socket } from "node:net";
import type { Clock } from "@kahn/core";

/** The first bytes of every HTTP/2 client. */
export const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** What a client speaks. */
export type WireProtocol = "http1" | "http2";

/** A protocol, as soon as the bytes decide; `undefined` while they could still become either. */
export function protocolOf(head: Buffer): WireProtocol | undefined {
  const length = Math.min(head.length, HTTP2_PREFACE.length);
  if (HTTP2_PREFACE.compare(head, 0, length, 0, length) !== 0) return "http1";
  return length === HTTP2_PREFACE.length ? "http2" : undefined;
}

/** How to wait for the first bytes. */
export interface PeekOptions {
  readonly clock: Clock;
  /** A connection that has not decided by then is closed. */
  readonly timeoutMs: number;
  /** Called in the same tick in which the bytes were put back. Not called for a connection that said nothing. */
  readonly decided: (protocol: WireProtocol) => void;
}

/** Waits for a connection's first bytes. The socket must have an `error` listener already. */
export function peek(socket: Socket, options: PeekOptions): void {
  let head: Buffer = Buffer.alloc(0);
  const timer = options.clock.setTimer(options.timeoutMs, () => socket.destroy());
  socket.on("readable", onReadable);
  socket.on("end", onEnd);
  socket.on("close", stop);

  function onReadable(): void {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    }
    const protocol = protocolOf(head);
    if (head.length > 0 && protocol !== undefined) decide(protocol);
  }

  /** The client has said its last word: what it is, it is. */
  function onEnd(): void {
    stop();
    socket.destroy();
  }

  function decide(protocol: WireProtocol): void {
    stop();
    socket.unshift(head);
    options.decided(protocol);
  }

  function stop(): void {
    timer.cancel();
    socket.off("readable", onReadable);
    socket.off("end", onEnd);
    socket.off("close", stop);
  }
}
