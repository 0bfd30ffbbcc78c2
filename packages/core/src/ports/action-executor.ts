/** Port: runs one action and answers with its result. Implementations: `exec` (here), `remote` (any REAPI server). */
import type { Digest } from "../digest.ts";
import type { Problem } from "../problem.ts";
import type { ActionResult } from "../reapi/messages.ts";
import type { InputEntry, ResolvedAction } from "./action-provider.ts";

/** One execution asked for. */
export interface ExecuteRequest {
  /** The action's digest; `undefined` for one that is never cached and so was never keyed. */
  readonly action: Digest | undefined;
  readonly resolved: ResolvedAction;
  readonly attempt: number;
  /** All outputs that the action can reach through what it requires, each path once; for an executor elsewhere. */
  readonly reachableOutputs?: () => readonly InputEntry[];
  /** True for a service: its output is shown as it comes, for there may be no end to wait for. */
  readonly streams?: boolean;
}

/** Where a command ran that could have run elsewhere. */
export interface RanAt {
  /** Address of a server, or `here`. */
  readonly where: string;
  /** Set when the server had the result and ran nothing. */
  readonly cached?: true;
  /** Of a race: the side that was slower, or did not succeed. */
  readonly before?: string;
  /** The action as the server knows it, to be looked into there; what it read is in its cache. */
  readonly action?: Digest;
}

/** What happens while it runs. */
export interface ExecuteObserver {
  started(pid: number | undefined): void;
  output(stream: "stdout" | "stderr", bytes: Uint8Array): void;
  /** A persistent action answered its readiness probe. */
  ready(): void;
}

/** How an execution ended. Never rejects: trouble is `errored`. */
export type ExecuteOutcome =
  | {
      /** The command ended by itself; `result.exitCode` tells how. Blobs named by the result are in the store. */
      readonly kind: "completed";
      readonly result: ActionResult;
      /** The signal that ended the command, where the executor knows it; `result.exitCode` is then not 0. */
      readonly signal?: string;
      /** What is worth telling although it ended: an output that was not declared, for example. */
      readonly warnings?: readonly Problem[];
      /** Of a command that failed: what to do about it, where the executor knows. */
      readonly hint?: string;
      /** Set when the result may be used in this run but must not be cached. */
      readonly unpublishable?: Problem;
      /** Digest over all outputs; equal outputs, equal digest. */
      readonly outputs: Digest;
      /** Workspace-relative paths of all outputs, sorted. */
      readonly outputPaths: readonly string[];
      /** The same in full, from executors that know them at no cost; empty directories included. */
      readonly outputEntries?: readonly InputEntry[];
      /** Output roots that the command did not make. */
      readonly missingRoots: readonly string[];
      readonly durationMs: number;
      /** Left out where there was no choice. */
      readonly ran?: RanAt;
    }
  | {
      readonly kind: "timed-out";
      readonly problem: Problem;
      readonly durationMs: number;
      readonly streams: Pick<ActionResult, "stdoutRaw" | "stderrRaw">;
    }
  | {
      readonly kind: "cancelled";
      /** What the command printed until then; left out when it had not started. */
      readonly streams?: Pick<ActionResult, "stdoutRaw" | "stderrRaw">;
    }
  /** It could not be run, or its outputs could not be taken in. */
  | { readonly kind: "errored"; readonly problem: Problem };

/** A running action. */
export interface Execution {
  readonly outcome: Promise<ExecuteOutcome>;
  /** Ends it: `term` allows the grace, `kill` does not. May be repeated; the outcome still comes. */
  cancel(how: "term" | "kill"): void;
}

/** Runs actions. */
export interface ActionExecutor {
  execute(request: ExecuteRequest, observer: ExecuteObserver): Execution;
}
