/**
 * Port: where graphs of actions come from (a workspace's tasks, a Cargo workspace, …).
 *
 * `plan` is cheap and names nodes; `resolve` is called for a node only once everything it requires is done, so that
 * keys see the files that upstream tasks have just made.
 */
import type { Digest } from "../digest.ts";
import type { Problem } from "../problem.ts";
import type { Command } from "../reapi/messages.ts";
import type { ResourceClaim } from "../resources.ts";
import type { Result } from "../result.ts";

/** A node of the graph, before its inputs are known. Edges name other nodes' labels. */
export interface PlannedNode {
  /** Unique and stable across runs: `package#task`. Also the key of the node's history. */
  readonly label: string;
  /** Order, data, and failure cascades. */
  readonly requires: readonly string[];
  /** Order only. */
  readonly after: readonly string[];
  /** Runs with those; its failure fails the run and blocks nothing. */
  readonly validates: readonly string[];
  readonly claim: ResourceClaim;
  /** Higher runs first. */
  readonly priorityClass: number;
  /** `task` ends by itself; `service` ends when nothing else is left to do; `pinned` runs until the user cancels. */
  readonly lifetime: "task" | "service" | "pinned";
}

/** One entry of a tree, at a path relative to its root. Directories are named only when empty. */
export type InputEntry =
  | { readonly kind: "file"; readonly path: string; readonly digest: Digest; readonly executable: boolean }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  /** An empty directory: as an input it is rare, as an output it has to come back. */
  | { readonly kind: "directory"; readonly path: string };

/** What else the result depends on besides command and input files; goes into the salt of a declared action. */
export interface KeyParts {
  /** Exact output globs, workspace-relative, in declaration order. */
  readonly outputGlobs: readonly string[];
  /** External packages: the lock file and its digest. */
  readonly external: readonly (readonly [name: string, digest: Digest])[];
  /** Tools by name with their identity. */
  readonly tools: readonly (readonly [name: string, digest: Digest])[];
  /** Operating system and architecture. */
  readonly platform: string;
  /** The server that runs it, by its address; left out: this machine. */
  readonly server?: string;
  /** Declared variables; `undefined` marks one that is absent. Also in the command's environment when present. */
  readonly env: readonly (readonly [name: string, value: string | undefined])[];
  /** Arguments after `--`. */
  readonly passedArguments: readonly string[];
}

/** How a persistent action shows that it is ready. Exactly one member is set. */
export interface ReadyProbe {
  readonly port?: number;
  readonly url?: string;
  /** A regular expression over lines of its output. */
  readonly log?: string;
  /** A shell command that exits 0. */
  readonly command?: string;
  readonly timeoutMs: number;
}

/** How the action is run here. Nothing of this is in the key. */
export interface LocalExecution {
  readonly argv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number | undefined;
  readonly graceMs: number;
  readonly attemptsMax: number;
  readonly interactive: boolean;
  readonly ready: ReadyProbe | undefined;
  /** Names that the command mentions but does not receive: shown as a hint when it fails. */
  readonly unpassedNames: readonly string[];
}

/** What the action makes. Globs and roots are workspace-relative. */
export interface OutputSpec {
  /** Absolute path that relative output paths start from. */
  readonly workspaceRoot: string;
  /** Literal roots of the globs, sorted, none inside another. */
  readonly roots: readonly string[];
  /** True when this workspace-relative path is an output. */
  readonly matches: (path: string) => boolean;
  readonly mode: "copy" | "link";
}

/** A node with everything known: what is hashed, and how it is run. */
export interface ResolvedAction {
  readonly label: string;
  /** `declared` runs in the workspace; `hermetic` anywhere. */
  readonly isolation: "declared" | "hermetic";
  readonly command: Command;
  /** Sorted by path, each path once. */
  readonly inputs: readonly InputEntry[];
  readonly parts: KeyParts;
  /** What enters the key beside the nodes it requires: for example the files of a project that has no such task. */
  readonly contributions: readonly (readonly [label: string, digest: Digest])[];
  /** `own` says that dependents can reach nothing but this node's outputs through it. */
  readonly reach: "transitive" | "own";
  /** False: never looked up and never stored, with the reason in `uncachedBecause`. */
  readonly cacheable: boolean;
  readonly uncachedBecause?: string;
  readonly outputs: OutputSpec;
  readonly run: LocalExecution;
  /** Stats every input again; the workspace-relative paths that differ from what went into the key. */
  changedInputs(): string[];
}

/** Gives a graph and resolves its nodes. */
export interface ActionProvider {
  /** All nodes that the request needs; every problem at once. */
  plan(): Promise<Result<readonly PlannedNode[], readonly Problem[]>>;
  /** Called once per node and run, after all that it requires has succeeded. */
  resolve(label: string): Promise<Result<ResolvedAction, Problem>>;
}
