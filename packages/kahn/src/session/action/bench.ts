/**
 * A place on this machine to run an action of elsewhere, and to keep what it gives until that was looked at.
 *
 * Owns:      a scratch folder, with a store of its own in front of the others, and the processes; all gone at the end.
 * Invariant: nothing is written to a server or to the local cache.
 */
import { type DiskStore, loadEngine, openDiskStore, type RemoteTier, tiered } from "@kahn/cas";
import {
  type ActionResult,
  type BlobStore,
  type Digest,
  type DigestFunction,
  digestSizeBytes,
  type Problem,
  ProblemError,
  problem,
  type Result,
  randomHex,
} from "@kahn/core";
import { type HermeticOutcome, type HermeticRunner, type HermeticRunnerOptions, hermeticRunner } from "@kahn/exec";
import { painter, problemText } from "@kahn/report";
import { directRunner, livenessOf, ownIdentity, startGuardian } from "@kahn/system";
import type { Host } from "../../cli/host.ts";
import type { ActionPlace } from "./place.ts";

/** How long processes may live on after TERM when Kahn itself has died. */
const GUARDIAN_GRACE_MS = 5000;

/** The bench. Close it. */
export interface ActionBench {
  /** What the place has, and what was made here. */
  readonly blobs: BlobStore;
  readonly options: HermeticRunnerOptions;
  /** Makes the runner. */
  runner(): HermeticRunner;
  close(): Promise<void>;
}

/** Sets it up. @throws ProblemError when there is no room for it. */
export function openActionBench(host: Host, { ports, client, local }: ActionPlace): ActionBench {
  const { fs, clock, random } = ports;
  const token = randomHex(random, 16);
  const root = `${fs.realPath(host.env.TMPDIR || "/tmp") ?? "/tmp"}/kahn-action-${token}`;
  fs.makeDirectory(root);
  fs.chmod(root, 0o700);
  const opened: Result<DiskStore, Problem> = openDiskStore({
    ...{ fs, clock, random, livenessOf },
    root: `${root}/store`,
    owner: ownIdentity(),
  });
  if (!opened.ok) throw new ProblemError(opened.problem);
  const scratch = opened.value;
  const modes = { read: true, write: false };
  const remotes: RemoteTier[] = [];
  if (local !== undefined) remotes.push({ name: "the local cache", ...local, ...modes });
  if (client !== undefined) remotes.push({ ...client.tier, ...modes });
  const { blobs } = tiered({
    ...{ fs, clock, random, remotes },
    local: scratch,
    temporary: scratch.temporary,
    onWarning: (warned) => tell(host, warned),
    downloads: "when-needed",
  });
  const guardian = startGuardian({ token: `action-${token}`, graceMs: GUARDIAN_GRACE_MS });
  const processes = directRunner({ clock, guardian });
  const options: HermeticRunnerOptions = {
    ...{ fs, clock, blobs, processes },
    root: `${root}/work`,
    sandbox: { mode: "preferred", network: "asked" },
  };
  let runner: HermeticRunner | undefined;
  return {
    blobs,
    options,
    runner: () => {
      runner ??= hermeticRunner(options);
      return runner;
    },
    close: async () => {
      await processes.close();
      runner?.close();
      await scratch.close({ sync: false });
      fs.removeTree(root);
    },
  };
}

/** Says why runs here are kept apart less than they should be. */
export async function tellSandbox(host: Host, bench: ActionBench): Promise<void> {
  const verdict = await bench.runner().sandbox();
  if (verdict.kind === "level" && verdict.lowered !== undefined) tell(host, verdict.lowered);
}

function tell(host: Host, warned: Problem): void {
  host.stderr.write(problemText(warned, painter(host.stderr.colour)));
}

/** The result with what it printed as blobs, so that results can be compared however they carry it. */
export async function withStoredStreams(
  blobs: BlobStore,
  fn: DigestFunction,
  result: ActionResult,
): Promise<ActionResult> {
  const engine = await loadEngine(fn);
  const { stdout, stderr, stdoutRaw, stderrRaw, ...rest } = result;
  const stored = async (digest: Digest | undefined, raw: Uint8Array | undefined) => {
    if (digest !== undefined || raw === undefined) return digest;
    const own = engine.digest(raw);
    const written = await blobs.write(own, raw);
    if (!written.ok) throw new ProblemError(written.problem);
    return own;
  };
  const [out, errors] = [await stored(stdout, stdoutRaw), await stored(stderr, stderrRaw)];
  return {
    ...rest,
    ...(out === undefined || digestSizeBytes(out) === 0 ? {} : { stdout: out }),
    ...(errors === undefined || digestSizeBytes(errors) === 0 ? {} : { stderr: errors }),
  };
}

/** Why a run has no result. */
export function runProblem(
  digest: Digest,
  outcome: Exclude<HermeticOutcome, { kind: "completed" | "cancelled" }>,
): Problem {
  switch (outcome.kind) {
    case "timed-out":
    case "invalid":
    case "errored":
      return outcome.problem;
    case "missing-blobs":
      return inputsMissing(digest, outcome.digests);
  }
}

/** An action of which inputs are gone. */
export function inputsMissing(digest: Digest, missing: readonly Digest[]): Problem<"action-incomplete"> {
  const message = `${missing.length} inputs of ${digest} are not there any more, ${missing[0]} among them`;
  return problem("action-incomplete", message, { next: "Have its client run it again, which sends them anew." });
}
