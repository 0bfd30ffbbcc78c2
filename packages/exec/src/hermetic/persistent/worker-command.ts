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
  type Clock,
  type Digest,
  digestSizeBytes,
  err,
  ok,
  type Problem,
  problem,
  type Result,
  type StoreProblem,
  sleep,
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
/** Lines of all flag files, each as often as it is named: small files inside each other can stand for any number. */
const LINES_MAX = 500_000;
/** Of all flag files, counted likewise. */
const BYTES_MAX = 32 * 1024 * 1024;
/** So many lines are taken before others get their turn. */
const TURN_LINES = 10_000;

/** True when a command has work for a worker beside what starts it. */
export function hasFlagFile(argv: readonly string[]): boolean {
  return argv.some((argument) => FLAG_FILE.test(argument));
}

/** What reading flag files stands on. */
export interface FlagFilePorts {
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

/** Takes a command apart; reads its flag files from the input tree. */
export async function workerCommand(
  command: CheckedCommand,
  tree: InputTree,
  ports: FlagFilePorts,
): Promise<Result<WorkerCommand, WorkerCommandRefusal>> {
  const startup = command.arguments.filter((argument) => !FLAG_FILE.test(argument));
  const files = command.arguments.filter((argument) => FLAG_FILE.test(argument));
  if (files.length === 0) return refuse("has no flag file (`@FILE`) among its arguments");
  if (startup.length === 0) return refuse("has nothing but flag files, so there is no program to start");
  const flagFiles = new FlagFiles(ports);
  const work: string[] = [];
  // In order: a nested file's lines come where it is named. One entry for each file that is open.
  const open: { readonly lines: readonly string[]; next: number }[] = [{ lines: files, next: 0 }];
  let taken = 0;
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const argument = top.lines[top.next++];
    if (argument === undefined) {
      open.pop();
      continue;
    }
    if (++taken > LINES_MAX) return refuse(`has flag files of more than ${LINES_MAX} lines together`);
    if (taken % TURN_LINES === 0) await sleep(ports.clock, 0);
    if (!argument.startsWith("@") || argument.startsWith("@@")) {
      work.push(argument);
      continue;
    }
    const path = argument.slice(1);
    const digest = inputDigest(tree, posix.join(command.workingDirectory, path));
    if (digest === undefined) return refuse(`has the flag file ${path.slice(0, SHOWN_MAX)}, which is no input file`);
    if (open.length > NESTING_MAX) return refuse(`has flag files more than ${NESTING_MAX} deep inside each other`);
    const lines = await flagFiles.lines(digest);
    if (!lines.ok) return lines;
    open.push({ lines: lines.value, next: 0 });
  }
  return ok({ startup: [...startup, "--persistent_worker"], work });
}

/** How much of a path a problem shows. */
const SHOWN_MAX = 200;

/** The flag files of one command. */
class FlagFiles {
  readonly #blobs: BlobStore;
  readonly #known = new Map<Digest, readonly string[]>();
  #sizeBytes = 0;

  constructor({ blobs }: FlagFilePorts) {
    this.#blobs = blobs;
  }

  async lines(digest: Digest): Promise<Result<readonly string[], WorkerCommandRefusal>> {
    this.#sizeBytes += digestSizeBytes(digest);
    if (this.#sizeBytes > BYTES_MAX) return refuse(`has flag files of more than ${BYTES_MAX} bytes together`);
    const known = this.#known.get(digest);
    if (known !== undefined) return ok(known);
    const bytes = digestSizeBytes(digest) === 0 ? ok(new Uint8Array()) : await this.#blobs.read(digest);
    if (!bytes.ok) return bytes;
    if (bytes.value === undefined) return err("missing" as const);
    const lines = Buffer.from(bytes.value).toString().split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    this.#known.set(digest, lines);
    return ok(lines);
  }
}

/** The digest of an input file or directory; `undefined` when there is none of that path. */
export function inputDigest(tree: InputTree, path: string): Digest | undefined {
  const found = follow(tree, path);
  if (found.kind === "directory") return found.tree?.digest;
  return found.kind === "file" ? found.digest : undefined;
}

function refuse(what: string) {
  return err(
    problem("command-invalid" as const, `the command for a persistent worker ${what}`, {
      next: "Correct the rule that made this action, or run it without a persistent worker.",
    }),
  );
}
