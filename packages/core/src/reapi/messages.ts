/**
 * REAPI v2 messages whose bytes are identities or store records, as plain values.
 *
 * Owns:    the shapes; `codec.ts` owns their bytes.
 * Source:  remote_execution.proto of REAPI v2.3; field names are the proto's in camel case. Fields that Kahn neither
 *          writes nor reads are left out; a decoder skips them.
 * Note:    `Digest` carries its function here and none on the wire, so decoders take the function as a parameter.
 */
import type { Digest } from "../digest.ts";

/** `name` and `value` of a platform or node property. */
export interface Property {
  readonly name: string;
  readonly value: string;
}

/** What to run. `environment` and `outputPaths` are sorted; `workingDirectory` is relative to the input root. */
export interface Command {
  readonly arguments: readonly string[];
  readonly environment: readonly Property[];
  readonly outputPaths: readonly string[];
  readonly platform: readonly Property[];
  readonly workingDirectory: string;
}

/** A command with its input root. `timeoutMs` is left out of the bytes when undefined. */
export interface Action {
  readonly command: Digest;
  readonly inputRoot: Digest;
  readonly timeoutMs?: number;
  readonly doNotCache: boolean;
  readonly salt: Uint8Array;
  readonly platform: readonly Property[];
}

/** The node property by which Bazel marks what a persistent worker is made of. */
export const TOOL_MARK = "bazel_tool_input";

/** A file in a directory. */
export interface FileNode {
  readonly name: string;
  readonly digest: Digest;
  readonly executable: boolean;
  /** It has the node property `TOOL_MARK`; others are neither read nor written. */
  readonly isTool?: true;
}

/** A sub-directory: its digest is that of its encoded `Directory`. */
export interface DirectoryNode {
  readonly name: string;
  readonly digest: Digest;
}

/** A symbolic link; the target is kept as it stands. */
export interface SymlinkNode {
  readonly name: string;
  readonly target: string;
}

/** One level of a tree. Each list is sorted by name (bytes of UTF-8) and no name occurs twice in a directory. */
export interface Directory {
  readonly files: readonly FileNode[];
  readonly directories: readonly DirectoryNode[];
  readonly symlinks: readonly SymlinkNode[];
}

/** A root directory with all directories below it, in any order, each once. */
export interface Tree {
  readonly root: Directory;
  readonly children: readonly Directory[];
}

/** A file that an action made; `path` is relative to the working directory. */
export interface OutputFile {
  readonly path: string;
  readonly digest: Digest;
  readonly executable: boolean;
}

/** A directory that an action made: the digest of its encoded `Tree`. */
export interface OutputDirectory {
  readonly path: string;
  readonly tree: Digest;
}

/** A symbolic link that an action made. */
export interface OutputSymlink {
  readonly path: string;
  readonly target: string;
}

/** When and where an action ran. Times are milliseconds since the epoch; left out when unknown. */
export interface ExecutedActionMetadata {
  readonly worker: string;
  readonly queuedAtMs?: number;
  readonly executionStartedAtMs?: number;
  readonly executionCompletedAtMs?: number;
}

/** What an action gave. Lists are sorted by path. */
export interface ActionResult {
  readonly outputFiles: readonly OutputFile[];
  readonly outputDirectories: readonly OutputDirectory[];
  readonly outputSymlinks: readonly OutputSymlink[];
  readonly exitCode: number;
  /** Left out when empty or carried in `stdoutRaw`. */
  readonly stdout?: Digest;
  readonly stdoutRaw?: Uint8Array;
  readonly stderr?: Digest;
  readonly stderrRaw?: Uint8Array;
  readonly metadata: ExecutedActionMetadata;
}
