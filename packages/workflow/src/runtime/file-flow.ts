/**
 * Flows in a folder: journals, values, locks, inboxes and the long-term store as files.
 *
 * Layout: `journals/<run>/…`, `values/…`, `control/<run>/` (lock and inbox), `store/…`.
 * Invariant: nothing in it depends on the cache: the cache may be deleted at any time.
 */
import { openValueStore } from "@kahn/cas";
import type { Clock, FileSystem, Random } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { fileJournalStore, isJournalId } from "@kahn/journal";
import { livenessOf, openInbox, ownIdentity, tryLock } from "@kahn/system";
import type { FlowOptions, RunInboxes } from "./run/services.ts";
import { fileStore } from "./storage/long-term.ts";
import type { RunLocks } from "./storage/run-lock.ts";

/** Where the folder is, and what it is used with. */
export interface FileFlowOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute; made when needed. */
  readonly directory: string;
  /** For those who wait for the lock. */
  readonly command?: string;
  /** How long a command waits for the answer of the process that executes the run, in milliseconds; default 30,000. */
  readonly answerMs?: number;
}

/** The part of `FlowOptions` that keeps runs in a folder: `createFlow({ ...inFolder(options), durability: "disk" })`. */
export function inFolder(
  options: FileFlowOptions,
): Pick<FlowOptions, "clock" | "random" | "journals" | "values" | "store" | "locks" | "inboxes"> {
  const { fs, clock, random, directory } = options;
  return {
    clock,
    random,
    journals: fileJournalStore({ fs, clock, directory: `${directory}/journals` }),
    values: openValueStore({ fs, clock, random, root: `${directory}/values`, owner: ownIdentity(), livenessOf }),
    store: fileStore(fs, `${directory}/store`),
    locks: fileLocks(options),
    inboxes: fileInboxes(options),
  };
}

function controlFolder({ fs, directory }: FileFlowOptions, run: string): string {
  const folder = `${directory}/control/${run}`;
  fs.makeDirectory(folder);
  return folder;
}

function fileLocks(options: FileFlowOptions): RunLocks {
  const { clock, command = "a flow" } = options;
  return {
    acquire: async (run) => {
      // Before a folder of that name is made: an id such as "../x" leads out of the directory.
      if (!isJournalId(run))
        return err(
          problem("journal-id-invalid", `${JSON.stringify(run.slice(0, 200))} cannot be the id of a run`, {
            next: "Use 1 to 128 of the characters A-Z a-z 0-9 . _ - and no dot at the start.",
          }),
        );
      const lock = await tryLock({ path: controlFolder(options, run), owner: { label: `run ${run}`, command }, clock });
      if (!lock.ok) return lock;
      const { pid, host } = lock.value.holder;
      return ok({ owner: `process ${pid} on ${host}`, release: () => lock.value.release() });
    },
  };
}

function fileInboxes(options: FileFlowOptions): RunInboxes {
  const { fs, clock, random, answerMs = 30_000 } = options;
  const inbox = (run: string) => openInbox({ fs, clock, random, directory: `${controlFolder(options, run)}/inbox` });
  return {
    watch: (run, handle) => inbox(run).watch(async (command) => (await handle(command)) as never),
    send: (run, command) => inbox(run).send(command as never, { timeoutMs: answerMs }),
  };
}
