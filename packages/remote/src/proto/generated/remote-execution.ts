// Written by tools/protos.mjs from build/bazel/remote/execution/v2/remote_execution.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";
import { Any, readAny, writeAny } from "./any.ts";
import { Duration, readDuration, writeDuration } from "./duration.ts";
import { Operation } from "./operations.ts";
import { SemVer, readSemVer, writeSemVer } from "./semver.ts";
import { Status, readStatus, writeStatus } from "./status.ts";
import { Timestamp, readTimestamp, writeTimestamp } from "./timestamp.ts";
import { UInt32Value, readUInt32Value, writeUInt32Value } from "./wrappers.ts";

/** `build.bazel.remote.execution.v2.Action` */
export interface Action {
  readonly commandDigest: Digest | undefined;
  readonly inputRootDigest: Digest | undefined;
  readonly timeout: Duration | undefined;
  readonly doNotCache: boolean;
  readonly salt: Uint8Array;
  readonly platform: Platform | undefined;
}
export const Action: Codec<Action> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Action", writeAction, readAction);

export function writeAction(writer: WireWriter, message: Init<Action>): void {
  if (message.platform !== undefined) {
    const length = writer.length;
    writePlatform(writer, message.platform);
    writer.close(82, length);
  }
  if (message.salt !== undefined && message.salt.length > 0) writer.bytes(74, message.salt);
  if (message.doNotCache) writer.bool(56, message.doNotCache);
  if (message.timeout !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.timeout);
    writer.close(50, length);
  }
  if (message.inputRootDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.inputRootDigest);
    writer.close(18, length);
  }
  if (message.commandDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.commandDigest);
    writer.close(10, length);
  }
}

export function readAction(reader: WireReader): Action {
  let commandDigest: Digest | undefined;
  let inputRootDigest: Digest | undefined;
  let timeout: Duration | undefined;
  let doNotCache = false;
  let salt: Uint8Array = NO_BYTES;
  let platform: Platform | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("command_digest");
          commandDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("input_root_digest");
          inputRootDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 50:
        {
          const outer = reader.enter("timeout");
          timeout = readDuration(reader);
          reader.leave(outer);
        }
        break;
      case 56:
        doNotCache = reader.bool("do_not_cache");
        break;
      case 74:
        salt = reader.bytes("salt");
        break;
      case 82:
        {
          const outer = reader.enter("platform");
          platform = readPlatform(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { commandDigest, inputRootDigest, timeout, doNotCache, salt, platform };
}

/** `build.bazel.remote.execution.v2.Command` */
export interface Command {
  readonly arguments: readonly string[];
  readonly environmentVariables: readonly CommandEnvironmentVariable[];
  readonly outputFiles: readonly string[];
  readonly outputDirectories: readonly string[];
  readonly platform: Platform | undefined;
  readonly workingDirectory: string;
  readonly outputPaths: readonly string[];
  readonly outputNodeProperties: readonly string[];
  readonly outputDirectoryFormat: CommandOutputDirectoryFormat;
}
export const Command: Codec<Command> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Command", writeCommand, readCommand);

export function writeCommand(writer: WireWriter, message: Init<Command>): void {
  if (message.outputDirectoryFormat) writer.int32(72, message.outputDirectoryFormat);
  if (message.outputNodeProperties !== undefined) for (let index = message.outputNodeProperties.length - 1; index >= 0; index--) writer.string(66, message.outputNodeProperties[index]!);
  if (message.outputPaths !== undefined) for (let index = message.outputPaths.length - 1; index >= 0; index--) writer.string(58, message.outputPaths[index]!);
  if (message.workingDirectory) writer.string(50, message.workingDirectory);
  if (message.platform !== undefined) {
    const length = writer.length;
    writePlatform(writer, message.platform);
    writer.close(42, length);
  }
  if (message.outputDirectories !== undefined) for (let index = message.outputDirectories.length - 1; index >= 0; index--) writer.string(34, message.outputDirectories[index]!);
  if (message.outputFiles !== undefined) for (let index = message.outputFiles.length - 1; index >= 0; index--) writer.string(26, message.outputFiles[index]!);
  if (message.environmentVariables !== undefined) for (let index = message.environmentVariables.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeCommandEnvironmentVariable(writer, message.environmentVariables[index]!);
    writer.close(18, length);
  }
  if (message.arguments !== undefined) for (let index = message.arguments.length - 1; index >= 0; index--) writer.string(10, message.arguments[index]!);
}

export function readCommand(reader: WireReader): Command {
  const arguments_: string[] = [];
  const environmentVariables: CommandEnvironmentVariable[] = [];
  const outputFiles: string[] = [];
  const outputDirectories: string[] = [];
  let platform: Platform | undefined;
  let workingDirectory = "";
  const outputPaths: string[] = [];
  const outputNodeProperties: string[] = [];
  let outputDirectoryFormat: CommandOutputDirectoryFormat = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        arguments_.push(reader.string("arguments"));
        break;
      case 18:
        {
          const outer = reader.enter("environment_variables");
          environmentVariables.push(readCommandEnvironmentVariable(reader));
          reader.leave(outer);
        }
        break;
      case 26:
        outputFiles.push(reader.string("output_files"));
        break;
      case 34:
        outputDirectories.push(reader.string("output_directories"));
        break;
      case 42:
        {
          const outer = reader.enter("platform");
          platform = readPlatform(reader);
          reader.leave(outer);
        }
        break;
      case 50:
        workingDirectory = reader.string("working_directory");
        break;
      case 58:
        outputPaths.push(reader.string("output_paths"));
        break;
      case 66:
        outputNodeProperties.push(reader.string("output_node_properties"));
        break;
      case 72:
        outputDirectoryFormat = reader.int32("output_directory_format");
        break;
      default:
        reader.skip();
    }
  }
  return { arguments: arguments_, environmentVariables, outputFiles, outputDirectories, platform, workingDirectory, outputPaths, outputNodeProperties, outputDirectoryFormat };
}

/** Values of `build.bazel.remote.execution.v2.Command.OutputDirectoryFormat`; a newer sender may have others. */
export const CommandOutputDirectoryFormat = {
  TREE_ONLY: 0,
  DIRECTORY_ONLY: 1,
  TREE_AND_DIRECTORY: 2,
} as const;
export type CommandOutputDirectoryFormat = number;

/** `build.bazel.remote.execution.v2.Command.EnvironmentVariable` */
export interface CommandEnvironmentVariable {
  readonly name: string;
  readonly value: string;
}
export const CommandEnvironmentVariable: Codec<CommandEnvironmentVariable> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Command.EnvironmentVariable", writeCommandEnvironmentVariable, readCommandEnvironmentVariable);

export function writeCommandEnvironmentVariable(writer: WireWriter, message: Init<CommandEnvironmentVariable>): void {
  if (message.value) writer.string(18, message.value);
  if (message.name) writer.string(10, message.name);
}

export function readCommandEnvironmentVariable(reader: WireReader): CommandEnvironmentVariable {
  let name = "";
  let value = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        value = reader.string("value");
        break;
      default:
        reader.skip();
    }
  }
  return { name, value };
}

/** `build.bazel.remote.execution.v2.Platform` */
export interface Platform {
  readonly properties: readonly PlatformProperty[];
}
export const Platform: Codec<Platform> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Platform", writePlatform, readPlatform);

export function writePlatform(writer: WireWriter, message: Init<Platform>): void {
  if (message.properties !== undefined) for (let index = message.properties.length - 1; index >= 0; index--) {
    const length = writer.length;
    writePlatformProperty(writer, message.properties[index]!);
    writer.close(10, length);
  }
}

export function readPlatform(reader: WireReader): Platform {
  const properties: PlatformProperty[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("properties");
          properties.push(readPlatformProperty(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { properties };
}

/** `build.bazel.remote.execution.v2.Platform.Property` */
export interface PlatformProperty {
  readonly name: string;
  readonly value: string;
}
export const PlatformProperty: Codec<PlatformProperty> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Platform.Property", writePlatformProperty, readPlatformProperty);

export function writePlatformProperty(writer: WireWriter, message: Init<PlatformProperty>): void {
  if (message.value) writer.string(18, message.value);
  if (message.name) writer.string(10, message.name);
}

export function readPlatformProperty(reader: WireReader): PlatformProperty {
  let name = "";
  let value = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        value = reader.string("value");
        break;
      default:
        reader.skip();
    }
  }
  return { name, value };
}

/** `build.bazel.remote.execution.v2.Directory` */
export interface Directory {
  readonly files: readonly FileNode[];
  readonly directories: readonly DirectoryNode[];
  readonly symlinks: readonly SymlinkNode[];
  readonly nodeProperties: NodeProperties | undefined;
}
export const Directory: Codec<Directory> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Directory", writeDirectory, readDirectory);

export function writeDirectory(writer: WireWriter, message: Init<Directory>): void {
  if (message.nodeProperties !== undefined) {
    const length = writer.length;
    writeNodeProperties(writer, message.nodeProperties);
    writer.close(42, length);
  }
  if (message.symlinks !== undefined) for (let index = message.symlinks.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeSymlinkNode(writer, message.symlinks[index]!);
    writer.close(26, length);
  }
  if (message.directories !== undefined) for (let index = message.directories.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDirectoryNode(writer, message.directories[index]!);
    writer.close(18, length);
  }
  if (message.files !== undefined) for (let index = message.files.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeFileNode(writer, message.files[index]!);
    writer.close(10, length);
  }
}

export function readDirectory(reader: WireReader): Directory {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  let nodeProperties: NodeProperties | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("files");
          files.push(readFileNode(reader));
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("directories");
          directories.push(readDirectoryNode(reader));
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("symlinks");
          symlinks.push(readSymlinkNode(reader));
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("node_properties");
          nodeProperties = readNodeProperties(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { files, directories, symlinks, nodeProperties };
}

/** `build.bazel.remote.execution.v2.NodeProperty` */
export interface NodeProperty {
  readonly name: string;
  readonly value: string;
}
export const NodeProperty: Codec<NodeProperty> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.NodeProperty", writeNodeProperty, readNodeProperty);

export function writeNodeProperty(writer: WireWriter, message: Init<NodeProperty>): void {
  if (message.value) writer.string(18, message.value);
  if (message.name) writer.string(10, message.name);
}

export function readNodeProperty(reader: WireReader): NodeProperty {
  let name = "";
  let value = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        value = reader.string("value");
        break;
      default:
        reader.skip();
    }
  }
  return { name, value };
}

/** `build.bazel.remote.execution.v2.NodeProperties` */
export interface NodeProperties {
  readonly properties: readonly NodeProperty[];
  readonly mtime: Timestamp | undefined;
  readonly unixMode: UInt32Value | undefined;
}
export const NodeProperties: Codec<NodeProperties> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.NodeProperties", writeNodeProperties, readNodeProperties);

