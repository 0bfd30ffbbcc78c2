/** What a server tells of itself at `/status`. */
import type { ExecutionStatus } from "../execution/index.ts";
import type { StoreStatus } from "../store/server-store.ts";
import type { UnreadyReason } from "./readiness.ts";

/** The state of a server. JSON. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeMs: number;
  readonly readiness: { readonly ready: boolean; readonly reasons: readonly UnreadyReason[] };
  readonly store: Omit<StoreStatus, "trouble">;
  readonly calls: number;
  readonly connections: number;
  /** Of a server that executes. */
  readonly execution?: ExecutionStatus;
}
