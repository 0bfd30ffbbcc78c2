/**
 * The interceptors of one call: asked in order before the handler, told once of the end.
 *
 * Invariant: an observer hears of the end exactly once, also when it was given only after it.
 */
import type { CallContext, CallEnd, CallEndObserver, Interceptor } from "./call-context.ts";

/** What comes of asking. */
export interface InterceptorOutcome {
  /** All let the call through. */
  readonly passed: () => void;
  /** One refused, or threw. */
  readonly failed: (error: unknown) => void;
  /** An observer threw. */
  readonly onFault: (error: unknown) => void;
}

/** Asks the interceptors of a call, and keeps those who want to hear of its end. */
export class InterceptorRun {
  readonly #interceptors: readonly Interceptor[];
  readonly #call: CallContext;
  readonly #outcome: InterceptorOutcome;
  readonly #observers: CallEndObserver[] = [];
  #end: CallEnd | undefined;

  constructor(interceptors: readonly Interceptor[], call: CallContext, outcome: InterceptorOutcome) {
    this.#interceptors = interceptors;
    this.#call = call;
    this.#outcome = outcome;
  }

  /** Asks from one on; only an interceptor that waits costs a promise. */
  ask(from: number): void {
    try {
      for (let index = from; index < this.#interceptors.length; index++) {
        const answer = this.#interceptors[index]!(this.#call);
        if (answer instanceof Promise) {
          this.#await(answer, index + 1);
          return;
        }
        this.#observe(answer);
      }
    } catch (error) {
      this.#outcome.failed(error);
      return;
    }
    this.#outcome.passed();
  }

  /** Tells all observers, those to come as well. */
  end(end: CallEnd): void {
    this.#end = end;
    for (const observer of this.#observers) this.#tell(observer, end);
  }

  #await(answer: Promise<CallEndObserver | undefined>, next: number): void {
    answer.then(
      (observer) => {
        this.#observe(observer);
        this.ask(next);
      },
      (error) => this.#outcome.failed(error),
    );
  }

  #observe(observer: CallEndObserver | undefined): void {
    if (observer === undefined) return;
    if (this.#end === undefined) this.#observers.push(observer);
    else this.#tell(observer, this.#end);
  }

  #tell(observer: CallEndObserver, end: CallEnd): void {
    try {
      observer(end);
    } catch (error) {
      this.#outcome.onFault(error);
    }
  }
}