export function writeNodeProperties(writer: WireWriter, message: Init<NodeProperties>): void {
  if (message.unixMode !== undefined) {
    const length = writer.length;
    writeUInt32Value(writer, message.unixMode);
    writer.close(26, length);
  }
  if (message.mtime !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.mtime);
    writer.close(18, length);
  }
  if (message.properties !== undefined) for (let index = message.properties.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeNodeProperty(writer, message.properties[index]!);
    writer.close(10, length);
  }
}

export function readNodeProperties(reader: WireReader): NodeProperties {
  const properties: NodeProperty[] = [];
  let mtime: Timestamp | undefined;
  let unixMode: UInt32Value | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("properties");
          properties.push(readNodeProperty(reader));
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("mtime");
          mtime = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("unix_mode");
          unixMode = readUInt32Value(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { properties, mtime, unixMode };
}

/** `build.bazel.remote.execution.v2.FileNode` */
export interface FileNode {
  readonly name: string;
  readonly digest: Digest | undefined;
  readonly isExecutable: boolean;
  readonly nodeProperties: NodeProperties | undefined;
}
export const FileNode: Codec<FileNode> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.FileNode", writeFileNode, readFileNode);

export function writeFileNode(writer: WireWriter, message: Init<FileNode>): void {
  if (message.nodeProperties !== undefined) {
    const length = writer.length;
    writeNodeProperties(writer, message.nodeProperties);
    writer.close(50, length);
  }
  if (message.isExecutable) writer.bool(32, message.isExecutable);
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(18, length);
  }
  if (message.name) writer.string(10, message.name);
}

export function readFileNode(reader: WireReader): FileNode {
  let name = "";
  let digest: Digest | undefined;
  let isExecutable = false;
  let nodeProperties: NodeProperties | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 32:
        isExecutable = reader.bool("is_executable");
        break;
      case 50:
        {
          const outer = reader.enter("node_properties");
          nodeProperties = readNodeProperties(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { name, digest, isExecutable, nodeProperties };
}

/** `build.bazel.remote.execution.v2.DirectoryNode` */
export interface DirectoryNode {
  readonly name: string;
  readonly digest: Digest | undefined;
}
export const DirectoryNode: Codec<DirectoryNode> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.DirectoryNode", writeDirectoryNode, readDirectoryNode);

export function writeDirectoryNode(writer: WireWriter, message: Init<DirectoryNode>): void {
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(18, length);
  }
  if (message.name) writer.string(10, message.name);
}

export function readDirectoryNode(reader: WireReader): DirectoryNode {
  let name = "";
  let digest: Digest | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { name, digest };
}

/** `build.bazel.remote.execution.v2.SymlinkNode` */
export interface SymlinkNode {
  readonly name: string;
  readonly target: string;
  readonly nodeProperties: NodeProperties | undefined;
}
export const SymlinkNode: Codec<SymlinkNode> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.SymlinkNode", writeSymlinkNode, readSymlinkNode);

export function writeSymlinkNode(writer: WireWriter, message: Init<SymlinkNode>): void {
  if (message.nodeProperties !== undefined) {
    const length = writer.length;
    writeNodeProperties(writer, message.nodeProperties);
    writer.close(34, length);
  }
  if (message.target) writer.string(18, message.target);
  if (message.name) writer.string(10, message.name);
}

export function readSymlinkNode(reader: WireReader): SymlinkNode {
  let name = "";
  let target = "";
  let nodeProperties: NodeProperties | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        target = reader.string("target");
        break;
      case 34:
        {
          const outer = reader.enter("node_properties");
          nodeProperties = readNodeProperties(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { name, target, nodeProperties };
}

/** `build.bazel.remote.execution.v2.Digest` */
export interface Digest {
  readonly hash: string;
  readonly sizeBytes: number;
}
export const Digest: Codec<Digest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Digest", writeDigest, readDigest);

export function writeDigest(writer: WireWriter, message: Init<Digest>): void {
  if (message.sizeBytes) writer.int64(16, message.sizeBytes);
  if (message.hash) writer.string(10, message.hash);
}

export function readDigest(reader: WireReader): Digest {
  let hash = "";
  let sizeBytes: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        hash = reader.string("hash");
        break;
      case 16:
        sizeBytes = reader.int64("size_bytes");
        break;
      default:
        reader.skip();
    }
  }
  return { hash, sizeBytes };
}

/** `build.bazel.remote.execution.v2.ExecutedActionMetadata` */
export interface ExecutedActionMetadata {
  readonly worker: string;
  readonly queuedTimestamp: Timestamp | undefined;
  readonly workerStartTimestamp: Timestamp | undefined;
  readonly workerCompletedTimestamp: Timestamp | undefined;
  readonly inputFetchStartTimestamp: Timestamp | undefined;
  readonly inputFetchCompletedTimestamp: Timestamp | undefined;
  readonly executionStartTimestamp: Timestamp | undefined;
  readonly executionCompletedTimestamp: Timestamp | undefined;
  readonly outputUploadStartTimestamp: Timestamp | undefined;
  readonly outputUploadCompletedTimestamp: Timestamp | undefined;
  readonly auxiliaryMetadata: readonly Any[];
  readonly virtualExecutionDuration: Duration | undefined;
}
export const ExecutedActionMetadata: Codec<ExecutedActionMetadata> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecutedActionMetadata", writeExecutedActionMetadata, readExecutedActionMetadata);

export function writeExecutedActionMetadata(writer: WireWriter, message: Init<ExecutedActionMetadata>): void {
  if (message.virtualExecutionDuration !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.virtualExecutionDuration);
    writer.close(98, length);
  }
  if (message.auxiliaryMetadata !== undefined) for (let index = message.auxiliaryMetadata.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeAny(writer, message.auxiliaryMetadata[index]!);
    writer.close(90, length);
  }
  if (message.outputUploadCompletedTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.outputUploadCompletedTimestamp);
    writer.close(82, length);
  }
  if (message.outputUploadStartTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.outputUploadStartTimestamp);
    writer.close(74, length);
  }
  if (message.executionCompletedTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.executionCompletedTimestamp);
    writer.close(66, length);
  }
  if (message.executionStartTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.executionStartTimestamp);
    writer.close(58, length);
  }
  if (message.inputFetchCompletedTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.inputFetchCompletedTimestamp);
    writer.close(50, length);
  }
  if (message.inputFetchStartTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.inputFetchStartTimestamp);
    writer.close(42, length);
  }
  if (message.workerCompletedTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.workerCompletedTimestamp);
    writer.close(34, length);
  }
  if (message.workerStartTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.workerStartTimestamp);
    writer.close(26, length);
  }
  if (message.queuedTimestamp !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.queuedTimestamp);
    writer.close(18, length);
  }
  if (message.worker) writer.string(10, message.worker);
}

