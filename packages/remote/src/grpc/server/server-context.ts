/** What the calls of one server, and of one connection, share. */
import type { Clock } from "@kahn/core";
import type { ByteBudget } from "../messages/byte-budget.ts";
import type { MessageMemory } from "../messages/frame-reader.ts";
import type { CallContext, Interceptor } from "./call-context.ts";
import type { ServerLimits } from "./limits.ts";

/** The server as its calls see it. */
export interface ServerContext {
  readonly clock: Clock;
  readonly limits: ServerLimits;
  readonly interceptors: readonly Interceptor[];
  readonly gzipFromBytes: number | undefined;
  readonly memory: MessageMemory | undefined;
  /** A handler, a codec or an observer threw something that is no status: a bug, to be logged. */
  onFault(error: unknown, call: CallContext): void;
  /** The call's stream is gone. */
  closed(call: object): void;
}

/** What the calls of one connection share. */
export interface CallConnection {
  readonly budget: ByteBudget;
  /** How many are open. */
  calls: number;
  /** What they are counted under: the address of the peer, or how it comes where it has none. */
  readonly network: string;
}
