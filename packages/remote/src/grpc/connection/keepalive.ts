/**
 * Pings that find out whether the other end is still there.
 *
 * Owns:      one timer per session while the session lives.
 * Invariant: a session whose peer does not answer a ping in time is destroyed, and with it every stream on it.
 */
import type { Http2Session } from "node:http2";
import type { Clock, Timer } from "@kahn/core";

/** When to ping, and how long to wait for the answer. */
export interface KeepaliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** A minute of silence is a dead peer for a server; nobody minds a ping a minute. */
export const SERVER_KEEPALIVE: KeepaliveOptions = { intervalMs: 60_000, timeoutMs: 20_000 };

/** Servers close connections of clients that ping more often than each five minutes, unless told otherwise. */
export const CLIENT_KEEPALIVE: KeepaliveOptions = { intervalMs: 300_000, timeoutMs: 20_000 };

/** Pings a session until it closes. */
export function keepAlive(session: Http2Session, clock: Clock, options: KeepaliveOptions): void {
  let timer: Timer = clock.setTimer(options.intervalMs, ping);
  session.once("close", () => timer.cancel());

  function ping(): void {
    if (session.destroyed) return;
    timer = clock.setTimer(options.timeoutMs, () => session.destroy());
    // False if too many pings are unanswered already: then the timer decides.
    session.ping((error) => {
      if (error !== null) return;
      timer.cancel();
      if (!session.destroyed) timer = clock.setTimer(options.intervalMs, ping);
    });
  }
}