export function readExecutedActionMetadata(reader: WireReader): ExecutedActionMetadata {
  let worker = "";
  let queuedTimestamp: Timestamp | undefined;
  let workerStartTimestamp: Timestamp | undefined;
  let workerCompletedTimestamp: Timestamp | undefined;
  let inputFetchStartTimestamp: Timestamp | undefined;
  let inputFetchCompletedTimestamp: Timestamp | undefined;
  let executionStartTimestamp: Timestamp | undefined;
  let executionCompletedTimestamp: Timestamp | undefined;
  let outputUploadStartTimestamp: Timestamp | undefined;
  let outputUploadCompletedTimestamp: Timestamp | undefined;
  const auxiliaryMetadata: Any[] = [];
  let virtualExecutionDuration: Duration | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        worker = reader.string("worker");
        break;
      case 18:
        {
          const outer = reader.enter("queued_timestamp");
          queuedTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("worker_start_timestamp");
          workerStartTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("worker_completed_timestamp");
          workerCompletedTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("input_fetch_start_timestamp");
          inputFetchStartTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 50:
        {
          const outer = reader.enter("input_fetch_completed_timestamp");
          inputFetchCompletedTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 58:
        {
          const outer = reader.enter("execution_start_timestamp");
          executionStartTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 66:
        {
          const outer = reader.enter("execution_completed_timestamp");
          executionCompletedTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 74:
        {
          const outer = reader.enter("output_upload_start_timestamp");
          outputUploadStartTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 82:
        {
          const outer = reader.enter("output_upload_completed_timestamp");
          outputUploadCompletedTimestamp = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 90:
        {
          const outer = reader.enter("auxiliary_metadata");
          auxiliaryMetadata.push(readAny(reader));
          reader.leave(outer);
        }
        break;
      case 98:
        {
          const outer = reader.enter("virtual_execution_duration");
          virtualExecutionDuration = readDuration(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { worker, queuedTimestamp, workerStartTimestamp, workerCompletedTimestamp, inputFetchStartTimestamp, inputFetchCompletedTimestamp, executionStartTimestamp, executionCompletedTimestamp, outputUploadStartTimestamp, outputUploadCompletedTimestamp, auxiliaryMetadata, virtualExecutionDuration };
}

/** `build.bazel.remote.execution.v2.ActionResult` */
export interface ActionResult {
  readonly outputFiles: readonly OutputFile[];
  readonly outputDirectories: readonly OutputDirectory[];
  readonly exitCode: number;
  readonly stdoutRaw: Uint8Array;
  readonly stdoutDigest: Digest | undefined;
  readonly stderrRaw: Uint8Array;
  readonly stderrDigest: Digest | undefined;
  readonly executionMetadata: ExecutedActionMetadata | undefined;
  readonly outputFileSymlinks: readonly OutputSymlink[];
  readonly outputDirectorySymlinks: readonly OutputSymlink[];
  readonly outputSymlinks: readonly OutputSymlink[];
}
export const ActionResult: Codec<ActionResult> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ActionResult", writeActionResult, readActionResult);

export function writeActionResult(writer: WireWriter, message: Init<ActionResult>): void {
  if (message.outputSymlinks !== undefined) for (let index = message.outputSymlinks.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOutputSymlink(writer, message.outputSymlinks[index]!);
    writer.close(98, length);
  }
  if (message.outputDirectorySymlinks !== undefined) for (let index = message.outputDirectorySymlinks.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOutputSymlink(writer, message.outputDirectorySymlinks[index]!);
    writer.close(90, length);
  }
  if (message.outputFileSymlinks !== undefined) for (let index = message.outputFileSymlinks.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOutputSymlink(writer, message.outputFileSymlinks[index]!);
    writer.close(82, length);
  }
  if (message.executionMetadata !== undefined) {
    const length = writer.length;
    writeExecutedActionMetadata(writer, message.executionMetadata);
    writer.close(74, length);
  }
  if (message.stderrDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.stderrDigest);
    writer.close(66, length);
  }
  if (message.stderrRaw !== undefined && message.stderrRaw.length > 0) writer.bytes(58, message.stderrRaw);
  if (message.stdoutDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.stdoutDigest);
    writer.close(50, length);
  }
  if (message.stdoutRaw !== undefined && message.stdoutRaw.length > 0) writer.bytes(42, message.stdoutRaw);
  if (message.exitCode) writer.int32(32, message.exitCode);
  if (message.outputDirectories !== undefined) for (let index = message.outputDirectories.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOutputDirectory(writer, message.outputDirectories[index]!);
    writer.close(26, length);
  }
  if (message.outputFiles !== undefined) for (let index = message.outputFiles.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOutputFile(writer, message.outputFiles[index]!);
    writer.close(18, length);
  }
}

export function readActionResult(reader: WireReader): ActionResult {
  const outputFiles: OutputFile[] = [];
  const outputDirectories: OutputDirectory[] = [];
  let exitCode: number = 0;
  let stdoutRaw: Uint8Array = NO_BYTES;
  let stdoutDigest: Digest | undefined;
  let stderrRaw: Uint8Array = NO_BYTES;
  let stderrDigest: Digest | undefined;
  let executionMetadata: ExecutedActionMetadata | undefined;
  const outputFileSymlinks: OutputSymlink[] = [];
  const outputDirectorySymlinks: OutputSymlink[] = [];
  const outputSymlinks: OutputSymlink[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 18:
        {
          const outer = reader.enter("output_files");
          outputFiles.push(readOutputFile(reader));
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("output_directories");
          outputDirectories.push(readOutputDirectory(reader));
          reader.leave(outer);
        }
        break;
      case 32:
        exitCode = reader.int32("exit_code");
        break;
      case 42:
        stdoutRaw = reader.bytes("stdout_raw");
        break;
      case 50:
        {
          const outer = reader.enter("stdout_digest");
          stdoutDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 58:
        stderrRaw = reader.bytes("stderr_raw");
        break;
      case 66:
        {
          const outer = reader.enter("stderr_digest");
          stderrDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 74:
        {
          const outer = reader.enter("execution_metadata");
          executionMetadata = readExecutedActionMetadata(reader);
          reader.leave(outer);
        }
        break;
      case 82:
        {
          const outer = reader.enter("output_file_symlinks");
          outputFileSymlinks.push(readOutputSymlink(reader));
          reader.leave(outer);
        }
        break;
      case 90:
        {
          const outer = reader.enter("output_directory_symlinks");
          outputDirectorySymlinks.push(readOutputSymlink(reader));
          reader.leave(outer);
        }
        break;
      case 98:
        {
          const outer = reader.enter("output_symlinks");
          outputSymlinks.push(readOutputSymlink(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { outputFiles, outputDirectories, exitCode, stdoutRaw, stdoutDigest, stderrRaw, stderrDigest, executionMetadata, outputFileSymlinks, outputDirectorySymlinks, outputSymlinks };
}

/** `build.bazel.remote.execution.v2.OutputFile` */
export interface OutputFile {
  readonly path: string;
  readonly digest: Digest | undefined;
  readonly isExecutable: boolean;
  readonly contents: Uint8Array;
  readonly nodeProperties: NodeProperties | undefined;
}
export const OutputFile: Codec<OutputFile> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.OutputFile", writeOutputFile, readOutputFile);

export function writeOutputFile(writer: WireWriter, message: Init<OutputFile>): void {
  if (message.nodeProperties !== undefined) {
    const length = writer.length;
    writeNodeProperties(writer, message.nodeProperties);
    writer.close(58, length);
  }
  if (message.contents !== undefined && message.contents.length > 0) writer.bytes(42, message.contents);
  if (message.isExecutable) writer.bool(32, message.isExecutable);
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(18, length);
  }
  if (message.path) writer.string(10, message.path);
}

export function readOutputFile(reader: WireReader): OutputFile {
  let path = "";
  let digest: Digest | undefined;
  let isExecutable = false;
  let contents: Uint8Array = NO_BYTES;
  let nodeProperties: NodeProperties | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        path = reader.string("path");
        break;
      case 18:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 32:
        isExecutable = reader.bool("is_executable");
        break;
      case 42:
        contents = reader.bytes("contents");
        break;
      case 58:
        {
          const outer = reader.enter("node_properties");
          nodeProperties = readNodeProperties(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { path, digest, isExecutable, contents, nodeProperties };
}

/** `build.bazel.remote.execution.v2.Tree` */
export interface Tree {
  readonly root: Directory | undefined;
  readonly children: readonly Directory[];
}
export const Tree: Codec<Tree> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.Tree", writeTree, readTree);

export function writeTree(writer: WireWriter, message: Init<Tree>): void {
  if (message.children !== undefined) for (let index = message.children.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDirectory(writer, message.children[index]!);
    writer.close(18, length);
  }
  if (message.root !== undefined) {
    const length = writer.length;
    writeDirectory(writer, message.root);
    writer.close(10, length);
  }
}

export function readTree(reader: WireReader): Tree {
  let root: Directory | undefined;
  const children: Directory[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("root");
          root = readDirectory(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("children");
          children.push(readDirectory(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { root, children };
}

/** `build.bazel.remote.execution.v2.OutputDirectory` */
export interface OutputDirectory {
  readonly path: string;
  readonly treeDigest: Digest | undefined;
  readonly isTopologicallySorted: boolean;
  readonly rootDirectoryDigest: Digest | undefined;
}
export const OutputDirectory: Codec<OutputDirectory> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.OutputDirectory", writeOutputDirectory, readOutputDirectory);

export function writeOutputDirectory(writer: WireWriter, message: Init<OutputDirectory>): void {
  if (message.rootDirectoryDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.rootDirectoryDigest);
    writer.close(42, length);
  }
  if (message.isTopologicallySorted) writer.bool(32, message.isTopologicallySorted);
  if (message.treeDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.treeDigest);
    writer.close(26, length);
  }
  if (message.path) writer.string(10, message.path);
}

export function readOutputDirectory(reader: WireReader): OutputDirectory {
  let path = "";
  let treeDigest: Digest | undefined;
  let isTopologicallySorted = false;
  let rootDirectoryDigest: Digest | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        path = reader.string("path");
        break;
      case 26:
        {
          const outer = reader.enter("tree_digest");
          treeDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 32:
        isTopologicallySorted = reader.bool("is_topologically_sorted");
        break;
      case 42:
        {
          const outer = reader.enter("root_directory_digest");
          rootDirectoryDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { path, treeDigest, isTopologicallySorted, rootDirectoryDigest };
}

/** `build.bazel.remote.execution.v2.OutputSymlink` */
export interface OutputSymlink {
  readonly path: string;
  readonly target: string;
  readonly nodeProperties: NodeProperties | undefined;
}
export const OutputSymlink: Codec<OutputSymlink> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.OutputSymlink", writeOutputSymlink, readOutputSymlink);

export function writeOutputSymlink(writer: WireWriter, message: Init<OutputSymlink>): void {
  if (message.nodeProperties !== undefined) {
    const length = writer.length;
    writeNodeProperties(writer, message.nodeProperties);
    writer.close(34, length);
  }
  if (message.target) writer.string(18, message.target);
  if (message.path) writer.string(10, message.path);
}

export function readOutputSymlink(reader: WireReader): OutputSymlink {
  let path = "";
  let target = "";
  let nodeProperties: NodeProperties | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        path = reader.string("path");
        break;
      case 18:
        target = reader.string("target");
        break;
      case 34:
        {
          const outer = reader.enter("node_properties");
          nodeProperties = readNodeProperties(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { path, target, nodeProperties };
}

/** `build.bazel.remote.execution.v2.ExecutionPolicy` */
export interface ExecutionPolicy {
  readonly priority: number;
}
export const ExecutionPolicy: Codec<ExecutionPolicy> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecutionPolicy", writeExecutionPolicy, readExecutionPolicy);

export function writeExecutionPolicy(writer: WireWriter, message: Init<ExecutionPolicy>): void {
  if (message.priority) writer.int32(8, message.priority);
}

export function readExecutionPolicy(reader: WireReader): ExecutionPolicy {
  let priority: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        priority = reader.int32("priority");
        break;
      default:
        reader.skip();
    }
  }
  return { priority };
}

/** `build.bazel.remote.execution.v2.ResultsCachePolicy` */
export interface ResultsCachePolicy {
  readonly priority: number;
}
export const ResultsCachePolicy: Codec<ResultsCachePolicy> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ResultsCachePolicy", writeResultsCachePolicy, readResultsCachePolicy);

export function writeResultsCachePolicy(writer: WireWriter, message: Init<ResultsCachePolicy>): void {
  if (message.priority) writer.int32(8, message.priority);
}

export function readResultsCachePolicy(reader: WireReader): ResultsCachePolicy {
  let priority: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        priority = reader.int32("priority");
        break;
      default:
        reader.skip();
    }
  }
  return { priority };
}

/** `build.bazel.remote.execution.v2.ExecuteRequest` */
export interface ExecuteRequest {
  readonly instanceName: string;
  readonly skipCacheLookup: boolean;
  readonly actionDigest: Digest | undefined;
  readonly executionPolicy: ExecutionPolicy | undefined;
  readonly resultsCachePolicy: ResultsCachePolicy | undefined;
  readonly digestFunction: DigestFunctionValue;
  readonly inlineStdout: boolean;
  readonly inlineStderr: boolean;
  readonly inlineOutputFiles: readonly string[];
}
export const ExecuteRequest: Codec<ExecuteRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecuteRequest", writeExecuteRequest, readExecuteRequest);

export function writeExecuteRequest(writer: WireWriter, message: Init<ExecuteRequest>): void {
  if (message.inlineOutputFiles !== undefined) for (let index = message.inlineOutputFiles.length - 1; index >= 0; index--) writer.string(98, message.inlineOutputFiles[index]!);
  if (message.inlineStderr) writer.bool(88, message.inlineStderr);
  if (message.inlineStdout) writer.bool(80, message.inlineStdout);
  if (message.digestFunction) writer.int32(72, message.digestFunction);
  if (message.resultsCachePolicy !== undefined) {
    const length = writer.length;
    writeResultsCachePolicy(writer, message.resultsCachePolicy);
    writer.close(66, length);
  }
  if (message.executionPolicy !== undefined) {
    const length = writer.length;
    writeExecutionPolicy(writer, message.executionPolicy);
    writer.close(58, length);
  }
  if (message.actionDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.actionDigest);
    writer.close(50, length);
  }
  if (message.skipCacheLookup) writer.bool(24, message.skipCacheLookup);
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readExecuteRequest(reader: WireReader): ExecuteRequest {
  let instanceName = "";
  let skipCacheLookup = false;
  let actionDigest: Digest | undefined;
  let executionPolicy: ExecutionPolicy | undefined;
  let resultsCachePolicy: ResultsCachePolicy | undefined;
  let digestFunction: DigestFunctionValue = 0;
  let inlineStdout = false;
  let inlineStderr = false;
  const inlineOutputFiles: string[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 24:
        skipCacheLookup = reader.bool("skip_cache_lookup");
        break;
      case 50:
        {
          const outer = reader.enter("action_digest");
          actionDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 58:
        {
          const outer = reader.enter("execution_policy");
          executionPolicy = readExecutionPolicy(reader);
          reader.leave(outer);
        }
        break;
      case 66:
        {
          const outer = reader.enter("results_cache_policy");
          resultsCachePolicy = readResultsCachePolicy(reader);
          reader.leave(outer);
        }
        break;
      case 72:
        digestFunction = reader.int32("digest_function");
        break;
      case 80:
        inlineStdout = reader.bool("inline_stdout");
        break;
      case 88:
        inlineStderr = reader.bool("inline_stderr");
        break;
      case 98:
        inlineOutputFiles.push(reader.string("inline_output_files"));
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, skipCacheLookup, actionDigest, executionPolicy, resultsCachePolicy, digestFunction, inlineStdout, inlineStderr, inlineOutputFiles };
}

/** `build.bazel.remote.execution.v2.LogFile` */
export interface LogFile {
  readonly digest: Digest | undefined;
  readonly humanReadable: boolean;
}
export const LogFile: Codec<LogFile> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.LogFile", writeLogFile, readLogFile);

export function writeLogFile(writer: WireWriter, message: Init<LogFile>): void {
  if (message.humanReadable) writer.bool(16, message.humanReadable);
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(10, length);
  }
}

export function readLogFile(reader: WireReader): LogFile {
  let digest: Digest | undefined;
  let humanReadable = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 16:
        humanReadable = reader.bool("human_readable");
        break;
      default:
        reader.skip();
    }
  }
  return { digest, humanReadable };
}

/** `build.bazel.remote.execution.v2.ExecuteResponse` */
export interface ExecuteResponse {
  readonly result: ActionResult | undefined;
  readonly cachedResult: boolean;
  readonly status: Status | undefined;
  readonly serverLogs: ReadonlyMap<string, LogFile>;
  readonly message: string;
}
export const ExecuteResponse: Codec<ExecuteResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecuteResponse", writeExecuteResponse, readExecuteResponse);

export function writeExecuteResponse(writer: WireWriter, message: Init<ExecuteResponse>): void {
  if (message.message) writer.string(42, message.message);
  if (message.serverLogs !== undefined) for (const [key, value] of [...message.serverLogs].reverse()) {
    const start = writer.length;
    const length = writer.length;
    writeLogFile(writer, value);
    writer.close(18, length);
    writer.string(10, key);
    writer.close(34, start);
  }
  if (message.status !== undefined) {
    const length = writer.length;
    writeStatus(writer, message.status);
    writer.close(26, length);
  }
  if (message.cachedResult) writer.bool(16, message.cachedResult);
  if (message.result !== undefined) {
    const length = writer.length;
    writeActionResult(writer, message.result);
    writer.close(10, length);
  }
}

export function readExecuteResponse(reader: WireReader): ExecuteResponse {
  let result: ActionResult | undefined;
  let cachedResult = false;
  let status: Status | undefined;
  const serverLogs = new Map<string, LogFile>();
  let message = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("result");
          result = readActionResult(reader);
          reader.leave(outer);
        }
        break;
      case 16:
        cachedResult = reader.bool("cached_result");
        break;
      case 26:
        {
          const outer = reader.enter("status");
          status = readStatus(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("server_logs");
          let key = "";
          let value: LogFile | undefined;
          for (let inner = reader.next(); inner !== 0; inner = reader.next()) {
            switch (inner) {
              case 10:
                key = reader.string("key");
                break;
              case 18:
                {
                  const outer = reader.enter("value");
                  value = readLogFile(reader);
                  reader.leave(outer);
                }
                break;
              default:
                reader.skip();
            }
          }
          reader.leave(outer);
          serverLogs.set(key, value ?? readLogFile(new WireReader(NO_BYTES)));
        }
        break;
      case 42:
        message = reader.string("message");
        break;
      default:
        reader.skip();
    }
  }
  return { result, cachedResult, status, serverLogs, message };
}

/** Values of `build.bazel.remote.execution.v2.ExecutionStage.Value`; a newer sender may have others. */
export const ExecutionStageValue = {
  UNKNOWN: 0,
  CACHE_CHECK: 1,
  QUEUED: 2,
  EXECUTING: 3,
  COMPLETED: 4,
} as const;
export type ExecutionStageValue = number;

/** `build.bazel.remote.execution.v2.ExecuteOperationMetadata` */
export interface ExecuteOperationMetadata {
  readonly stage: ExecutionStageValue;
  readonly actionDigest: Digest | undefined;
  readonly stdoutStreamName: string;
  readonly stderrStreamName: string;
  readonly partialExecutionMetadata: ExecutedActionMetadata | undefined;
  readonly digestFunction: DigestFunctionValue;
}
export const ExecuteOperationMetadata: Codec<ExecuteOperationMetadata> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecuteOperationMetadata", writeExecuteOperationMetadata, readExecuteOperationMetadata);

export function writeExecuteOperationMetadata(writer: WireWriter, message: Init<ExecuteOperationMetadata>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.partialExecutionMetadata !== undefined) {
    const length = writer.length;
    writeExecutedActionMetadata(writer, message.partialExecutionMetadata);
    writer.close(42, length);
  }
  if (message.stderrStreamName) writer.string(34, message.stderrStreamName);
  if (message.stdoutStreamName) writer.string(26, message.stdoutStreamName);
  if (message.actionDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.actionDigest);
    writer.close(18, length);
  }
  if (message.stage) writer.int32(8, message.stage);
}

export function readExecuteOperationMetadata(reader: WireReader): ExecuteOperationMetadata {
  let stage: ExecutionStageValue = 0;
  let actionDigest: Digest | undefined;
  let stdoutStreamName = "";
  let stderrStreamName = "";
  let partialExecutionMetadata: ExecutedActionMetadata | undefined;
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        stage = reader.int32("stage");
        break;
      case 18:
        {
          const outer = reader.enter("action_digest");
          actionDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        stdoutStreamName = reader.string("stdout_stream_name");
        break;
      case 34:
        stderrStreamName = reader.string("stderr_stream_name");
        break;
      case 42:
        {
          const outer = reader.enter("partial_execution_metadata");
          partialExecutionMetadata = readExecutedActionMetadata(reader);
          reader.leave(outer);
        }
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { stage, actionDigest, stdoutStreamName, stderrStreamName, partialExecutionMetadata, digestFunction };
}

/** `build.bazel.remote.execution.v2.WaitExecutionRequest` */
export interface WaitExecutionRequest {
  readonly name: string;
}
export const WaitExecutionRequest: Codec<WaitExecutionRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.WaitExecutionRequest", writeWaitExecutionRequest, readWaitExecutionRequest);

export function writeWaitExecutionRequest(writer: WireWriter, message: Init<WaitExecutionRequest>): void {
  if (message.name) writer.string(10, message.name);
}

export function readWaitExecutionRequest(reader: WireReader): WaitExecutionRequest {
  let name = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      default:
        reader.skip();
    }
  }
  return { name };
}

/** `build.bazel.remote.execution.v2.GetActionResultRequest` */
export interface GetActionResultRequest {
  readonly instanceName: string;
  readonly actionDigest: Digest | undefined;
  readonly inlineStdout: boolean;
  readonly inlineStderr: boolean;
  readonly inlineOutputFiles: readonly string[];
  readonly digestFunction: DigestFunctionValue;
}
export const GetActionResultRequest: Codec<GetActionResultRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetActionResultRequest", writeGetActionResultRequest, readGetActionResultRequest);

export function writeGetActionResultRequest(writer: WireWriter, message: Init<GetActionResultRequest>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.inlineOutputFiles !== undefined) for (let index = message.inlineOutputFiles.length - 1; index >= 0; index--) writer.string(42, message.inlineOutputFiles[index]!);
  if (message.inlineStderr) writer.bool(32, message.inlineStderr);
  if (message.inlineStdout) writer.bool(24, message.inlineStdout);
  if (message.actionDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.actionDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readGetActionResultRequest(reader: WireReader): GetActionResultRequest {
  let instanceName = "";
  let actionDigest: Digest | undefined;
  let inlineStdout = false;
  let inlineStderr = false;
  const inlineOutputFiles: string[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("action_digest");
          actionDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 24:
        inlineStdout = reader.bool("inline_stdout");
        break;
      case 32:
        inlineStderr = reader.bool("inline_stderr");
        break;
      case 42:
        inlineOutputFiles.push(reader.string("inline_output_files"));
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, actionDigest, inlineStdout, inlineStderr, inlineOutputFiles, digestFunction };
}

/** `build.bazel.remote.execution.v2.UpdateActionResultRequest` */
export interface UpdateActionResultRequest {
  readonly instanceName: string;
  readonly actionDigest: Digest | undefined;
  readonly actionResult: ActionResult | undefined;
  readonly resultsCachePolicy: ResultsCachePolicy | undefined;
  readonly digestFunction: DigestFunctionValue;
}
export const UpdateActionResultRequest: Codec<UpdateActionResultRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.UpdateActionResultRequest", writeUpdateActionResultRequest, readUpdateActionResultRequest);

export function writeUpdateActionResultRequest(writer: WireWriter, message: Init<UpdateActionResultRequest>): void {
  if (message.digestFunction) writer.int32(40, message.digestFunction);
  if (message.resultsCachePolicy !== undefined) {
    const length = writer.length;
    writeResultsCachePolicy(writer, message.resultsCachePolicy);
    writer.close(34, length);
  }
  if (message.actionResult !== undefined) {
    const length = writer.length;
    writeActionResult(writer, message.actionResult);
    writer.close(26, length);
  }
  if (message.actionDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.actionDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readUpdateActionResultRequest(reader: WireReader): UpdateActionResultRequest {
  let instanceName = "";
  let actionDigest: Digest | undefined;
  let actionResult: ActionResult | undefined;
  let resultsCachePolicy: ResultsCachePolicy | undefined;
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("action_digest");
          actionDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("action_result");
          actionResult = readActionResult(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("results_cache_policy");
          resultsCachePolicy = readResultsCachePolicy(reader);
          reader.leave(outer);
        }
        break;
      case 40:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, actionDigest, actionResult, resultsCachePolicy, digestFunction };
}

/** `build.bazel.remote.execution.v2.FindMissingBlobsRequest` */
export interface FindMissingBlobsRequest {
  readonly instanceName: string;
  readonly blobDigests: readonly Digest[];
  readonly digestFunction: DigestFunctionValue;
}
export const FindMissingBlobsRequest: Codec<FindMissingBlobsRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.FindMissingBlobsRequest", writeFindMissingBlobsRequest, readFindMissingBlobsRequest);

export function writeFindMissingBlobsRequest(writer: WireWriter, message: Init<FindMissingBlobsRequest>): void {
  if (message.digestFunction) writer.int32(24, message.digestFunction);
  if (message.blobDigests !== undefined) for (let index = message.blobDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.blobDigests[index]!);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readFindMissingBlobsRequest(reader: WireReader): FindMissingBlobsRequest {
  let instanceName = "";
  const blobDigests: Digest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("blob_digests");
          blobDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 24:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, blobDigests, digestFunction };
}

/** `build.bazel.remote.execution.v2.FindMissingBlobsResponse` */
export interface FindMissingBlobsResponse {
  readonly missingBlobDigests: readonly Digest[];
}
export const FindMissingBlobsResponse: Codec<FindMissingBlobsResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.FindMissingBlobsResponse", writeFindMissingBlobsResponse, readFindMissingBlobsResponse);

export function writeFindMissingBlobsResponse(writer: WireWriter, message: Init<FindMissingBlobsResponse>): void {
  if (message.missingBlobDigests !== undefined) for (let index = message.missingBlobDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.missingBlobDigests[index]!);
    writer.close(18, length);
  }
}

export function readFindMissingBlobsResponse(reader: WireReader): FindMissingBlobsResponse {
  const missingBlobDigests: Digest[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 18:
        {
          const outer = reader.enter("missing_blob_digests");
          missingBlobDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { missingBlobDigests };
}

/** `build.bazel.remote.execution.v2.BatchUpdateBlobsRequest` */
export interface BatchUpdateBlobsRequest {
  readonly instanceName: string;
  readonly requests: readonly BatchUpdateBlobsRequestRequest[];
  readonly digestFunction: DigestFunctionValue;
}
export const BatchUpdateBlobsRequest: Codec<BatchUpdateBlobsRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchUpdateBlobsRequest", writeBatchUpdateBlobsRequest, readBatchUpdateBlobsRequest);

export function writeBatchUpdateBlobsRequest(writer: WireWriter, message: Init<BatchUpdateBlobsRequest>): void {
  if (message.digestFunction) writer.int32(40, message.digestFunction);
  if (message.requests !== undefined) for (let index = message.requests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeBatchUpdateBlobsRequestRequest(writer, message.requests[index]!);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readBatchUpdateBlobsRequest(reader: WireReader): BatchUpdateBlobsRequest {
  let instanceName = "";
  const requests: BatchUpdateBlobsRequestRequest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("requests");
          requests.push(readBatchUpdateBlobsRequestRequest(reader));
          reader.leave(outer);
        }
        break;
      case 40:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, requests, digestFunction };
}

/** `build.bazel.remote.execution.v2.BatchUpdateBlobsRequest.Request` */
export interface BatchUpdateBlobsRequestRequest {
  readonly digest: Digest | undefined;
  readonly data: Uint8Array;
  readonly compressor: CompressorValue;
}
export const BatchUpdateBlobsRequestRequest: Codec<BatchUpdateBlobsRequestRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchUpdateBlobsRequest.Request", writeBatchUpdateBlobsRequestRequest, readBatchUpdateBlobsRequestRequest);

export function writeBatchUpdateBlobsRequestRequest(writer: WireWriter, message: Init<BatchUpdateBlobsRequestRequest>): void {
  if (message.compressor) writer.int32(24, message.compressor);
  if (message.data !== undefined && message.data.length > 0) writer.bytes(18, message.data);
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(10, length);
  }
}

export function readBatchUpdateBlobsRequestRequest(reader: WireReader): BatchUpdateBlobsRequestRequest {
  let digest: Digest | undefined;
  let data: Uint8Array = NO_BYTES;
  let compressor: CompressorValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        data = reader.bytes("data");
        break;
      case 24:
        compressor = reader.int32("compressor");
        break;
      default:
        reader.skip();
    }
  }
  return { digest, data, compressor };
}

/** `build.bazel.remote.execution.v2.BatchUpdateBlobsResponse` */
export interface BatchUpdateBlobsResponse {
  readonly responses: readonly BatchUpdateBlobsResponseResponse[];
}
export const BatchUpdateBlobsResponse: Codec<BatchUpdateBlobsResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchUpdateBlobsResponse", writeBatchUpdateBlobsResponse, readBatchUpdateBlobsResponse);

export function writeBatchUpdateBlobsResponse(writer: WireWriter, message: Init<BatchUpdateBlobsResponse>): void {
  if (message.responses !== undefined) for (let index = message.responses.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeBatchUpdateBlobsResponseResponse(writer, message.responses[index]!);
    writer.close(10, length);
  }
}

export function readBatchUpdateBlobsResponse(reader: WireReader): BatchUpdateBlobsResponse {
  const responses: BatchUpdateBlobsResponseResponse[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("responses");
          responses.push(readBatchUpdateBlobsResponseResponse(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { responses };
}

/** `build.bazel.remote.execution.v2.BatchUpdateBlobsResponse.Response` */
export interface BatchUpdateBlobsResponseResponse {
  readonly digest: Digest | undefined;
  readonly status: Status | undefined;
}
export const BatchUpdateBlobsResponseResponse: Codec<BatchUpdateBlobsResponseResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchUpdateBlobsResponse.Response", writeBatchUpdateBlobsResponseResponse, readBatchUpdateBlobsResponseResponse);

export function writeBatchUpdateBlobsResponseResponse(writer: WireWriter, message: Init<BatchUpdateBlobsResponseResponse>): void {
  if (message.status !== undefined) {
    const length = writer.length;
    writeStatus(writer, message.status);
    writer.close(18, length);
  }
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(10, length);
  }
}

export function readBatchUpdateBlobsResponseResponse(reader: WireReader): BatchUpdateBlobsResponseResponse {
  let digest: Digest | undefined;
  let status: Status | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("status");
          status = readStatus(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { digest, status };
}

/** `build.bazel.remote.execution.v2.BatchReadBlobsRequest` */
export interface BatchReadBlobsRequest {
  readonly instanceName: string;
  readonly digests: readonly Digest[];
  readonly acceptableCompressors: readonly CompressorValue[];
  readonly digestFunction: DigestFunctionValue;
}
export const BatchReadBlobsRequest: Codec<BatchReadBlobsRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchReadBlobsRequest", writeBatchReadBlobsRequest, readBatchReadBlobsRequest);

export function writeBatchReadBlobsRequest(writer: WireWriter, message: Init<BatchReadBlobsRequest>): void {
  if (message.digestFunction) writer.int32(32, message.digestFunction);
  if (message.acceptableCompressors?.length) writer.packed(26, message.acceptableCompressors);
  if (message.digests !== undefined) for (let index = message.digests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.digests[index]!);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readBatchReadBlobsRequest(reader: WireReader): BatchReadBlobsRequest {
  let instanceName = "";
  const digests: Digest[] = [];
  const acceptableCompressors: CompressorValue[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("digests");
          digests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 24:
        acceptableCompressors.push(reader.int32("acceptable_compressors"));
        break;
      case 26:
        reader.packed("acceptable_compressors", () => void acceptableCompressors.push(reader.int32("acceptable_compressors")));
        break;
      case 32:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, digests, acceptableCompressors, digestFunction };
}

/** `build.bazel.remote.execution.v2.BatchReadBlobsResponse` */
export interface BatchReadBlobsResponse {
  readonly responses: readonly BatchReadBlobsResponseResponse[];
}
export const BatchReadBlobsResponse: Codec<BatchReadBlobsResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchReadBlobsResponse", writeBatchReadBlobsResponse, readBatchReadBlobsResponse);

export function writeBatchReadBlobsResponse(writer: WireWriter, message: Init<BatchReadBlobsResponse>): void {
  if (message.responses !== undefined) for (let index = message.responses.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeBatchReadBlobsResponseResponse(writer, message.responses[index]!);
    writer.close(10, length);
  }
}

export function readBatchReadBlobsResponse(reader: WireReader): BatchReadBlobsResponse {
  const responses: BatchReadBlobsResponseResponse[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("responses");
          responses.push(readBatchReadBlobsResponseResponse(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { responses };
}

/** `build.bazel.remote.execution.v2.BatchReadBlobsResponse.Response` */
export interface BatchReadBlobsResponseResponse {
  readonly digest: Digest | undefined;
  readonly data: Uint8Array;
  readonly status: Status | undefined;
  readonly compressor: CompressorValue;
}
export const BatchReadBlobsResponseResponse: Codec<BatchReadBlobsResponseResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.BatchReadBlobsResponse.Response", writeBatchReadBlobsResponseResponse, readBatchReadBlobsResponseResponse);

export function writeBatchReadBlobsResponseResponse(writer: WireWriter, message: Init<BatchReadBlobsResponseResponse>): void {
  if (message.compressor) writer.int32(32, message.compressor);
  if (message.status !== undefined) {
    const length = writer.length;
    writeStatus(writer, message.status);
    writer.close(26, length);
  }
  if (message.data !== undefined && message.data.length > 0) writer.bytes(18, message.data);
  if (message.digest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.digest);
    writer.close(10, length);
  }
}

export function readBatchReadBlobsResponseResponse(reader: WireReader): BatchReadBlobsResponseResponse {
  let digest: Digest | undefined;
  let data: Uint8Array = NO_BYTES;
  let status: Status | undefined;
  let compressor: CompressorValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("digest");
          digest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        data = reader.bytes("data");
        break;
      case 26:
        {
          const outer = reader.enter("status");
          status = readStatus(reader);
          reader.leave(outer);
        }
        break;
      case 32:
        compressor = reader.int32("compressor");
        break;
      default:
        reader.skip();
    }
  }
  return { digest, data, status, compressor };
}

/** `build.bazel.remote.execution.v2.GetTreeRequest` */
export interface GetTreeRequest {
  readonly instanceName: string;
  readonly rootDigest: Digest | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly digestFunction: DigestFunctionValue;
}
export const GetTreeRequest: Codec<GetTreeRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetTreeRequest", writeGetTreeRequest, readGetTreeRequest);

export function writeGetTreeRequest(writer: WireWriter, message: Init<GetTreeRequest>): void {
  if (message.digestFunction) writer.int32(40, message.digestFunction);
  if (message.pageToken) writer.string(34, message.pageToken);
  if (message.pageSize) writer.int32(24, message.pageSize);
  if (message.rootDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.rootDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readGetTreeRequest(reader: WireReader): GetTreeRequest {
  let instanceName = "";
  let rootDigest: Digest | undefined;
  let pageSize: number = 0;
  let pageToken = "";
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("root_digest");
          rootDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 24:
        pageSize = reader.int32("page_size");
        break;
      case 34:
        pageToken = reader.string("page_token");
        break;
      case 40:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, rootDigest, pageSize, pageToken, digestFunction };
}

/** `build.bazel.remote.execution.v2.GetTreeResponse` */
export interface GetTreeResponse {
  readonly directories: readonly Directory[];
  readonly nextPageToken: string;
}
export const GetTreeResponse: Codec<GetTreeResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetTreeResponse", writeGetTreeResponse, readGetTreeResponse);

export function writeGetTreeResponse(writer: WireWriter, message: Init<GetTreeResponse>): void {
  if (message.nextPageToken) writer.string(18, message.nextPageToken);
  if (message.directories !== undefined) for (let index = message.directories.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDirectory(writer, message.directories[index]!);
    writer.close(10, length);
  }
}

export function readGetTreeResponse(reader: WireReader): GetTreeResponse {
  const directories: Directory[] = [];
  let nextPageToken = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("directories");
          directories.push(readDirectory(reader));
          reader.leave(outer);
        }
        break;
      case 18:
        nextPageToken = reader.string("next_page_token");
        break;
      default:
        reader.skip();
    }
  }
  return { directories, nextPageToken };
}

/** `build.bazel.remote.execution.v2.SplitBlobRequest` */
export interface SplitBlobRequest {
  readonly instanceName: string;
  readonly blobDigest: Digest | undefined;
  readonly digestFunction: DigestFunctionValue;
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const SplitBlobRequest: Codec<SplitBlobRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.SplitBlobRequest", writeSplitBlobRequest, readSplitBlobRequest);

export function writeSplitBlobRequest(writer: WireWriter, message: Init<SplitBlobRequest>): void {
  if (message.chunkingFunction) writer.int32(32, message.chunkingFunction);
  if (message.digestFunction) writer.int32(24, message.digestFunction);
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readSplitBlobRequest(reader: WireReader): SplitBlobRequest {
  let instanceName = "";
  let blobDigest: Digest | undefined;
  let digestFunction: DigestFunctionValue = 0;
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 24:
        digestFunction = reader.int32("digest_function");
        break;
      case 32:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, blobDigest, digestFunction, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.SplitBlobResponse` */
export interface SplitBlobResponse {
  readonly chunkDigests: readonly Digest[];
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const SplitBlobResponse: Codec<SplitBlobResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.SplitBlobResponse", writeSplitBlobResponse, readSplitBlobResponse);

export function writeSplitBlobResponse(writer: WireWriter, message: Init<SplitBlobResponse>): void {
  if (message.chunkingFunction) writer.int32(16, message.chunkingFunction);
  if (message.chunkDigests !== undefined) for (let index = message.chunkDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.chunkDigests[index]!);
    writer.close(10, length);
  }
}

export function readSplitBlobResponse(reader: WireReader): SplitBlobResponse {
  const chunkDigests: Digest[] = [];
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("chunk_digests");
          chunkDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 16:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { chunkDigests, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.GetChunkMappingRequest` */
export interface GetChunkMappingRequest {
  readonly instanceName: string;
  readonly blobDigest: Digest | undefined;
  readonly digestFunction: DigestFunctionValue;
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const GetChunkMappingRequest: Codec<GetChunkMappingRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetChunkMappingRequest", writeGetChunkMappingRequest, readGetChunkMappingRequest);

export function writeGetChunkMappingRequest(writer: WireWriter, message: Init<GetChunkMappingRequest>): void {
  if (message.chunkingFunction) writer.int32(32, message.chunkingFunction);
  if (message.digestFunction) writer.int32(24, message.digestFunction);
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readGetChunkMappingRequest(reader: WireReader): GetChunkMappingRequest {
  let instanceName = "";
  let blobDigest: Digest | undefined;
  let digestFunction: DigestFunctionValue = 0;
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 24:
        digestFunction = reader.int32("digest_function");
        break;
      case 32:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, blobDigest, digestFunction, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.GetChunkMappingResponse` */
export interface GetChunkMappingResponse {
  readonly chunkDigests: readonly Digest[];
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const GetChunkMappingResponse: Codec<GetChunkMappingResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetChunkMappingResponse", writeGetChunkMappingResponse, readGetChunkMappingResponse);

export function writeGetChunkMappingResponse(writer: WireWriter, message: Init<GetChunkMappingResponse>): void {
  if (message.chunkingFunction) writer.int32(16, message.chunkingFunction);
  if (message.chunkDigests !== undefined) for (let index = message.chunkDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.chunkDigests[index]!);
    writer.close(10, length);
  }
}

export function readGetChunkMappingResponse(reader: WireReader): GetChunkMappingResponse {
  const chunkDigests: Digest[] = [];
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("chunk_digests");
          chunkDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 16:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { chunkDigests, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.SpliceBlobRequest` */
export interface SpliceBlobRequest {
  readonly instanceName: string;
  readonly blobDigest: Digest | undefined;
  readonly chunkDigests: readonly Digest[];
  readonly digestFunction: DigestFunctionValue;
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const SpliceBlobRequest: Codec<SpliceBlobRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.SpliceBlobRequest", writeSpliceBlobRequest, readSpliceBlobRequest);

export function writeSpliceBlobRequest(writer: WireWriter, message: Init<SpliceBlobRequest>): void {
  if (message.chunkingFunction) writer.int32(40, message.chunkingFunction);
  if (message.digestFunction) writer.int32(32, message.digestFunction);
  if (message.chunkDigests !== undefined) for (let index = message.chunkDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.chunkDigests[index]!);
    writer.close(26, length);
  }
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readSpliceBlobRequest(reader: WireReader): SpliceBlobRequest {
  let instanceName = "";
  let blobDigest: Digest | undefined;
  const chunkDigests: Digest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("chunk_digests");
          chunkDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 32:
        digestFunction = reader.int32("digest_function");
        break;
      case 40:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, blobDigest, chunkDigests, digestFunction, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.SpliceBlobResponse` */
export interface SpliceBlobResponse {
  readonly blobDigest: Digest | undefined;
}
export const SpliceBlobResponse: Codec<SpliceBlobResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.SpliceBlobResponse", writeSpliceBlobResponse, readSpliceBlobResponse);

export function writeSpliceBlobResponse(writer: WireWriter, message: Init<SpliceBlobResponse>): void {
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(10, length);
  }
}

export function readSpliceBlobResponse(reader: WireReader): SpliceBlobResponse {
  let blobDigest: Digest | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { blobDigest };
}

/** `build.bazel.remote.execution.v2.RegisterChunkMappingRequest` */
export interface RegisterChunkMappingRequest {
  readonly instanceName: string;
  readonly blobDigest: Digest | undefined;
  readonly chunkDigests: readonly Digest[];
  readonly digestFunction: DigestFunctionValue;
  readonly chunkingFunction: ChunkingFunctionValue;
}
export const RegisterChunkMappingRequest: Codec<RegisterChunkMappingRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.RegisterChunkMappingRequest", writeRegisterChunkMappingRequest, readRegisterChunkMappingRequest);

export function writeRegisterChunkMappingRequest(writer: WireWriter, message: Init<RegisterChunkMappingRequest>): void {
  if (message.chunkingFunction) writer.int32(40, message.chunkingFunction);
  if (message.digestFunction) writer.int32(32, message.digestFunction);
  if (message.chunkDigests !== undefined) for (let index = message.chunkDigests.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.chunkDigests[index]!);
    writer.close(26, length);
  }
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readRegisterChunkMappingRequest(reader: WireReader): RegisterChunkMappingRequest {
  let instanceName = "";
  let blobDigest: Digest | undefined;
  const chunkDigests: Digest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  let chunkingFunction: ChunkingFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("chunk_digests");
          chunkDigests.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 32:
        digestFunction = reader.int32("digest_function");
        break;
      case 40:
        chunkingFunction = reader.int32("chunking_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, blobDigest, chunkDigests, digestFunction, chunkingFunction };
}

/** `build.bazel.remote.execution.v2.RegisterChunkMappingResponse` */
export interface RegisterChunkMappingResponse {
  readonly blobDigest: Digest | undefined;
}
export const RegisterChunkMappingResponse: Codec<RegisterChunkMappingResponse> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.RegisterChunkMappingResponse", writeRegisterChunkMappingResponse, readRegisterChunkMappingResponse);

export function writeRegisterChunkMappingResponse(writer: WireWriter, message: Init<RegisterChunkMappingResponse>): void {
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(10, length);
  }
}

export function readRegisterChunkMappingResponse(reader: WireReader): RegisterChunkMappingResponse {
  let blobDigest: Digest | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { blobDigest };
}

/** `build.bazel.remote.execution.v2.GetCapabilitiesRequest` */
export interface GetCapabilitiesRequest {
  readonly instanceName: string;
}
export const GetCapabilitiesRequest: Codec<GetCapabilitiesRequest> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.GetCapabilitiesRequest", writeGetCapabilitiesRequest, readGetCapabilitiesRequest);

export function writeGetCapabilitiesRequest(writer: WireWriter, message: Init<GetCapabilitiesRequest>): void {
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readGetCapabilitiesRequest(reader: WireReader): GetCapabilitiesRequest {
  let instanceName = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName };
}

/** `build.bazel.remote.execution.v2.ServerCapabilities` */
export interface ServerCapabilities {
  readonly cacheCapabilities: CacheCapabilities | undefined;
  readonly executionCapabilities: ExecutionCapabilities | undefined;
  readonly deprecatedApiVersion: SemVer | undefined;
  readonly lowApiVersion: SemVer | undefined;
  readonly highApiVersion: SemVer | undefined;
}
export const ServerCapabilities: Codec<ServerCapabilities> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ServerCapabilities", writeServerCapabilities, readServerCapabilities);

export function writeServerCapabilities(writer: WireWriter, message: Init<ServerCapabilities>): void {
  if (message.highApiVersion !== undefined) {
    const length = writer.length;
    writeSemVer(writer, message.highApiVersion);
    writer.close(42, length);
  }
  if (message.lowApiVersion !== undefined) {
    const length = writer.length;
    writeSemVer(writer, message.lowApiVersion);
    writer.close(34, length);
  }
  if (message.deprecatedApiVersion !== undefined) {
    const length = writer.length;
    writeSemVer(writer, message.deprecatedApiVersion);
    writer.close(26, length);
  }
  if (message.executionCapabilities !== undefined) {
    const length = writer.length;
    writeExecutionCapabilities(writer, message.executionCapabilities);
    writer.close(18, length);
  }
  if (message.cacheCapabilities !== undefined) {
    const length = writer.length;
    writeCacheCapabilities(writer, message.cacheCapabilities);
    writer.close(10, length);
  }
}

export function readServerCapabilities(reader: WireReader): ServerCapabilities {
  let cacheCapabilities: CacheCapabilities | undefined;
  let executionCapabilities: ExecutionCapabilities | undefined;
  let deprecatedApiVersion: SemVer | undefined;
  let lowApiVersion: SemVer | undefined;
  let highApiVersion: SemVer | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("cache_capabilities");
          cacheCapabilities = readCacheCapabilities(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        {
          const outer = reader.enter("execution_capabilities");
          executionCapabilities = readExecutionCapabilities(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("deprecated_api_version");
          deprecatedApiVersion = readSemVer(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("low_api_version");
          lowApiVersion = readSemVer(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("high_api_version");
          highApiVersion = readSemVer(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { cacheCapabilities, executionCapabilities, deprecatedApiVersion, lowApiVersion, highApiVersion };
}

/** Values of `build.bazel.remote.execution.v2.DigestFunction.Value`; a newer sender may have others. */
export const DigestFunctionValue = {
  UNKNOWN: 0,
  SHA256: 1,
  SHA1: 2,
  MD5: 3,
  VSO: 4,
  SHA384: 5,
  SHA512: 6,
  MURMUR3: 7,
  SHA256TREE: 8,
  BLAKE3: 9,
  GITSHA1: 10,
} as const;
export type DigestFunctionValue = number;

/** Values of `build.bazel.remote.execution.v2.ChunkingFunction.Value`; a newer sender may have others. */
export const ChunkingFunctionValue = {
  UNKNOWN: 0,
  FAST_CDC_2020: 1,
  REP_MAX_CDC: 2,
} as const;
export type ChunkingFunctionValue = number;

/** `build.bazel.remote.execution.v2.ActionCacheUpdateCapabilities` */
export interface ActionCacheUpdateCapabilities {
  readonly updateEnabled: boolean;
}
export const ActionCacheUpdateCapabilities: Codec<ActionCacheUpdateCapabilities> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ActionCacheUpdateCapabilities", writeActionCacheUpdateCapabilities, readActionCacheUpdateCapabilities);

export function writeActionCacheUpdateCapabilities(writer: WireWriter, message: Init<ActionCacheUpdateCapabilities>): void {
  if (message.updateEnabled) writer.bool(8, message.updateEnabled);
}

export function readActionCacheUpdateCapabilities(reader: WireReader): ActionCacheUpdateCapabilities {
  let updateEnabled = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        updateEnabled = reader.bool("update_enabled");
        break;
      default:
        reader.skip();
    }
  }
  return { updateEnabled };
}

/** `build.bazel.remote.execution.v2.PriorityCapabilities` */
export interface PriorityCapabilities {
  readonly priorities: readonly PriorityCapabilitiesPriorityRange[];
}
export const PriorityCapabilities: Codec<PriorityCapabilities> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.PriorityCapabilities", writePriorityCapabilities, readPriorityCapabilities);

export function writePriorityCapabilities(writer: WireWriter, message: Init<PriorityCapabilities>): void {
  if (message.priorities !== undefined) for (let index = message.priorities.length - 1; index >= 0; index--) {
    const length = writer.length;
    writePriorityCapabilitiesPriorityRange(writer, message.priorities[index]!);
    writer.close(10, length);
  }
}

export function readPriorityCapabilities(reader: WireReader): PriorityCapabilities {
  const priorities: PriorityCapabilitiesPriorityRange[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("priorities");
          priorities.push(readPriorityCapabilitiesPriorityRange(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { priorities };
}

/** `build.bazel.remote.execution.v2.PriorityCapabilities.PriorityRange` */
export interface PriorityCapabilitiesPriorityRange {
  readonly minPriority: number;
  readonly maxPriority: number;
}
export const PriorityCapabilitiesPriorityRange: Codec<PriorityCapabilitiesPriorityRange> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.PriorityCapabilities.PriorityRange", writePriorityCapabilitiesPriorityRange, readPriorityCapabilitiesPriorityRange);

export function writePriorityCapabilitiesPriorityRange(writer: WireWriter, message: Init<PriorityCapabilitiesPriorityRange>): void {
  if (message.maxPriority) writer.int32(16, message.maxPriority);
  if (message.minPriority) writer.int32(8, message.minPriority);
}

export function readPriorityCapabilitiesPriorityRange(reader: WireReader): PriorityCapabilitiesPriorityRange {
  let minPriority: number = 0;
  let maxPriority: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        minPriority = reader.int32("min_priority");
        break;
      case 16:
        maxPriority = reader.int32("max_priority");
        break;
      default:
        reader.skip();
    }
  }
  return { minPriority, maxPriority };
}

/** Values of `build.bazel.remote.execution.v2.SymlinkAbsolutePathStrategy.Value`; a newer sender may have others. */
export const SymlinkAbsolutePathStrategyValue = {
  UNKNOWN: 0,
  DISALLOWED: 1,
  ALLOWED: 2,
} as const;
export type SymlinkAbsolutePathStrategyValue = number;

/** Values of `build.bazel.remote.execution.v2.Compressor.Value`; a newer sender may have others. */
export const CompressorValue = {
  IDENTITY: 0,
  ZSTD: 1,
  DEFLATE: 2,
  BROTLI: 3,
} as const;
export type CompressorValue = number;

/** `build.bazel.remote.execution.v2.CacheCapabilities` */
export interface CacheCapabilities {
  readonly digestFunctions: readonly DigestFunctionValue[];
  readonly actionCacheUpdateCapabilities: ActionCacheUpdateCapabilities | undefined;
  readonly cachePriorityCapabilities: PriorityCapabilities | undefined;
  readonly maxBatchTotalSizeBytes: number;
  readonly symlinkAbsolutePathStrategy: SymlinkAbsolutePathStrategyValue;
  readonly supportedCompressors: readonly CompressorValue[];
  readonly supportedBatchUpdateCompressors: readonly CompressorValue[];
  readonly maxCasBlobSizeBytes: number;
  readonly splitBlobSupport: boolean;
  readonly spliceBlobSupport: boolean;
  readonly fastCdc2020Params: FastCdc2020Params | undefined;
  readonly repMaxCdcParams: RepMaxCdcParams | undefined;
}
export const CacheCapabilities: Codec<CacheCapabilities> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.CacheCapabilities", writeCacheCapabilities, readCacheCapabilities);

export function writeCacheCapabilities(writer: WireWriter, message: Init<CacheCapabilities>): void {
  if (message.repMaxCdcParams !== undefined) {
    const length = writer.length;
    writeRepMaxCdcParams(writer, message.repMaxCdcParams);
    writer.close(98, length);
  }
  if (message.fastCdc2020Params !== undefined) {
    const length = writer.length;
    writeFastCdc2020Params(writer, message.fastCdc2020Params);
    writer.close(90, length);
  }
  if (message.spliceBlobSupport) writer.bool(80, message.spliceBlobSupport);
  if (message.splitBlobSupport) writer.bool(72, message.splitBlobSupport);
  if (message.maxCasBlobSizeBytes) writer.int64(64, message.maxCasBlobSizeBytes);
  if (message.supportedBatchUpdateCompressors?.length) writer.packed(58, message.supportedBatchUpdateCompressors);
  if (message.supportedCompressors?.length) writer.packed(50, message.supportedCompressors);
  if (message.symlinkAbsolutePathStrategy) writer.int32(40, message.symlinkAbsolutePathStrategy);
  if (message.maxBatchTotalSizeBytes) writer.int64(32, message.maxBatchTotalSizeBytes);
  if (message.cachePriorityCapabilities !== undefined) {
    const length = writer.length;
    writePriorityCapabilities(writer, message.cachePriorityCapabilities);
    writer.close(26, length);
  }
  if (message.actionCacheUpdateCapabilities !== undefined) {
    const length = writer.length;
    writeActionCacheUpdateCapabilities(writer, message.actionCacheUpdateCapabilities);
    writer.close(18, length);
  }
  if (message.digestFunctions?.length) writer.packed(10, message.digestFunctions);
}

export function readCacheCapabilities(reader: WireReader): CacheCapabilities {
  const digestFunctions: DigestFunctionValue[] = [];
  let actionCacheUpdateCapabilities: ActionCacheUpdateCapabilities | undefined;
  let cachePriorityCapabilities: PriorityCapabilities | undefined;
  let maxBatchTotalSizeBytes: number = 0;
  let symlinkAbsolutePathStrategy: SymlinkAbsolutePathStrategyValue = 0;
  const supportedCompressors: CompressorValue[] = [];
  const supportedBatchUpdateCompressors: CompressorValue[] = [];
  let maxCasBlobSizeBytes: number = 0;
  let splitBlobSupport = false;
  let spliceBlobSupport = false;
  let fastCdc2020Params: FastCdc2020Params | undefined;
  let repMaxCdcParams: RepMaxCdcParams | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        digestFunctions.push(reader.int32("digest_functions"));
        break;
      case 10:
        reader.packed("digest_functions", () => void digestFunctions.push(reader.int32("digest_functions")));
        break;
      case 18:
        {
          const outer = reader.enter("action_cache_update_capabilities");
          actionCacheUpdateCapabilities = readActionCacheUpdateCapabilities(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("cache_priority_capabilities");
          cachePriorityCapabilities = readPriorityCapabilities(reader);
          reader.leave(outer);
        }
        break;
      case 32:
        maxBatchTotalSizeBytes = reader.int64("max_batch_total_size_bytes");
        break;
      case 40:
        symlinkAbsolutePathStrategy = reader.int32("symlink_absolute_path_strategy");
        break;
      case 48:
        supportedCompressors.push(reader.int32("supported_compressors"));
        break;
      case 50:
        reader.packed("supported_compressors", () => void supportedCompressors.push(reader.int32("supported_compressors")));
        break;
      case 56:
        supportedBatchUpdateCompressors.push(reader.int32("supported_batch_update_compressors"));
        break;
      case 58:
        reader.packed("supported_batch_update_compressors", () => void supportedBatchUpdateCompressors.push(reader.int32("supported_batch_update_compressors")));
        break;
      case 64:
        maxCasBlobSizeBytes = reader.int64("max_cas_blob_size_bytes");
        break;
      case 72:
        splitBlobSupport = reader.bool("split_blob_support");
        break;
      case 80:
        spliceBlobSupport = reader.bool("splice_blob_support");
        break;
      case 90:
        {
          const outer = reader.enter("fast_cdc_2020_params");
          fastCdc2020Params = readFastCdc2020Params(reader);
          reader.leave(outer);
        }
        break;
      case 98:
        {
          const outer = reader.enter("rep_max_cdc_params");
          repMaxCdcParams = readRepMaxCdcParams(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { digestFunctions, actionCacheUpdateCapabilities, cachePriorityCapabilities, maxBatchTotalSizeBytes, symlinkAbsolutePathStrategy, supportedCompressors, supportedBatchUpdateCompressors, maxCasBlobSizeBytes, splitBlobSupport, spliceBlobSupport, fastCdc2020Params, repMaxCdcParams };
}

/** `build.bazel.remote.execution.v2.FastCdc2020Params` */
export interface FastCdc2020Params {
  readonly avgChunkSizeBytes: number;
  readonly seed: number;
}
export const FastCdc2020Params: Codec<FastCdc2020Params> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.FastCdc2020Params", writeFastCdc2020Params, readFastCdc2020Params);

export function writeFastCdc2020Params(writer: WireWriter, message: Init<FastCdc2020Params>): void {
  if (message.seed) writer.uint32(16, message.seed);
  if (message.avgChunkSizeBytes) writer.uint64(8, message.avgChunkSizeBytes);
}

export function readFastCdc2020Params(reader: WireReader): FastCdc2020Params {
  let avgChunkSizeBytes: number = 0;
  let seed: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        avgChunkSizeBytes = reader.uint64("avg_chunk_size_bytes");
        break;
      case 16:
        seed = reader.uint32("seed");
        break;
      default:
        reader.skip();
    }
  }
  return { avgChunkSizeBytes, seed };
}

/** `build.bazel.remote.execution.v2.RepMaxCdcParams` */
export interface RepMaxCdcParams {
  readonly minChunkSizeBytes: number;
  readonly horizonSizeBytes: number;
}
export const RepMaxCdcParams: Codec<RepMaxCdcParams> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.RepMaxCdcParams", writeRepMaxCdcParams, readRepMaxCdcParams);

export function writeRepMaxCdcParams(writer: WireWriter, message: Init<RepMaxCdcParams>): void {
  if (message.horizonSizeBytes) writer.uint64(16, message.horizonSizeBytes);
  if (message.minChunkSizeBytes) writer.uint64(8, message.minChunkSizeBytes);
}

export function readRepMaxCdcParams(reader: WireReader): RepMaxCdcParams {
  let minChunkSizeBytes: number = 0;
  let horizonSizeBytes: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        minChunkSizeBytes = reader.uint64("min_chunk_size_bytes");
        break;
      case 16:
        horizonSizeBytes = reader.uint64("horizon_size_bytes");
        break;
      default:
        reader.skip();
    }
  }
  return { minChunkSizeBytes, horizonSizeBytes };
}

/** `build.bazel.remote.execution.v2.ExecutionCapabilities` */
export interface ExecutionCapabilities {
  readonly digestFunction: DigestFunctionValue;
  readonly execEnabled: boolean;
  readonly executionPriorityCapabilities: PriorityCapabilities | undefined;
  readonly supportedNodeProperties: readonly string[];
  readonly digestFunctions: readonly DigestFunctionValue[];
}
export const ExecutionCapabilities: Codec<ExecutionCapabilities> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ExecutionCapabilities", writeExecutionCapabilities, readExecutionCapabilities);

export function writeExecutionCapabilities(writer: WireWriter, message: Init<ExecutionCapabilities>): void {
  if (message.digestFunctions?.length) writer.packed(42, message.digestFunctions);
  if (message.supportedNodeProperties !== undefined) for (let index = message.supportedNodeProperties.length - 1; index >= 0; index--) writer.string(34, message.supportedNodeProperties[index]!);
  if (message.executionPriorityCapabilities !== undefined) {
    const length = writer.length;
    writePriorityCapabilities(writer, message.executionPriorityCapabilities);
    writer.close(26, length);
  }
  if (message.execEnabled) writer.bool(16, message.execEnabled);
  if (message.digestFunction) writer.int32(8, message.digestFunction);
}

export function readExecutionCapabilities(reader: WireReader): ExecutionCapabilities {
  let digestFunction: DigestFunctionValue = 0;
  let execEnabled = false;
  let executionPriorityCapabilities: PriorityCapabilities | undefined;
  const supportedNodeProperties: string[] = [];
  const digestFunctions: DigestFunctionValue[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        digestFunction = reader.int32("digest_function");
        break;
      case 16:
        execEnabled = reader.bool("exec_enabled");
        break;
      case 26:
        {
          const outer = reader.enter("execution_priority_capabilities");
          executionPriorityCapabilities = readPriorityCapabilities(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        supportedNodeProperties.push(reader.string("supported_node_properties"));
        break;
      case 40:
        digestFunctions.push(reader.int32("digest_functions"));
        break;
      case 42:
        reader.packed("digest_functions", () => void digestFunctions.push(reader.int32("digest_functions")));
        break;
      default:
        reader.skip();
    }
  }
  return { digestFunction, execEnabled, executionPriorityCapabilities, supportedNodeProperties, digestFunctions };
}

/** `build.bazel.remote.execution.v2.ToolDetails` */
export interface ToolDetails {
  readonly toolName: string;
  readonly toolVersion: string;
}
export const ToolDetails: Codec<ToolDetails> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.ToolDetails", writeToolDetails, readToolDetails);

export function writeToolDetails(writer: WireWriter, message: Init<ToolDetails>): void {
  if (message.toolVersion) writer.string(18, message.toolVersion);
  if (message.toolName) writer.string(10, message.toolName);
}

export function readToolDetails(reader: WireReader): ToolDetails {
  let toolName = "";
  let toolVersion = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        toolName = reader.string("tool_name");
        break;
      case 18:
        toolVersion = reader.string("tool_version");
        break;
      default:
        reader.skip();
    }
  }
  return { toolName, toolVersion };
}

/** `build.bazel.remote.execution.v2.RequestMetadata` */
export interface RequestMetadata {
  readonly toolDetails: ToolDetails | undefined;
  readonly actionId: string;
  readonly toolInvocationId: string;
  readonly correlatedInvocationsId: string;
  readonly actionMnemonic: string;
  readonly targetId: string;
  readonly configurationId: string;
}
export const RequestMetadata: Codec<RequestMetadata> = /* @__PURE__ */ codec("build.bazel.remote.execution.v2.RequestMetadata", writeRequestMetadata, readRequestMetadata);

export function writeRequestMetadata(writer: WireWriter, message: Init<RequestMetadata>): void {
  if (message.configurationId) writer.string(58, message.configurationId);
  if (message.targetId) writer.string(50, message.targetId);
  if (message.actionMnemonic) writer.string(42, message.actionMnemonic);
  if (message.correlatedInvocationsId) writer.string(34, message.correlatedInvocationsId);
  if (message.toolInvocationId) writer.string(26, message.toolInvocationId);
  if (message.actionId) writer.string(18, message.actionId);
  if (message.toolDetails !== undefined) {
    const length = writer.length;
    writeToolDetails(writer, message.toolDetails);
    writer.close(10, length);
  }
}

export function readRequestMetadata(reader: WireReader): RequestMetadata {
  let toolDetails: ToolDetails | undefined;
  let actionId = "";
  let toolInvocationId = "";
  let correlatedInvocationsId = "";
  let actionMnemonic = "";
  let targetId = "";
  let configurationId = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("tool_details");
          toolDetails = readToolDetails(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        actionId = reader.string("action_id");
        break;
      case 26:
        toolInvocationId = reader.string("tool_invocation_id");
        break;
      case 34:
        correlatedInvocationsId = reader.string("correlated_invocations_id");
        break;
      case 42:
        actionMnemonic = reader.string("action_mnemonic");
        break;
      case 50:
        targetId = reader.string("target_id");
        break;
      case 58:
        configurationId = reader.string("configuration_id");
        break;
      default:
        reader.skip();
    }
  }
  return { toolDetails, actionId, toolInvocationId, correlatedInvocationsId, actionMnemonic, targetId, configurationId };
}

/** Methods of `build.bazel.remote.execution.v2.Execution`; each is a `Method` of ../codec.ts. */
export const ExecutionMethods = {
  execute: {
    path: "/build.bazel.remote.execution.v2.Execution/Execute",
    request: ExecuteRequest,
    response: Operation,
    requestStream: false,
    responseStream: true,
  },
  waitExecution: {
    path: "/build.bazel.remote.execution.v2.Execution/WaitExecution",
    request: WaitExecutionRequest,
    response: Operation,
    requestStream: false,
    responseStream: true,
  },
} as const;

/** Methods of `build.bazel.remote.execution.v2.ActionCache`; each is a `Method` of ../codec.ts. */
export const ActionCacheMethods = {
  getActionResult: {
    path: "/build.bazel.remote.execution.v2.ActionCache/GetActionResult",
    request: GetActionResultRequest,
    response: ActionResult,
    requestStream: false,
    responseStream: false,
  },
  updateActionResult: {
    path: "/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult",
    request: UpdateActionResultRequest,
    response: ActionResult,
    requestStream: false,
    responseStream: false,
  },
} as const;

/** Methods of `build.bazel.remote.execution.v2.ContentAddressableStorage`; each is a `Method` of ../codec.ts. */
export const ContentAddressableStorageMethods = {
  findMissingBlobs: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs",
    request: FindMissingBlobsRequest,
    response: FindMissingBlobsResponse,
    requestStream: false,
    responseStream: false,
  },
  batchUpdateBlobs: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs",
    request: BatchUpdateBlobsRequest,
    response: BatchUpdateBlobsResponse,
    requestStream: false,
    responseStream: false,
  },
  batchReadBlobs: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchReadBlobs",
    request: BatchReadBlobsRequest,
    response: BatchReadBlobsResponse,
    requestStream: false,
    responseStream: false,
  },
  getTree: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/GetTree",
    request: GetTreeRequest,
    response: GetTreeResponse,
    requestStream: false,
    responseStream: true,
  },
  splitBlob: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/SplitBlob",
    request: SplitBlobRequest,
    response: SplitBlobResponse,
    requestStream: false,
    responseStream: false,
  },
  getChunkMapping: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/GetChunkMapping",
    request: GetChunkMappingRequest,
    response: GetChunkMappingResponse,
    requestStream: false,
    responseStream: true,
  },
  spliceBlob: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/SpliceBlob",
    request: SpliceBlobRequest,
    response: SpliceBlobResponse,
    requestStream: false,
    responseStream: false,
  },
  registerChunkMapping: {
    path: "/build.bazel.remote.execution.v2.ContentAddressableStorage/RegisterChunkMapping",
    request: RegisterChunkMappingRequest,
    response: RegisterChunkMappingResponse,
    requestStream: true,
    responseStream: false,
  },
} as const;

/** Methods of `build.bazel.remote.execution.v2.Capabilities`; each is a `Method` of ../codec.ts. */
export const CapabilitiesMethods = {
  getCapabilities: {
    path: "/build.bazel.remote.execution.v2.Capabilities/GetCapabilities",
    request: GetCapabilitiesRequest,
    response: ServerCapabilities,
    requestStream: false,
    responseStream: false,
  },
} as const;
