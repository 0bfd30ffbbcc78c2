/**
 * How many of a server's calls one connection, one address and one caller may have.
 *
 * Method:    each may have so many times what is left for all others: who is alone gets most of them, and there is always
 *            something left, which the next may have the most of. A caller gets less than an address, and that less than
 *            all, so that callers behind one proxy, which has one address, leave something to each other.
 * Invariant: what is counted is let go of when its call has ended.
 */

import { StatusCode, StatusError } from "../messages/status.ts";
import type { CallContext, CallEndObserver } from "./call-context.ts";
import { callKey } from "./call-context.ts";

/** Where an interceptor leaves the name that a call is counted under: whoever shows the same credentials. */
export const CALL_SHARE = callKey<string>("share");

/** Four fifths for one that is alone; of an address seven eighths, of a caller three quarters. */
export const CONNECTION_PART = 4;
export const ADDRESS_PART = 7;
const CALLER_PART = 3;

/** Calls by the names that they are counted under. */
export class CallShares {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  remove(name: string): void {
    const left = this.of(name) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}

/** The last of a server's interceptors. @param left how many calls there may be beside those that are open. */
export function shareInterceptor(callsMax: number, left: () => number) {
  const shares = new CallShares();
  return (call: CallContext): CallEndObserver | undefined => {
    const name = call.get(CALL_SHARE);
    if (name === undefined) return undefined;
    // The call is open already.
    if (shares.of(name) >= CALLER_PART * (left() + 1)) {
      throw new StatusError(StatusCode.resourceExhausted, tooMany(name, shares.of(name), callsMax));
    }
    shares.add(name);
    return () => shares.remove(name);
  };
}

/** What is said to one that has its share. */
export function tooMany(who: string, calls: number, callsMax: number): string {
  return `${who} has ${calls} of the ${callsMax} calls that this server takes at once; try again later`;
}
