/**
 * How HTTP/2 sessions are set up on both sides: wide windows, and no limits of Node's that hurt honest peers.
 */
import type { ClientSessionOptions, Http2Session, ServerOptions } from "node:http2";

/** Bytes a peer may send on one stream, and on one connection, before it has to wait for us. */
export const STREAM_WINDOW_BYTES = 4 << 20;
export const CONNECTION_WINDOW_BYTES = 32 << 20;

/** Not yet in the types of Node 20. */
interface RapidResetOptions {
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
}

/** Options of an HTTP/2 server that carries gRPC. */
export function serverSessionOptions(streamsMax: number): ServerOptions & RapidResetOptions {
  return {
    settings: {
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxConcurrentStreams: streamsMax,
      enablePush: false,
      maxHeaderListSize: 64 << 10,
    },
    // With Node's 10 MB a session dies as a whole under many large uploads. Memory is bounded by our own counters.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    maxHeaderListPairs: 256,
    // A client that cancels a thousand calls at once is no attacker. Node 20 ignores both.
    streamResetBurst: 100_000,
    streamResetRate: 100_000,
  };
}

/** Options of an HTTP/2 client that carries gRPC. */
export function clientSessionOptions(): ClientSessionOptions {
  return {
    settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  };
}

/** Widens the connection's window; alone, neither it nor the stream's makes an upload over a real network faster. */
export function widenWindow(session: Http2Session): void {
  if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
}
