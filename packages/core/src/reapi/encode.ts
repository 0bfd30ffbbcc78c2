/**
 * The one encoding of each REAPI message that is an identity or a store record.
 *
 * Invariant: fields in order of their numbers, defaults left out, lists sorted as the specification requires (by the
 *            UTF-8 bytes of name, path, or name and value): equal values give equal bytes, in every process and on
 *            every machine. Lists that are already sorted are not copied.
 * Never:     checks that names are sensible; who takes messages from outside does (`tree.ts`).
 * Source:    remote_execution.proto of REAPI v2.3, "Fields are serialized in tag order …"; google.protobuf.Timestamp.
 */
import type { Digest } from "../digest.ts";
import { WireWriter } from "../internal/wire-writer.ts";
import { compareUtf8, sortedBy } from "../text-order.ts";
import type {
  Action,
  ActionResult,
  Command,
  Directory,
  DirectoryNode,
  ExecutedActionMetadata,
  FileNode,
  Property,
  SymlinkNode,
  Tree,
} from "./messages.ts";
import { TOOL_MARK } from "./messages.ts";

/** The bytes of a `Digest` message; the function is not in them. */
export function encodeDigest(digest: Digest): Uint8Array {
  return encoded((writer) => writer.digestFields(digest));
}

/** The bytes of a `Platform` message; properties are sorted by name, then value. */
export function encodePlatform(platform: readonly Property[]): Uint8Array {
  return encoded((writer) => writeProperties(writer, 0o12, platform));
}

/** The bytes of a `Command`; environment, output paths and platform are sorted, a repeated output path counts once. */
export function encodeCommand(command: Command): Uint8Array {
  return encoded((writer) => {
    for (const argument of command.arguments) writer.string(0o12, argument);
    for (const variable of sortedBy(command.environment, byName)) writeNamed(writer, 0o22, variable);
    writePlatform(writer, 0o52, command.platform);
    if (command.workingDirectory !== "") writer.string(0o62, command.workingDirectory);
    let previous: string | undefined;
    for (const path of sortedBy(command.outputPaths, compareUtf8)) {
      if (path !== previous) writer.string(0o72, path);
      previous = path;
    }
  });
}

/** The bytes of an `Action`, whose digest is the cache key. */
export function encodeAction(action: Action): Uint8Array {
  return encoded((writer) => {
    writer.digest(0o12, action.command);
    writer.digest(0o22, action.inputRoot);
    if (action.timeoutMs !== undefined) writeTime(writer, 0o62, action.timeoutMs);
    if (action.doNotCache) writer.number(0o70, 1);
    if (action.salt.length > 0) writer.bytes(0o112, action.salt);
    writePlatform(writer, 0o122, action.platform);
  });
}

/** The bytes of a `Directory`; each list is sorted by name. */
export function encodeDirectory(directory: Directory): Uint8Array {
  return encoded((writer) => writeDirectory(writer, directory));
}

/** The bytes of a `Tree`; the children stay in their order. */
export function encodeTree(tree: Tree): Uint8Array {
  return encoded((writer) => {
    writeMessage(writer, 0o12, () => writeDirectory(writer, tree.root));
    for (const child of tree.children) writeMessage(writer, 0o22, () => writeDirectory(writer, child));
  });
}

/** The bytes of an `ActionResult`; each list is sorted by path. */
export function encodeActionResult(result: ActionResult): Uint8Array {
  return encoded((writer) => {
    for (const file of sortedBy(result.outputFiles, byPath)) {
      const start = writer.begin(0o22);
      if (file.path !== "") writer.string(0o12, file.path);
      writer.digest(0o22, file.digest);
      if (file.executable) writer.number(0o40, 1);
      writer.end(start);
    }
    for (const directory of sortedBy(result.outputDirectories, byPath)) {
      const start = writer.begin(0o32);
      if (directory.path !== "") writer.string(0o12, directory.path);
      writer.digest(0o32, directory.tree);
      writer.end(start);
    }
    if (result.exitCode !== 0) writer.number(0o40, result.exitCode);
    if (result.stdoutRaw !== undefined && result.stdoutRaw.length > 0) writer.bytes(0o52, result.stdoutRaw);
    if (result.stdout !== undefined) writer.digest(0o62, result.stdout);
    if (result.stderrRaw !== undefined && result.stderrRaw.length > 0) writer.bytes(0o72, result.stderrRaw);
    if (result.stderr !== undefined) writer.digest(0o102, result.stderr);
    writeMetadata(writer, 0o112, result.metadata);
    for (const link of sortedBy(result.outputSymlinks, byPath)) {
      const start = writer.begin(0o142);
      if (link.path !== "") writer.string(0o12, link.path);
      if (link.target !== "") writer.string(0o22, link.target);
      writer.end(start);
    }
  });
}

