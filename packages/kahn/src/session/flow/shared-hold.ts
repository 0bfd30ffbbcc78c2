/**
 * One hold of a workspace for several runs of this process.
 *
 * Owns:      who is in, and how many may work at once.
 * Invariant: the hold is taken by the first and released by the last; who comes during the release takes the next one.
 *            Waiting for the lock ends for one with its own signal, and for all when nobody is left who waits.
 */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import type { WorkspaceModel } from "@kahn/workspace";
import type { SessionHost } from "../../cli/host.ts";
import { loadModel } from "../load-model.ts";
import { holdWorkspace, type WorkspaceHold } from "../workspace-hold.ts";
import { openSession } from "../workspace-session.ts";

/** Who wants to come in. */
export interface Visitor {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly emit: (data: { readonly kind: "waiting"; readonly for: string }) => void;
}

/** Being in. */
export interface Entrance {
  readonly hold: WorkspaceHold;
  /** The files of the workspace as they are now; the hold may be older. */
  readonly model: WorkspaceModel;
  /** Once; whoever is last waits until the workspace is free. */
  leave(): Promise<void>;
}

type Held = Result<WorkspaceHold, readonly Problem[]>;

/** See the module. */
export class SharedHold {
  readonly #host: SessionHost;
  #visitors = 0;
  #current: { readonly held: Promise<Held>; readonly giveUp: AbortController } | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #working = 0;
  readonly #queue = new Set<() => void>();
  readonly #waiting = new Set<Visitor>();

  /** @param host its directory lies in the workspace. */
  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** Comes in, after other processes, and after others of this one when too many work. */
  async enter(visitor: Visitor): Promise<Result<Entrance, readonly Problem[]>> {
    this.#visitors++;
    this.#waiting.add(visitor);
    const held = await Promise.race([this.#hold(visitor), aborted(visitor)]).finally(() =>
      this.#waiting.delete(visitor),
    );
    if (!held.ok) {
      await this.#leave();
      return held;
    }
    const model = await loadModel(this.#host, held.value.session.ports);
    const hasSlot = model.ok && (await this.#slot(model.value.settings.concurrency, visitor));
    if (!model.ok || !hasSlot) {
      await this.#leave();
      return model.ok ? err([givenUp(visitor)]) : err(model.problem);
    }
    const leave = async () => {
      this.#working--;
      for (const wake of this.#queue) wake();
      await this.#leave();
    };
    return ok({ hold: held.value, model: model.value, leave });
  }

  #hold({ name }: Visitor): Promise<Held> {
    if (this.#current === undefined) {
      const giveUp = new AbortController();
      this.#current = { giveUp, held: this.#take(name, giveUp.signal) };
    }
    return this.#current.held;
  }

  async #take(name: string, signal: AbortSignal): Promise<Held> {
    await this.#releasing;
    const session = await openSession(this.#host);
    if (!session.ok) return session;
    const hold = await holdWorkspace(session.value, {
      label: `kahn flow ${name}`,
      signal,
      onWait: (text) => {
        for (const each of this.#waiting) each.emit({ kind: "waiting", for: text });
      },
    });
    return hold.ok ? hold : err([hold.problem]);
  }

  /** Waits for a place among those who work. @returns false when the visitor gave up. */
  async #slot(limit: number, visitor: Visitor): Promise<boolean> {
    while (this.#working >= limit && !visitor.signal.aborted) {
      let wake = () => {};
      const free = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#queue.add(wake);
      await Promise.race([free, aborted(visitor)]);
      this.#queue.delete(wake);
    }
    if (visitor.signal.aborted) return false;
    this.#working++;
    return true;
  }

  async #leave(): Promise<void> {
    if (--this.#visitors > 0) return;
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    current.giveUp.abort();
    this.#releasing = current.held.then(async (held) => {
      if (held.ok) await held.value.release();
    });
    await this.#releasing;
  }
}

function givenUp({ name }: Visitor): Problem {
  return problem("lock-wait-cancelled", `${name} no longer waits for the workspace`);
}

function aborted(visitor: Visitor): Promise<Held> {
  const answer = err([givenUp(visitor)]);
  return new Promise((resolve) => {
    if (visitor.signal.aborted) resolve(answer);
    visitor.signal.addEventListener("abort", () => resolve(answer), { once: true });
  });
}
