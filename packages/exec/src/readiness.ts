/**
 * Readiness of persistent tasks: a port that accepts, a URL that answers, a line that appears, a command that exits 0.
 *
 * Owns:      the polling and the line matching. Without a probe a persistent task is ready as soon as it has started.
 */
import { createConnection } from "node:net";
import type { Clock, LocalExecution, ProcessRunner, RunningProcess, Timer } from "@kahn/core";

/** What watching needs. */
export interface ReadinessOptions {
  readonly clock: Clock;
  readonly processes: ProcessRunner;
  readonly run: LocalExecution;
  readonly label: string;
  /** One of the two is called, at most once. */
  readonly onReady: () => void;
  readonly onTimeout: () => void;
}

/** A watch under way. */
export interface ReadinessWatch {
  /** Feed of output bytes, when lines matter. */
  readonly line: ((bytes: Uint8Array) => void) | undefined;
  /** Ends the watch; nothing is reported afterwards. Resolves once no probe runs any more. */
  readonly stop: () => Promise<void>;
}

const POLL_MS = 100;

/** Starts watching, from the moment the process is started. */
export function watchReadiness(options: ReadinessOptions): ReadinessWatch {
  const { clock, run } = options;
  const probe = run.ready;
  if (probe === undefined) return { line: undefined, stop: async () => {} };
  let done = false;
  let poller: Timer | undefined;
  let check: RunningProcess | undefined;
  const end = (report?: () => void) => {
    if (done) return;
    done = true;
    poller?.cancel();
    limit.cancel();
    report?.();
  };
  const stop = async () => {
    end();
    // A probe that waits for a service which is gone must not outlive it.
    check?.end("kill");
    await check?.ended;
  };
  const limit = clock.setTimer(probe.timeoutMs, () => end(options.onTimeout));
  if (probe.log !== undefined) {
    return { line: lineMatcher(new RegExp(probe.log), () => end(options.onReady)), stop };
  }
  const poll = async () => {
    if (await answers(options, (process) => (check = process))) end(options.onReady);
    else if (!done) poller = clock.setTimer(POLL_MS, () => void poll());
  };
  poller = clock.setTimer(POLL_MS, () => void poll());
  return { line: undefined, stop };
}

function lineMatcher(pattern: RegExp, matched: () => void): (bytes: Uint8Array) => void {
  let rest = "";
  return (bytes) => {
    const lines = (rest + Buffer.from(bytes).toString()).split("\n");
    // The unfinished line is tried too: a prompt without a newline is a line for whoever waits for it.
    rest = lines.at(-1)!.slice(-4096);
    if (lines.some((line) => pattern.test(line))) matched();
  };
}

async function answers(
  { run, processes, label }: ReadinessOptions,
  started: (check: RunningProcess) => void,
): Promise<boolean> {
  const probe = run.ready!;
  if (probe.port !== undefined) return (await connects(probe.port, "127.0.0.1")) || connects(probe.port, "::1");
  if (probe.url !== undefined) return responds(probe.url);
  const check = processes.start({
    argv: ["sh", "-c", probe.command ?? "true"],
    cwd: run.cwd,
    env: run.env,
    stdout: { kind: "file", path: "/dev/null" },
    stderr: { kind: "file", path: "/dev/null" },
    graceMs: 0,
    label: `${label} (ready?)`,
  });
  started(check);
  const exit = await check.ended;
  return exit.kind === "exited" && exit.exitCode === 0;
}

function connects(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host });
    const settle = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.setTimeout(1000, () => settle(false));
  });
}

async function responds(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000), redirect: "manual" });
    await response.body?.cancel();
    return response.status < 400;
  } catch (cause) {
    // `fetch` has only exceptions to say "refused" with; anything but those is a bug.
    if (cause instanceof TypeError || cause instanceof DOMException) return false;
    throw cause;
  }
}