/** The fields of one `FileNode` with this name, without tag and length. */
export function writeFileNode(writer: WireWriter, name: string, node: Omit<FileNode, "name">): void {
  if (name !== "") writer.string(0o12, name);
  writer.digest(0o22, node.digest);
  if (node.executable) writer.number(0o40, 1);
  if (node.isTool) {
    const start = writer.begin(0o62);
    writeNamed(writer, 0o12, { name: TOOL_MARK, value: "" });
    writer.end(start);
  }
}

/** The fields of one `DirectoryNode`, without tag and length. */
export function writeDirectoryNode(writer: WireWriter, node: DirectoryNode): void {
  if (node.name !== "") writer.string(0o12, node.name);
  writer.digest(0o22, node.digest);
}

/** The fields of one `SymlinkNode` with this name, without tag and length. */
export function writeSymlinkNode(writer: WireWriter, name: string, node: Omit<SymlinkNode, "name">): void {
  if (name !== "") writer.string(0o12, name);
  if (node.target !== "") writer.string(0o22, node.target);
}

function writeDirectory(writer: WireWriter, directory: Directory): void {
  for (const node of sortedBy(directory.files, byName)) {
    const start = writer.begin(0o12);
    writeFileNode(writer, node.name, node);
    writer.end(start);
  }
  for (const node of sortedBy(directory.directories, byName)) {
    const start = writer.begin(0o22);
    writeDirectoryNode(writer, node);
    writer.end(start);
  }
  for (const node of sortedBy(directory.symlinks, byName)) {
    const start = writer.begin(0o32);
    writeSymlinkNode(writer, node.name, node);
    writer.end(start);
  }
}

function writeMetadata(writer: WireWriter, tag: number, metadata: ExecutedActionMetadata): void {
  const { worker, queuedAtMs, executionStartedAtMs, executionCompletedAtMs } = metadata;
  if (worker === "" && (queuedAtMs ?? executionStartedAtMs ?? executionCompletedAtMs) === undefined) return;
  const start = writer.begin(tag);
  if (worker !== "") writer.string(0o12, worker);
  if (queuedAtMs !== undefined) writeTime(writer, 0o22, queuedAtMs);
  if (executionStartedAtMs !== undefined) writeTime(writer, 0o72, executionStartedAtMs);
  if (executionCompletedAtMs !== undefined) writeTime(writer, 0o102, executionCompletedAtMs);
  writer.end(start);
}

/** A `Timestamp` or a `Duration`: both are seconds and nanoseconds; a duration's two parts have one sign. */
function writeTime(writer: WireWriter, tag: number, timeMs: number): void {
  let seconds = Math.floor(timeMs / 1000);
  let nanos = Math.round((timeMs - seconds * 1000) * 1e6);
  if (nanos === 1e9) {
    seconds++;
    nanos = 0;
  }
  const start = writer.begin(tag);
  if (seconds !== 0) writer.number(0o10, seconds);
  if (nanos !== 0) writer.number(0o20, nanos);
  writer.end(start);
}

function writePlatform(writer: WireWriter, tag: number, platform: readonly Property[]): void {
  if (platform.length > 0) writeMessage(writer, tag, () => writeProperties(writer, 0o12, platform));
}

function writeProperties(writer: WireWriter, tag: number, properties: readonly Property[]): void {
  for (const property of sortedBy(properties, byNameAndValue)) writeNamed(writer, tag, property);
}

function writeNamed(writer: WireWriter, tag: number, property: Property): void {
  const start = writer.begin(tag);
  if (property.name !== "") writer.string(0o12, property.name);
  if (property.value !== "") writer.string(0o22, property.value);
  writer.end(start);
}

function writeMessage(writer: WireWriter, tag: number, write: () => void): void {
  const start = writer.begin(tag);
  write();
  writer.end(start);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareUtf8(a.name, b.name);
}

function byNameAndValue(a: Property, b: Property): number {
  return compareUtf8(a.name, b.name) || compareUtf8(a.value, b.value);
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return compareUtf8(a.path, b.path);
}

// One buffer serves every call: encoding is synchronous and nothing here calls back into an encoder.
const shared = new WireWriter();

function encoded(write: (writer: WireWriter) => void): Uint8Array {
  shared.reset();
  write(shared);
  return shared.copy();
}
