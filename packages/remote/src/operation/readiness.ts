/**
 * Whether a server should be sent calls, and why not.
 *
 * Owns:      the reasons, and mirroring them in the health service.
 * Invariant: `/readyz`, `/status` and gRPC's health say the same.
 */
import type { Clock, Timer } from "@kahn/core";
import type { HealthService } from "../grpc/index.ts";
import type { ServerStore } from "../store/server-store.ts";

/** One reason not to send calls. */
export interface UnreadyReason {
  /** `draining`, or the code of the store's trouble, such as `store-full`. */
  readonly code: string;
  readonly message: string;
}

const CHECK_MS = 2000;

/** The readiness of a server. */
export class Readiness {
  readonly #store: ServerStore;
  readonly #health: HealthService;
  readonly #clock: Clock;
  #isDraining = false;
  #wasReady = false;
  #timer: Timer | undefined;

  constructor(store: ServerStore, health: HealthService, clock: Clock) {
    this.#store = store;
    this.#health = health;
    this.#clock = clock;
    this.#arm();
  }

  /** Empty when calls are welcome. */
  reasons(): readonly UnreadyReason[] {
    const reasons: UnreadyReason[] = [];
    if (this.#isDraining) reasons.push({ code: "draining", message: "the server is going away" });
    const { trouble } = this.#store.status();
    if (trouble !== undefined) reasons.push({ code: trouble.code, message: trouble.message });
    return reasons;
  }

  /** Looks again, and tells the health service of a change. */
  check(): readonly UnreadyReason[] {
    const reasons = this.reasons();
    const isReady = reasons.length === 0;
    if (isReady !== this.#wasReady) this.#health.setAll(isReady ? "serving" : "not-serving");
    this.#wasReady = isReady;
    return reasons;
  }

  /** Never ready again. */
  drain(): void {
    this.#isDraining = true;
    this.check();
  }

  /** Stops looking. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.check();
    this.#timer = this.#clock.setTimer(CHECK_MS, () => this.#arm());
  }
}
