/**
 * Decoders of REAPI messages that anybody may have sent or that a disk may have garbled.
 *
 * Invariant: total. Every byte string gives a message or a `reapi-malformed` problem; nothing throws, nothing is read
 *            past the end, and the result is no larger than the input by more than a constant factor.
 * Note:      unknown fields are passed over. Of a field that should occur once the last one counts. Fields of older
 *            protocol versions that clients still send are read into their successors: `output_files` and
 *            `output_directories` of a command, `output_file_symlinks` and `output_directory_symlinks` of a result.
 */
import type { Digest, DigestFunction } from "../digest.ts";
import { digestOfParts, HEX_LENGTH } from "../digest.ts";
import { MalformedWire, WireReader } from "../internal/wire-reader.ts";
import type { Problem } from "../problem.ts";
import { problem } from "../problem.ts";
import type { Result } from "../result.ts";
import { err, ok } from "../result.ts";
import type {
  Action,
  ActionResult,
  Command,
  Directory,
  DirectoryNode,
  ExecutedActionMetadata,
  FileNode,
  OutputDirectory,
  OutputFile,
  OutputSymlink,
  Property,
  SymlinkNode,
  Tree,
} from "./messages.ts";
import { TOOL_MARK } from "./messages.ts";

/** Bytes that are not the message they should be. */
export type MalformedProblem = Problem<"reapi-malformed">;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Reads a `Digest` made with `fn`. */
export function decodeDigest(bytes: Uint8Array, fn: DigestFunction): Result<Digest, MalformedProblem> {
  return decoded("Digest", bytes, (reader) => present(readDigest(reader, fn)));
}

/** Reads a `Platform`. */
export function decodePlatform(bytes: Uint8Array): Result<Property[], MalformedProblem> {
  return decoded("Platform", bytes, readPlatform);
}

/** Reads a `Command`. It names no digest, so no function is needed. */
export function decodeCommand(bytes: Uint8Array): Result<Command, MalformedProblem> {
  return decoded("Command", bytes, (reader) => {
    const older: string[] = [];
    const command = {
      arguments: [] as string[],
      environment: [] as Property[],
      outputPaths: [] as string[],
      platform: [] as Property[],
      workingDirectory: "",
    };
    while (reader.next()) {
      if (reader.tag === 0o12) command.arguments.push(reader.string());
      else if (reader.tag === 0o22) command.environment.push(reader.message(() => readNamed(reader)));
      else if (reader.tag === 0o32 || reader.tag === 0o42) older.push(reader.string());
      else if (reader.tag === 0o52) command.platform = reader.message(() => readPlatform(reader));
      else if (reader.tag === 0o62) command.workingDirectory = reader.string();
      else if (reader.tag === 0o72) command.outputPaths.push(reader.string());
      else reader.skip();
    }
    // "If `output_paths` is used, `output_files` and `output_directories` will be ignored!"
    if (command.outputPaths.length === 0) command.outputPaths = older;
    return command;
  });
}

/** Reads an `Action` whose digests were made with `fn`. */
export function decodeAction(bytes: Uint8Array, fn: DigestFunction): Result<Action, MalformedProblem> {
  return decoded("Action", bytes, (reader) => {
    let command: Digest | undefined;
    let inputRoot: Digest | undefined;
    const action: Writable<Omit<Action, "command" | "inputRoot">> = {
      doNotCache: false,
      salt: new Uint8Array(),
      platform: [],
    };
    while (reader.next()) {
      if (reader.tag === 0o12) command = reader.message(() => readDigest(reader, fn));
      else if (reader.tag === 0o22) inputRoot = reader.message(() => readDigest(reader, fn));
      else if (reader.tag === 0o62) action.timeoutMs = reader.message(() => readTime(reader, DURATION_SECONDS_MAX));
      else if (reader.tag === 0o70) action.doNotCache = reader.bool();
      else if (reader.tag === 0o112) action.salt = reader.bytes();
      else if (reader.tag === 0o122) action.platform = reader.message(() => readPlatform(reader));
      else reader.skip();
    }
    return { ...action, command: present(command), inputRoot: present(inputRoot) };
  });
}

/** Reads a `Directory` whose digests were made with `fn`. Names are not judged: see `flattenTree`. */
export function decodeDirectory(bytes: Uint8Array, fn: DigestFunction): Result<Directory, MalformedProblem> {
  return decoded("Directory", bytes, (reader) => readDirectory(reader, fn));
}

