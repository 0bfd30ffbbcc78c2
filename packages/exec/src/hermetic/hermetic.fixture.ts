/** Test fixture: hermetic runners over memory and fake processes, or over this machine; and trees for them. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { openDiskStore } from "@kahn/cas";
import {
  type BlobStore,
  buildInputRoot,
  type Digest,
  type Directory,
  digestOf,
  encodeDirectory,
  type FileSystem,
  flattenTree,
  type TreeEntry,
} from "@kahn/core";
import {
  bootId,
  directRunner,
  hostName,
  livenessOf,
  nodeClock,
  nodeFileSystem,
  nodeRandom,
  ownIdentity,
  startGuardian,
} from "@kahn/system";
import { fakeProcessRunner, memoryBlobStore, memoryFileSystem, virtualClock } from "@kahn/testing";
import type {
  HermeticCommand,
  HermeticOutcome,
  HermeticRunner,
  HermeticRunnerOptions,
  SandboxPolicy,
} from "./hermetic-action.ts";
import { hermeticRunner } from "./hermetic-runner.ts";

/** Contents by path; `[target]` for a symlink, `null` for an empty directory. Names that end in `.sh` are executable. */
export type InputFiles = Readonly<Record<string, string | readonly [target: string] | null>>;

/** Stores a tree and answers with its root. */
export async function storeTree(blobs: BlobStore, files: InputFiles): Promise<Digest> {
  const entries: TreeEntry[] = [];
  const contents = new Map<Digest, Uint8Array>();
  for (const [path, content] of Object.entries(files)) {
    if (content === null) entries.push({ kind: "directory", path });
    else if (typeof content !== "string") entries.push({ kind: "symlink", path, target: content[0] });
    else {
      const digest = digestOf(content);
      contents.set(digest, Buffer.from(content));
      entries.push({ kind: "file", path, digest, executable: path.endsWith(".sh") });
    }
  }
  const built = buildInputRoot(entries, { keepBytes: true });
  for (const [digest, bytes] of [...contents, ...built.directories]) await blobs.write(digest, bytes);
  return built.root;
}

/** Stores one directory as it stands, however wrong it may be. */
export async function storeDirectory(blobs: BlobStore, directory: Partial<Directory>): Promise<Digest> {
  const bytes = encodeDirectory({ files: [], directories: [], symlinks: [], ...directory });
  const digest = digestOf(bytes);
  await blobs.write(digest, bytes);
  return digest;
}

/** A command with everything but what is told left empty. */
export function command(argv: readonly string[], rest: Partial<HermeticCommand> = {}): HermeticCommand {
  const environment = [{ name: "PATH", value: "/usr/bin:/bin" }];
  return { arguments: argv, environment, outputPaths: [], platform: [], workingDirectory: "", ...rest };
}

/** The same with a script for `sh`. */
export function script(text: string, rest: Partial<HermeticCommand> = {}): HermeticCommand {
  return command(["sh", "-c", text], rest);
}

/** The completed outcome. @throws with the outcome when it is another one. */
export function completed(outcome: HermeticOutcome): Extract<HermeticOutcome, { kind: "completed" }> {
  if (outcome.kind !== "completed") throw new Error(JSON.stringify(outcome));
  return outcome;
}

/** Both streams of a completed outcome, as text. */
export function printed(outcome: HermeticOutcome): { readonly stdout: string; readonly stderr: string } {
  const { result } = completed(outcome);
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? new Uint8Array()).toString();
  return { stdout: text(result.stdoutRaw), stderr: text(result.stderrRaw) };
}

/** What is in an output directory: `path: content`, `path -> target` or `path/`. */
export async function listTree(blobs: BlobStore, tree: Digest): Promise<string[]> {
  const flat = flattenTree(await bytesOf(blobs, tree));
  if (!flat.ok) throw new Error(flat.problem.message);
  const lines = flat.value.directories.map((path) => `${path}/`);
  for (const entry of flat.value.entries) {
    if (entry.kind === "symlink") lines.push(`${entry.path} -> ${entry.target}`);
    else if (entry.kind === "file") lines.push(`${entry.path}: ${await textOf(blobs, entry.digest)}`);
  }
  return lines.sort();
}

/** A blob's text. */
export async function textOf(blobs: BlobStore, digest: Digest): Promise<string> {
  return Buffer.from(await bytesOf(blobs, digest)).toString();
}

async function bytesOf(blobs: BlobStore, digest: Digest): Promise<Uint8Array> {
  const read = await blobs.read(digest);
  if (!read.ok || read.value === undefined) throw new Error(`no blob ${digest}`);
  return read.value;
}

/** A runner over memory, with processes that follow scripts. */
export function memoryRig(options: Partial<HermeticRunnerOptions> = {}) {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock });
  const blobs = memoryBlobStore(fs);
  const processes = fakeProcessRunner({ clock, fs });
  const all: HermeticRunnerOptions = { fs, clock, blobs, processes, root: "/x", sandbox: { mode: "off" }, ...options };
  return { clock, fs, blobs, processes, runner: hermeticRunner(all), options: all };
}

/** A runner on this machine. `end` ends all processes and removes everything. */
export interface RealRig {
  readonly fs: FileSystem;
  readonly blobs: BlobStore;
  readonly directory: string;
  readonly runner: HermeticRunner;
  readonly options: HermeticRunnerOptions;
  end(): Promise<void>;
}

let rigs = 0;

/** Opens a store with a runner in a temporary directory. @param packedMaxBytes 0: each blob has a file of its own. */
export function realRig(
  sandbox: SandboxPolicy,
  rest: Partial<HermeticRunnerOptions> = {},
  packedMaxBytes = 0,
): RealRig {
  const directory = mkdtempSync(`${tmpdir()}/kahn-hermetic-`);
  const fs = nodeFileSystem();
  const clock = nodeClock();
  const identity = ownIdentity();
  const store = openDiskStore({
    ...{ fs, clock, random: nodeRandom(), root: `${directory}/store`, packedMaxBytes },
    owner: { ...identity, bootId: bootId(), host: hostName() },
    livenessOf,
  });
  if (!store.ok) throw new Error(store.problem.message);
  const guardian = startGuardian({ token: `hermetic-${process.pid}-${++rigs}`, graceMs: 100 });
  const processes = directRunner({ clock, guardian });
  const { blobs } = store.value;
  const all = { fs, clock, blobs, processes, root: `${directory}/x`, sandbox, graceMs: 50, ...rest };
  const runner = hermeticRunner(all);
  const end = async () => {
    await processes.close();
    fs.removeTree(directory);
  };
  return { fs, blobs, directory, runner, options: all, end };
}
