/**
 * The health service, `grpc.health.v1`: what probes and load balancers ask.
 *
 * Owns:      the state of each service, and who watches it.
 * Invariant: a watcher hears the present state first, then each change, and nothing twice.
 */
import {
  type HealthCheckResponseServingStatus,
  HealthMethods,
  HealthCheckResponseServingStatus as Wire,
} from "../proto/generated/health.ts";
import { methodOf } from "./messages/method.ts";
import { StatusCode, StatusError } from "./messages/status.ts";
import type { Registration, SendingCall } from "./server/call-context.ts";
import { serve } from "./server/call-context.ts";

/** Whether a service takes calls. */
export type ServingState = "serving" | "not-serving";

/** The health of a server: the whole (`""`) and its services by full name. */
export class HealthService {
  readonly #states = new Map<string, ServingState>();
  readonly #watchers = new Set<() => void>();

  /** @param services full names, such as `google.bytestream.ByteStream`; all begin as `state`, like the whole. */
  constructor(services: readonly string[], state: ServingState) {
    for (const service of ["", ...services]) this.#states.set(service, state);
  }

  /** Changes the whole and every service. */
  setAll(state: ServingState): void {
    for (const service of this.#states.keys()) this.#states.set(service, state);
    for (const wake of this.#watchers) wake();
  }

  /** Changes one service, known so far or not. */
  set(service: string, state: ServingState): void {
    this.#states.set(service, state);
    for (const wake of this.#watchers) wake();
  }

  /** The methods to serve. */
  registrations(): readonly Registration[] {
    return [
      serve(methodOf("unary", HealthMethods.check), ({ service }) => {
        if (!this.#states.has(service)) throw new StatusError(StatusCode.notFound, `no service ${service} here`);
        return { status: this.#wire(service) };
      }),
      serve(methodOf("unary", HealthMethods.list), () => ({
        statuses: new Map([...this.#states.keys()].map((service) => [service, { status: this.#wire(service) }])),
      })),
      serve(methodOf("server-streaming", HealthMethods.watch), ({ service }, call) => this.#watch(service, call)),
    ];
  }

  async #watch(service: string, call: SendingCall<{ readonly status: HealthCheckResponseServingStatus }>) {
    let told: HealthCheckResponseServingStatus | undefined;
    while (!call.isCancelled) {
      const status = this.#wire(service);
      if (status === told) await this.#change(call.signal);
      else await call.send({ status });
      told = status;
    }
  }

  /** Resolves at the next change, or when nobody listens any more. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #wire(service: string): HealthCheckResponseServingStatus {
    const state = this.#states.get(service);
    if (state === undefined) return Wire.SERVICE_UNKNOWN;
    return state === "serving" ? Wire.SERVING : Wire.NOT_SERVING;
  }
}