/** Reads a `Tree` whose digests were made with `fn`. Names are not judged: see `flattenTree`. */
export function decodeTree(bytes: Uint8Array, fn: DigestFunction): Result<Tree, MalformedProblem> {
  return decoded("Tree", bytes, (reader) => {
    let root: Directory = { files: [], directories: [], symlinks: [] };
    const children: Directory[] = [];
    while (reader.next()) {
      if (reader.tag === 0o12) root = reader.message(() => readDirectory(reader, fn));
      else if (reader.tag === 0o22) children.push(reader.message(() => readDirectory(reader, fn)));
      else reader.skip();
    }
    return { root, children };
  });
}

/** Reads an `ActionResult` whose digests were made with `fn`. */
export function decodeActionResult(bytes: Uint8Array, fn: DigestFunction): Result<ActionResult, MalformedProblem> {
  return decoded("ActionResult", bytes, (reader) => readActionResult(reader, fn));
}

function readActionResult(reader: WireReader, fn: DigestFunction): ActionResult {
  const outputFiles: OutputFile[] = [];
  const outputDirectories: OutputDirectory[] = [];
  const outputSymlinks: OutputSymlink[] = [];
  const older: OutputSymlink[] = [];
  let stdout: Digest | undefined;
  let stderr: Digest | undefined;
  const result: Writable<ActionResult> = {
    outputFiles,
    outputDirectories,
    outputSymlinks,
    exitCode: 0,
    metadata: { worker: "" },
  };
  while (reader.next()) {
    if (reader.tag === 0o22) outputFiles.push(reader.message(() => readOutputFile(reader, fn)));
    else if (reader.tag === 0o32) outputDirectories.push(reader.message(() => readOutputDirectory(reader, fn)));
    else if (reader.tag === 0o40) result.exitCode = reader.int32();
    else if (reader.tag === 0o52) result.stdoutRaw = reader.bytes();
    else if (reader.tag === 0o62) stdout = reader.message(() => readDigest(reader, fn));
    else if (reader.tag === 0o72) result.stderrRaw = reader.bytes();
    else if (reader.tag === 0o102) stderr = reader.message(() => readDigest(reader, fn));
    else if (reader.tag === 0o112) result.metadata = reader.message(() => readMetadata(reader));
    else if (reader.tag === 0o122 || reader.tag === 0o132) older.push(reader.message(() => readOutputSymlink(reader)));
    else if (reader.tag === 0o142) outputSymlinks.push(reader.message(() => readOutputSymlink(reader)));
    else reader.skip();
  }
  if (older.length > 0) {
    // Servers that wish to please old clients fill the old fields in addition to the new one.
    const known = new Set(outputSymlinks.map((link) => link.path));
    outputSymlinks.push(...older.filter((link) => !known.has(link.path)));
  }
  if (stdout !== undefined) result.stdout = stdout;
  if (stderr !== undefined) result.stderr = stderr;
  return result;
}

function readOutputFile(reader: WireReader, fn: DigestFunction): OutputFile {
  let path = "";
  let digest: Digest | undefined;
  let executable = false;
  while (reader.next()) {
    if (reader.tag === 0o12) path = reader.string();
    else if (reader.tag === 0o22) digest = reader.message(() => readDigest(reader, fn));
    else if (reader.tag === 0o40) executable = reader.bool();
    else reader.skip();
  }
  return { path, digest: present(digest), executable };
}

function readOutputDirectory(reader: WireReader, fn: DigestFunction): OutputDirectory {
  let path = "";
  let tree: Digest | undefined;
  while (reader.next()) {
    if (reader.tag === 0o12) path = reader.string();
    else if (reader.tag === 0o32) tree = reader.message(() => readDigest(reader, fn));
    else reader.skip();
  }
  return { path, tree: present(tree) };
}

function readOutputSymlink(reader: WireReader): OutputSymlink {
  const { name, value } = readNamed(reader);
  return { path: name, target: value };
}

function readMetadata(reader: WireReader): ExecutedActionMetadata {
  const metadata: Writable<ExecutedActionMetadata> = { worker: "" };
  const readTimestamp = () => readTime(reader, TIMESTAMP_SECONDS_MAX);
  while (reader.next()) {
    if (reader.tag === 0o12) metadata.worker = reader.string();
    else if (reader.tag === 0o22) metadata.queuedAtMs = reader.message(readTimestamp);
    else if (reader.tag === 0o72) metadata.executionStartedAtMs = reader.message(readTimestamp);
    else if (reader.tag === 0o102) metadata.executionCompletedAtMs = reader.message(readTimestamp);
    else reader.skip();
  }
  return metadata;
}

