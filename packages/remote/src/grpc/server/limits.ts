/** What one server grants its peers. Every number is a bound on memory or time that a hostile peer can take. */

/** Limits of a gRPC server. */
export interface ServerLimits {
  /** Largest message received, in bytes, after unpacking. */
  readonly messageMaxBytes: number;
  /**
   * Calls at once over all connections; one more is answered RESOURCE_EXHAUSTED. No connection, address or caller has all of
   * them: so a few that are greedy leave room; see `CallShares`.
   */
  readonly callsMax: number;
  /** Bytes of unfinished and unread messages of one connection, and of all. */
  readonly connectionHeldMaxBytes: number;
  readonly serverHeldMaxBytes: number;
  /** How long a message may be incomplete, or an answer unread, without a byte of progress. */
  readonly stallMaxMs: number;
  /** How long a peer that streams may rest between two messages while the server waits for the next. */
  readonly idleMaxMs: number;
  /** How long a peer may go on sending after it got its answer. */
  readonly lingerMs: number;
}

/** Limits for a server of blobs. */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  messageMaxBytes: 16 << 20,
  callsMax: 10_000,
  connectionHeldMaxBytes: 256 << 20,
  serverHeldMaxBytes: 512 << 20,
  stallMaxMs: 60_000,
  // Logs of running actions are streamed, too, and a command may be silent for long.
  idleMaxMs: 30 * 60_000,
  lingerMs: 2000,
};
