/**
 * Runs actions on persistent workers where they ask for one and can be served so, and by themselves otherwise.
 *
 * Invariant: what an action gets is the same both ways; a worker is never shared beyond a domain.
 */
import type { HermeticObserver, HermeticRunner, PersistentRunner } from "@kahn/exec";
import { jsonWorkerProtocol } from "@kahn/exec";
import type { ActionRequest, ActionRunner, RunOutcome } from "../actions/action-runner.ts";
import { protoWorkerProtocol } from "./proto-worker-protocol.ts";
import { workerWish } from "./worker-wish.ts";

const PROTOCOLS = { proto: protoWorkerProtocol, json: jsonWorkerProtocol } as const;

/** Both ways behind one port. */
export class WorkerRunner implements ActionRunner {
  readonly #alone: HermeticRunner;
  readonly #workers: PersistentRunner;
  readonly #multiplexMax: number;

  /** @param multiplexMax pieces of work that one worker has at once. */
  constructor(alone: HermeticRunner, workers: PersistentRunner, multiplexMax: number) {
    this.#alone = alone;
    this.#workers = workers;
    this.#multiplexMax = multiplexMax;
  }

  async run(request: ActionRequest, observer: HermeticObserver, signal: AbortSignal): Promise<RunOutcome> {
    const { domain, ...action } = request;
    const wish = workerWish(action.command.platform);
    if (wish === undefined) return this.#alone.run(action, observer, signal);
    const { protocol, isMultiplex, canCancel } = wish;
    const multiplex = isMultiplex ? this.#multiplexMax : 1;
    const worker = { protocol: PROTOCOLS[protocol], toolInputs: "marked", domain, canCancel, multiplex } as const;
    const asked = { ...action, worker };
    if (!(await this.#workers.fits(asked))) return this.#alone.run(action, observer, signal);
    return this.#workers.run(asked, observer, signal);
  }
}