/** Reads the fields of a `Directory` from a reader that stands in it. */
export function readDirectory(reader: WireReader, fn: DigestFunction): Directory {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  while (reader.next()) {
    if (reader.tag === 0o12) files.push(reader.message(() => readFileNode(reader, fn)));
    else if (reader.tag === 0o22) directories.push(reader.message(() => readDirectoryNode(reader, fn)));
    else if (reader.tag === 0o32) symlinks.push(reader.message(() => readSymlinkNode(reader)));
    else reader.skip();
  }
  return { files, directories, symlinks };
}

function readFileNode(reader: WireReader, fn: DigestFunction): FileNode {
  let name = "";
  let digest: Digest | undefined;
  let executable = false;
  let isTool = false;
  while (reader.next()) {
    if (reader.tag === 0o12) name = reader.string();
    else if (reader.tag === 0o22) digest = reader.message(() => readDigest(reader, fn));
    else if (reader.tag === 0o40) executable = reader.bool();
    else if (reader.tag === 0o62) isTool = reader.message(() => readsToolMark(reader));
    else reader.skip();
  }
  const node = { name, digest: present(digest), executable };
  return isTool ? { ...node, isTool } : node;
}

/** Looks through `NodeProperties` for the mark. */
function readsToolMark(reader: WireReader): boolean {
  let isMarked = false;
  while (reader.next()) {
    if (reader.tag === 0o12) isMarked = reader.message(() => readNamed(reader)).name === TOOL_MARK || isMarked;
    else reader.skip();
  }
  return isMarked;
}

function readDirectoryNode(reader: WireReader, fn: DigestFunction): DirectoryNode {
  let name = "";
  let digest: Digest | undefined;
  while (reader.next()) {
    if (reader.tag === 0o12) name = reader.string();
    else if (reader.tag === 0o22) digest = reader.message(() => readDigest(reader, fn));
    else reader.skip();
  }
  return { name, digest: present(digest) };
}

function readSymlinkNode(reader: WireReader): SymlinkNode {
  const { name, value } = readNamed(reader);
  return { name, target: value };
}

function readPlatform(reader: WireReader): Property[] {
  const properties: Property[] = [];
  while (reader.next()) {
    if (reader.tag === 0o12) properties.push(reader.message(() => readNamed(reader)));
    else reader.skip();
  }
  return properties;
}

/** Two strings in fields 1 and 2. */
function readNamed(reader: WireReader): Property {
  let name = "";
  let value = "";
  while (reader.next()) {
    if (reader.tag === 0o12) name = reader.string();
    else if (reader.tag === 0o22) value = reader.string();
    else reader.skip();
  }
  return { name, value };
}

/** Seconds of the last representable second of the year 9999. */
const TIMESTAMP_SECONDS_MAX = 253_402_300_799;
/** About 10,000 years. */
const DURATION_SECONDS_MAX = 315_576_000_000;

/** A `Timestamp` or `Duration`, in milliseconds. */
function readTime(reader: WireReader, secondsMax: number): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.next()) {
    if (reader.tag === 0o10) seconds = reader.int64();
    else if (reader.tag === 0o20) nanos = reader.int32();
    else reader.skip();
  }
  if (Math.abs(seconds) > secondsMax || Math.abs(nanos) > 999_999_999)
    throw new MalformedWire("a time is out of range");
  return seconds * 1000 + nanos / 1e6;
}

/** A digest; `undefined` for an empty message, which some senders mean as "none". */
function readDigest(reader: WireReader, fn: DigestFunction): Digest | undefined {
  let hash = "";
  let sizeBytes = 0;
  while (reader.next()) {
    if (reader.tag === 0o12) hash = reader.string();
    else if (reader.tag === 0o20) sizeBytes = reader.number();
    else reader.skip();
  }
  if (hash === "" && sizeBytes === 0) return undefined;
  const digest = digestOfParts(fn, hash, sizeBytes);
  if (digest === undefined) {
    throw new MalformedWire(`a digest is not ${HEX_LENGTH[fn]} lower-case hex digits, as ${fn} gives, and a size`);
  }
  return digest;
}

function present(digest: Digest | undefined): Digest {
  if (digest === undefined) throw new MalformedWire("a digest is missing");
  return digest;
}

function decoded<T>(what: string, bytes: Uint8Array, read: (reader: WireReader) => T): Result<T, MalformedProblem> {
  try {
    return ok(read(new WireReader(bytes)));
  } catch (error) {
    if (!(error instanceof MalformedWire)) throw error;
    return err(
      problem("reapi-malformed", `${bytes.length} bytes are not a ${what} message: ${error.message}`, {
        next: "Check that sender and receiver use the same digest function and protocol version (REAPI v2).",
      }),
    );
  }
}
