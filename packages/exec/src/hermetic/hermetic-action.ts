/**
 * What a hermetic run is asked and what it answers: the vocabulary of this folder.
 *
 * Source: remote_execution.proto of REAPI v2.3, `Command`, `Action` and `ActionResult`. Fields that core's values leave
 *         out, because no key of ours needs them, are added here.
 */
import type {
  ActionResult,
  BlobStore,
  Clock,
  Command,
  Digest,
  FileSystem,
  OutputDirectory,
  OutputFile,
  OutputSymlink,
  Problem,
  ProcessRunner,
  Property,
} from "@kahn/core";
import type { StreamFields } from "../stream-capture.ts";

/** A command as a client sent it. Nothing is assumed about it: the runner checks every field. */
export interface HermeticCommand extends Command {
  /** Fields of older clients, looked at only when `outputPaths` is empty; they say which kind an output must be. */
  readonly outputFiles?: readonly string[];
  readonly outputDirectories?: readonly string[];
  /** Properties wanted of output files and symlinks: `mtime` and `unix_mode`. Others are refused. */
  readonly outputNodeProperties?: readonly string[];
  /** Also store the `Directory` messages of output directories. A `Tree` is stored in any case. Default: false. */
  readonly wantsDirectories?: boolean;
}

/** One action to run. */
export interface HermeticRequest {
  readonly command: HermeticCommand;
  /** Digest of the root `Directory`; its function is that of everything in the result. */
  readonly inputRoot: Digest;
  /** Of the execution alone; left out for none. */
  readonly timeoutMs?: number;
  /** Let it reach the network, where the runner's policy allows that. Default: false. */
  readonly network?: boolean;
  /** A name for messages. */
  readonly label: string;
}

/** Where an action is on its way. */
export type HermeticPhase = "fetching-inputs" | "executing" | "storing-outputs";

/** Who follows a run; every member may be left out. */
export interface HermeticObserver {
  phase?(phase: HermeticPhase, atMs: number): void;
  started?(pid: number | undefined): void;
  /** Bytes as the command prints them. Left out, they go to files and nobody sees them before the end. */
  output?(stream: "stdout" | "stderr", bytes: Uint8Array): void;
}

/** Properties of an output, as far as they were asked for. */
export interface NodeProperties {
  readonly mtimeMs?: number;
  /** Permission bits. */
  readonly unixMode?: number;
}

/** An output file with what was asked about it. */
export interface HermeticFile extends OutputFile {
  readonly properties?: NodeProperties;
}

/** An output directory. Its `Tree` is topologically sorted, parents first, and names each directory once. */
export interface HermeticDirectory extends OutputDirectory {
  /** Digest of the root `Directory`; it and those below are in the store when `wantsDirectories` was given. */
  readonly rootDirectory: Digest;
}

/** An output symlink; older clients want to know what it leads to. */
export interface HermeticSymlink extends OutputSymlink {
  readonly leadsTo: "file" | "directory" | "nothing";
  readonly properties?: NodeProperties;
}

/** A result; every blob that it names is in the store. */
export interface HermeticResult extends ActionResult {
  readonly outputFiles: readonly HermeticFile[];
  readonly outputDirectories: readonly HermeticDirectory[];
  readonly outputSymlinks: readonly HermeticSymlink[];
}

/** When things happened: milliseconds since the epoch. Later ones are left out when it did not get that far. */
export interface HermeticTimings {
  readonly startedAtMs: number;
  readonly inputsReadyAtMs?: number;
  readonly executionStartedAtMs?: number;
  readonly executionCompletedAtMs?: number;
  readonly outputsStartedAtMs?: number;
  readonly completedAtMs: number;
  /** How long the command ran, by a clock that does not jump. */
  readonly executionMs?: number;
}

/** What the command and all that it waited for used; left out where it cannot be known. Times have a grain of 10 ms. */
export interface ResourceUse {
  readonly userMs?: number;
  readonly systemMs?: number;
}

/** What was said beside the command's own output, for whoever looks for the fault. UTF-8 or nearly so; bounded. */
export interface RunLog {
  /** By the sandbox, or by a persistent worker on its standard error. */
  readonly of: "sandbox" | "worker";
  readonly text: Uint8Array;
}

/** How a run was kept apart from the rest of the machine. */
export type SandboxLevel = "bubblewrap" | "none";

