/**
 * The same action as a server gets it, on this machine: in a scratch tree with nothing but its inputs.
 *
 * Owns:      bringing the inputs into the store, where they are staged from, and how many run at once.
 * Never:     touches the workspace, so that a run that is ended half-way leaves nothing.
 */
import { type BlobStore, type Problem, type ResolvedAction, warning } from "@kahn/core";
import { type ActionMessages, actionKey, type HermeticOutcome, type HermeticRunner } from "@kahn/exec";
import { Lanes } from "../calls/lanes.ts";
import type { Ran, Side } from "./ran.ts";

/** What runs need. */
export interface HermeticHereOptions {
  readonly runner: HermeticRunner;
  readonly blobs: BlobStore;
  /** Runs at once. */
  readonly slots: number;
}

/** An action to run. */
export interface HereRequest {
  /** Hermetic. */
  readonly form: ResolvedAction;
  /** Of `form`. */
  readonly messages: ActionMessages;
  readonly onStarted: () => void;
}

/** Runs hermetic actions of tasks here. */
export class HermeticHere {
  readonly #options: HermeticHereOptions;
  readonly #lanes: Lanes;

  constructor(options: HermeticHereOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.slots);
  }

  /** Runs one once a slot is free, unless it was cancelled until then. */
  start(request: HereRequest): Side {
    const abort = new AbortController();
    const ran = this.#lanes.run(() => this.#run(request, abort.signal));
    return { ran, cancel: () => abort.abort() };
  }

  async #run({ form, messages, onStarted }: HereRequest, signal: AbortSignal): Promise<Ran> {
    if (signal.aborted) return { kind: "cancelled" };
    const lacking = await this.#provide(form, messages);
    if (lacking !== undefined) return { kind: "errored", problem: lacking };
    const { timeoutMs } = form.run;
    const request = {
      command: form.command,
      inputRoot: actionKey(form, []).inputRoot,
      label: form.label,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    return ranOf(await this.#options.runner.run(request, { started: onStarted }, signal), form.label);
  }

  async #provide({ inputs, outputs, label }: ResolvedAction, messages: ActionMessages): Promise<Problem | undefined> {
    const { blobs } = this.#options;
    const files = inputs.filter((entry) => entry.kind === "file");
    const ingested = await blobs.ingest(
      files.map(({ path, executable, digest }) => ({
        path: `${outputs.workspaceRoot}/${path}`,
        executable,
        expected: digest,
      })),
    );
    if (!ingested.ok) return ingested.problem;
    const changed = files.find(({ digest }, index) => ingested.value[index] !== digest);
    if (changed !== undefined) {
      return warning("input-changed-during-run", `${changed.path} changed before ${label} could run`);
    }
    for (const [digest, bytes] of messages.directories) {
      const written = await blobs.write(digest, bytes);
      if (!written.ok) return written.problem;
    }
    return undefined;
  }
}

function ranOf(outcome: HermeticOutcome, label: string): Ran {
  switch (outcome.kind) {
    case "completed": {
      const { result, timings, undeclared = [] } = outcome;
      const durationMs = Math.round(timings.executionMs ?? 0);
      return { kind: "completed", result, durationMs, undeclared, isCached: false };
    }
    case "timed-out": {
      const { streams, timings } = outcome;
      const result = { ...NOTHING_MADE, ...streams };
      return { kind: "timed-out", durationMs: Math.round(timings.executionMs ?? 0), result };
    }
    case "cancelled":
      return { kind: "cancelled" };
    case "missing-blobs":
      return { kind: "errored", problem: warning("store-io", `inputs of ${label} are gone from the store again`) };
    case "invalid":
    case "errored":
      return { kind: "errored", problem: outcome.problem };
  }
}

const NOTHING_MADE = {
  outputFiles: [],
  outputDirectories: [],
  outputSymlinks: [],
  exitCode: 0,
  metadata: { worker: "local" },
} as const;
