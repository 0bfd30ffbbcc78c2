/**
 * Test fixture: the messages of remote_execution.proto (REAPI v2.3) for a protobuf library, generators of our values,
 * and the library's view of them. The library is the oracle for bytes.
 */
import fc from "fast-check";
import protobuf from "protobufjs";
import type { Digest } from "../digest.ts";
import { digestHash, digestOf, digestSizeBytes, makeDigest } from "../digest.ts";
import { compareUtf8 } from "../text-order.ts";
import type {
  Action,
  ActionResult,
  Command,
  Directory,
  ExecutedActionMetadata,
  FileNode,
  Property,
} from "./messages.ts";
import { TOOL_MARK } from "./messages.ts";

const SCHEMA = `
syntax = "proto3";
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Digest { string hash = 1; int64 size_bytes = 2; }
message Property { string name = 1; string value = 2; }
message Platform { repeated Property properties = 1; }
message Command {
  repeated string arguments = 1; repeated Property environment_variables = 2;
  repeated string output_files = 3; repeated string output_directories = 4;
  Platform platform = 5; string working_directory = 6; repeated string output_paths = 7;
  repeated string output_node_properties = 8; int32 output_directory_format = 9;
}
message Action {
  Digest command_digest = 1; Digest input_root_digest = 2; Timestamp timeout = 6; bool do_not_cache = 7;
  bytes salt = 9; Platform platform = 10;
}
message NodeProperties { repeated Property properties = 1; Timestamp mtime = 2; }
message FileNode { string name = 1; Digest digest = 2; bool is_executable = 4; NodeProperties node_properties = 6; }
message DirectoryNode { string name = 1; Digest digest = 2; }
message SymlinkNode { string name = 1; string target = 2; NodeProperties node_properties = 4; }
message Directory {
  repeated FileNode files = 1; repeated DirectoryNode directories = 2; repeated SymlinkNode symlinks = 3;
  NodeProperties node_properties = 5;
}
message Tree { Directory root = 1; repeated Directory children = 2; }
message OutputFile {
  string path = 1; Digest digest = 2; bool is_executable = 4; bytes contents = 5; NodeProperties node_properties = 7;
}
message OutputDirectory { string path = 1; Digest tree_digest = 3; bool is_topologically_sorted = 4; }
message OutputSymlink { string path = 1; string target = 2; NodeProperties node_properties = 4; }
message Metadata {
  string worker = 1; Timestamp queued_timestamp = 2; Timestamp worker_start_timestamp = 3;
  Timestamp execution_start_timestamp = 7; Timestamp execution_completed_timestamp = 8;
}
message ActionResult {
  repeated OutputFile output_files = 2; repeated OutputDirectory output_directories = 3; int32 exit_code = 4;
  bytes stdout_raw = 5; Digest stdout_digest = 6; bytes stderr_raw = 7; Digest stderr_digest = 8;
  Metadata execution_metadata = 9; repeated OutputSymlink output_file_symlinks = 10;
  repeated OutputSymlink output_directory_symlinks = 11; repeated OutputSymlink output_symlinks = 12;
}`;

const root = protobuf.parse(SCHEMA).root;

type Plain = { readonly [key: string]: unknown };

/** The library's bytes of a message given in camel case, defaults left out as every proto3 library does. */
export function oracleBytes(type: string, value: Plain): Uint8Array {
  const message = root.lookupType(type);
  return new Uint8Array(message.encode(message.fromObject(withoutDefaults(value) as Plain)).finish());
}

function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => (typeof item === "object" ? withoutDefaults(item) : item));
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([, member]) =>
      member !== undefined && member !== "" && member !== 0 && member !== false && (member as Plain).length !== 0,
  );
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutDefaults(member)]));
}

/** Names and values: ASCII, accents, and characters beyond U+FFFF; never lone surrogates. */
export const text = fc.string({
  unit: fc.constantFrom("a", "b", "-", ".", "/", "é", "\u{ff5e}", "😀", " "),
  maxLength: 12,
});
export const digest: fc.Arbitrary<Digest> = fc.oneof(
  text.map((it) => digestOf(it)),
  fc.nat({ max: 999_999_999_999_999 }).map((size) => makeDigest("sha256", digestHash(digestOf(String(size))), size)),
);
/** A record with an ordinary prototype, so that it may strictly equal a decoded one. */
export const plain: typeof fc.record = ((model: never, constraints: object = {}) =>
  fc.record(model, { noNullPrototype: true, ...constraints } as never)) as never;

const property = plain({ name: text, value: text });
const bytes = fc.uint8Array({ maxLength: 200 });
const timeMs = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_000 });