/** How a run ended. Never rejects. */
export type HermeticOutcome =
  /** The command ended by itself; `result.exitCode` tells how (128 + n for signal n, as a shell says it). */
  | {
      readonly kind: "completed";
      readonly result: HermeticResult;
      readonly timings: HermeticTimings;
      readonly use: ResourceUse;
      readonly sandbox: SandboxLevel;
      /** Files that it left and nobody declared, as far as they were noticed: they are dropped. Left out for none. */
      readonly undeclared?: readonly string[];
      /** Of a command that failed. Left out where nothing was said. */
      readonly log?: RunLog;
    }
  | {
      readonly kind: "timed-out";
      readonly problem: Problem<"action-timed-out">;
      readonly timings: HermeticTimings;
      readonly use: ResourceUse;
      readonly streams: StreamFields;
      readonly log?: RunLog;
    }
  /** `streams` is left out when the command had not started. */
  | { readonly kind: "cancelled"; readonly streams?: StreamFields }
  /** Sorted, each once: all that lack, over the whole input tree as far as it can be known. Nothing was run. */
  | { readonly kind: "missing-blobs"; readonly digests: readonly Digest[] }
  /** The action itself is at fault: running it again gives the same. */
  | { readonly kind: "invalid"; readonly problem: Problem<InvalidActionCode>; readonly streams?: StreamFields }
  /** We are at fault, or this machine: it could not be run, or its outputs could not be stored. */
  | { readonly kind: "errored"; readonly problem: Problem; readonly log?: RunLog };

/** What can be wrong with an action. */
export type InvalidActionCode =
  /** A field of the command cannot be: see `checkCommand`. */
  | "command-invalid"
  /** A `Directory` of the input tree is not in canonical form, or does not decode. */
  | "input-tree-invalid"
  | "input-tree-too-large"
  /** It is not a directory of the input tree. */
  | "working-directory-missing"
  /** An output's parent is an input file, or leads out of the exec root through a symlink. */
  | "output-path-blocked"
  /** It took more of the disk than `diskMaxBytes`; REAPI's RESOURCE_EXHAUSTED. */
  | "action-disk-limit"
  /** It wrote an input that is no output of it as well. */
  | "input-changed"
  /** A file where a directory was declared, or the other way round; REAPI's FAILED_PRECONDITION. */
  | "output-type-clash"
  /** A socket, pipe or device among the outputs, or a name that is not UTF-8. */
  | "output-not-storable"
  /** An absolute symlink in inputs or outputs where the policy takes none. */
  | "symlink-absolute";

/** Runs hermetic actions. */
export interface HermeticRunner {
  /** May be called any number of times at once. An abort ends the process group; the outcome still comes. */
  run(request: HermeticRequest, observer?: HermeticObserver, signal?: AbortSignal): Promise<HermeticOutcome>;
  /** Finds out, once, which level the next run gets; a problem says why it is lower than wanted, or that none is. */
  sandbox(): Promise<SandboxVerdict>;
  /** Removes what is kept between runs. To be called when no run is left. */
  close(): void;
}

/** The level that runs get, and what lowered it. */
export type SandboxVerdict =
  | { readonly kind: "level"; readonly level: SandboxLevel; readonly lowered?: Problem<"sandbox-lowered"> }
  | { readonly kind: "refused"; readonly problem: Problem<"sandbox-unavailable"> };

/** How runs are kept apart. */
export interface SandboxPolicy {
  /** `required` refuses runs where there is no sandbox; `preferred` runs them without one and says so. */
  readonly mode: "required" | "preferred" | "off";
  /** Absolute path of bubblewrap. Default: `/usr/bin/bwrap`. */
  readonly program?: string;
  /** `asked` lets those requests reach the network that ask for it. Default: `never`. */
  readonly network?: "never" | "asked" | "always";
  /** Absolute paths that the command may read beside its inputs. Default: `SYSTEM_PATHS`. */
  readonly readable?: readonly string[];
  /** Absolute paths that it may read beside those; a link among them is shown as what it leads to. */
  readonly alsoReadable?: readonly string[];
}

/** What the runner works with. */
export interface HermeticRunnerOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly processes: ProcessRunner;
  /** Absolute folder of this runner alone, on the store's file system where possible. What is in it is removed. */
  readonly root: string;
  readonly sandbox: SandboxPolicy;
  /** Streams up to this size travel inside the result. Default: 4096. */
  readonly inlineMaxBytes?: number;
  /** How long a group may live on after TERM when it timed out or was cancelled. Default: 1000. */
  readonly graceMs?: number;
  /** Files, symlinks and directories of one input tree. Default: 1,000,000. */
  readonly inputsMax?: number;
  /** Entries of staged trees that are kept for later runs. Default: 200,000. */
  readonly stagedEntriesMax?: number;
  /** Bytes of their files. Default: 8 GB. */
  readonly stagedMaxBytes?: number;
  /** What one run may take of the disk beside its inputs; one that takes more is ended. Default: no bound. */
  readonly diskMaxBytes?: number;
  /** Whether inputs and outputs may hold absolute symlinks. Default: `allowed`. */
  readonly absoluteSymlinks?: "allowed" | "refused";
  /** Sets HOME and TMPDIR, where a command does not, to empty folders of its own. Default: false, nothing is added. */
  readonly providesHome?: boolean;
  /** Goes into `metadata.worker`. Default: `local`. */
  readonly worker?: string;
}

/** A property by name; the last one counts. */
export function propertyOf(properties: readonly Property[], name: string): string | undefined {
  return properties.findLast((property) => property.name === name)?.value;
}
