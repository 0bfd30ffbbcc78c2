/**
 * From an action's command to a worker's: which arguments start the worker, and which are the work.
 *
 * Source: Bazel, `WorkerParser` and `WorkerSpawnRunner`: arguments of the form `@FILE`, `-flagfile=FILE` or
 *         `--flagfile=FILE` are the work, all others start the worker, with `--persistent_worker` added; in the work,
 *         `@FILE` is replaced by the lines of the file, in which `@FILE` means the same and `@@` is left alone.
 */
import { posix } from "node:path";
import {
  type BlobStore,
  type Digest,
  digestSizeBytes,
  err,
  ok,
  type Problem,
  problem,
  type Result,
  type StoreProblem,
} from "@kahn/core";
import type { CheckedCommand } from "../command-check.ts";
import type { InputTree } from "../input-tree.ts";
import { follow } from "../internal/tree-paths.ts";

/** A command taken apart. */
export interface WorkerCommand {
  /** Starts the worker. */
  readonly startup: readonly string[];
  /** Arguments of this piece of work. */
  readonly work: readonly string[];
}

/** Why a command cannot be taken apart; `missing`: a flag file's blob lacks. */
export type WorkerCommandRefusal = Problem<"command-invalid"> | StoreProblem | "missing";

const FLAG_FILE = /^(@|--?flagfile=)./;
const NESTING_MAX = 100;

/** True when a command has work for a worker beside what starts it. */
export function hasFlagFile(argv: readonly string[]): boolean {
  return argv.some((argument) => FLAG_FILE.test(argument));
}

/** Takes a command apart; reads its flag files from the input tree. */
export async function workerCommand(
  command: CheckedCommand,
  tree: InputTree,
  blobs: BlobStore,
): Promise<Result<WorkerCommand, WorkerCommandRefusal>> {
  const startup = command.arguments.filter((argument) => !FLAG_FILE.test(argument));
  const files = command.arguments.filter((argument) => FLAG_FILE.test(argument));
  if (files.length === 0) return refuse("has no flag file (`@FILE`) among its arguments");
  if (startup.length === 0) return refuse("has nothing but flag files, so there is no program to start");
  const work: string[] = [];
  // In order: a nested file's lines come where it is named.
  const open = files.map((argument) => ({ argument, depth: 0 })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { argument, depth } = next;
    if (!argument.startsWith("@") || argument.startsWith("@@")) {
      work.push(argument);
      continue;
    }
    const path = argument.slice(1);
    const digest = inputDigest(tree, posix.join(command.workingDirectory, path));
    if (digest === undefined || depth > NESTING_MAX) return refuse(`has the flag file ${path}, which is no input file`);
    const bytes = digestSizeBytes(digest) === 0 ? ok(new Uint8Array()) : await blobs.read(digest);
    if (!bytes.ok) return bytes;
    if (bytes.value === undefined) return err("missing" as const);
    const lines = Buffer.from(bytes.value).toString().split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    open.push(...lines.map((line) => ({ argument: line, depth: depth + 1 })).reverse());
  }
  return ok({ startup: [...startup, "--persistent_worker"], work });
}

/** The digest of an input file or directory; `undefined` when there is none of that path. */
export function inputDigest(tree: InputTree, path: string): Digest | undefined {
  const found = follow(tree, path);
  if (found.kind === "directory") return found.tree?.digest;
  if (found.kind === "blocked") return undefined;
  const parent = follow(tree, posix.dirname(found.place));
  if (parent.kind !== "directory") return undefined;
  return parent.tree?.directory.files.find(({ name }) => name === posix.basename(found.place))?.digest;
}

function refuse(what: string) {
  return err(
    problem("command-invalid" as const, `the command for a persistent worker ${what}`, {
      next: "Correct the rule that made this action, or run it without a persistent worker.",
    }),
  );
}