export const command: fc.Arbitrary<Command> = plain({
  arguments: fc.array(text, { maxLength: 5 }),
  environment: sorted(property, byName),
  outputPaths: sorted(text, compareUtf8),
  platform: sorted(property, byNameAndValue),
  workingDirectory: text,
});
export const action: fc.Arbitrary<Action> = plain(
  {
    command: digest,
    inputRoot: digest,
    timeoutMs: fc.nat({ max: 1e12 }),
    doNotCache: fc.boolean(),
    salt: bytes,
    platform: sorted(property, byNameAndValue),
  },
  { requiredKeys: ["command", "inputRoot", "doNotCache", "salt", "platform"] },
);
const fileNode: fc.Arbitrary<FileNode> = plain(
  { name: text, digest, executable: fc.boolean(), isTool: fc.constant<true>(true) },
  { requiredKeys: ["name", "digest", "executable"] },
);
export const directory: fc.Arbitrary<Directory> = plain({
  files: sorted(fileNode, byName),
  directories: sorted(plain({ name: text, digest }), byName),
  symlinks: sorted(plain({ name: text, target: text }), byName),
});
export const tree = plain({ root: directory, children: fc.array(directory, { maxLength: 4 }) });
const metadata: fc.Arbitrary<ExecutedActionMetadata> = plain(
  { worker: text, queuedAtMs: timeMs, executionStartedAtMs: timeMs, executionCompletedAtMs: timeMs },
  { requiredKeys: ["worker"] },
);
const nonEmpty = fc.uint8Array({ minLength: 1, maxLength: 300 });
export const actionResult: fc.Arbitrary<ActionResult> = plain(
  {
    outputFiles: sorted(plain({ path: text, digest, executable: fc.boolean() }), byPath),
    outputDirectories: sorted(plain({ path: text, tree: digest }), byPath),
    outputSymlinks: sorted(plain({ path: text, target: text }), byPath),
    exitCode: fc.integer(),
    stdout: digest,
    stdoutRaw: nonEmpty,
    stderr: digest,
    stderrRaw: nonEmpty,
    metadata,
  },
  { requiredKeys: ["outputFiles", "outputDirectories", "outputSymlinks", "exitCode", "metadata"] },
);

function sorted<T>(item: fc.Arbitrary<T>, compare: (a: T, b: T) => number): fc.Arbitrary<T[]> {
  return fc
    .uniqueArray(item, { maxLength: 5, comparator: (a, b) => compare(a, b) === 0 })
    .map((items) => [...items].sort(compare));
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareUtf8(a.name, b.name);
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return compareUtf8(a.path, b.path);
}

function byNameAndValue(a: Property, b: Property): number {
  return compareUtf8(a.name, b.name) || compareUtf8(a.value, b.value);
}

/** A digest as the library wants it. */
export function plainDigest(value: Digest): Plain {
  return { hash: digestHash(value), sizeBytes: digestSizeBytes(value) };
}

function plainTime(time: number): Plain {
  const seconds = Math.floor(time / 1000);
  return { seconds, nanos: (time - seconds * 1000) * 1e6 };
}

function platformOf(properties: readonly Property[]): Plain {
  return properties.length === 0 ? {} : { platform: { properties } };
}

export function plainCommand(value: Command): Plain {
  const { environment, platform, ...rest } = value;
  return { ...rest, environmentVariables: environment, ...platformOf(platform) };
}

export function plainAction(value: Action): Plain {
  return {
    commandDigest: plainDigest(value.command),
    inputRootDigest: plainDigest(value.inputRoot),
    ...(value.timeoutMs === undefined ? {} : { timeout: plainTime(value.timeoutMs) }),
    doNotCache: value.doNotCache,
    salt: value.salt,
    ...platformOf(value.platform),
  };
}

export function plainDirectory(value: Directory): Plain {
  return {
    files: value.files.map((file) => ({
      name: file.name,
      digest: plainDigest(file.digest),
      isExecutable: file.executable,
      ...(file.isTool ? { nodeProperties: { properties: [{ name: TOOL_MARK, value: "" }] } } : {}),
    })),
    directories: value.directories.map((node) => ({ name: node.name, digest: plainDigest(node.digest) })),
    symlinks: value.symlinks,
  };
}

export function plainActionResult(value: ActionResult): Plain {
  const { worker, queuedAtMs, executionStartedAtMs, executionCompletedAtMs } = value.metadata;
  const times = {
    ...(queuedAtMs === undefined ? {} : { queuedTimestamp: plainTime(queuedAtMs) }),
    ...(executionStartedAtMs === undefined ? {} : { executionStartTimestamp: plainTime(executionStartedAtMs) }),
    ...(executionCompletedAtMs === undefined ? {} : { executionCompletedTimestamp: plainTime(executionCompletedAtMs) }),
  };
  return {
    outputFiles: value.outputFiles.map((file) => ({
      path: file.path,
      digest: plainDigest(file.digest),
      isExecutable: file.executable,
    })),
    outputDirectories: value.outputDirectories.map((it) => ({ path: it.path, treeDigest: plainDigest(it.tree) })),
    exitCode: value.exitCode,
    stdoutRaw: value.stdoutRaw,
    ...(value.stdout === undefined ? {} : { stdoutDigest: plainDigest(value.stdout) }),
    stderrRaw: value.stderrRaw,
    ...(value.stderr === undefined ? {} : { stderrDigest: plainDigest(value.stderr) }),
    ...(worker === "" && Object.keys(times).length === 0 ? {} : { executionMetadata: { worker, ...times } }),
    outputSymlinks: value.outputSymlinks,
  };
}
