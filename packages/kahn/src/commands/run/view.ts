/** What a run of the command line shows, and how its signals cancel. */
import type { RunObserver } from "@kahn/core";
import { JsonReporter, type OutputMode, PlainReporter, TerminalReporter } from "@kahn/report";
import type { RunRequest } from "../../session/run/request.ts";
import type { WorkspaceSession } from "../../session/workspace-session.ts";
import type { RunOptions } from "./options.ts";

/** The request of a command line. */
export function runRequestOf(session: WorkspaceSession, options: RunOptions): RunRequest {
  const mode = options.output ?? "grouped";
  const { concurrency, failFast, force, json } = options;
  return {
    argv: ["run", ...options.tasks],
    concurrency,
    failFast,
    force,
    ...(options.cache === undefined ? {} : { cache: options.cache }),
    remoteExec: options.remoteExec,
    live: mode === "live" && !json,
    replay: replayOf(mode, json),
    observers: [reporterOf(session, mode, json)],
    onCancel(cancel) {
      let signals = 0;
      return session.host.onSignal((name) => cancel(++signals === 1 ? "term" : "kill", name));
    },
  };
}

/** Live output was shown as it came; otherwise it is handed over whole, as far as the mode shows it. */
function replayOf(mode: OutputMode, json: boolean): RunRequest["replay"] {
  if (json || mode === "none") return { executed: false, failed: false, cached: false };
  if (mode === "errors") return { executed: false, failed: true, cached: false };
  return mode === "live"
    ? { executed: false, failed: false, cached: true }
    : { executed: true, failed: true, cached: true };
}

function reporterOf({ host, ports }: WorkspaceSession, mode: OutputMode, json: boolean): RunObserver {
  if (json) return new JsonReporter(host.stdout);
  return host.stdout.isTerminal
    ? new TerminalReporter(host.stdout, mode, ports.clock)
    : new PlainReporter(host.stdout, mode);
}
