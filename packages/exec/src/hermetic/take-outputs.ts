/**
 * Takes outputs from a folder that somebody may still be changing: links to them are made where he cannot reach, and
 * collected there.
 *
 * Owns:      the folder with the links, for as long as it takes.
 * Invariant: what is collected was in the folder: a link is made to what a name is, in a directory that is held. What is
 *            collected cannot become another file; only the bytes of a file may still change, as those of one that its
 *            command has not closed.
 */

import type { FileSystem } from "@kahn/core";
import { err, FileSystemError, ok, type Problem, problem, type Result } from "@kahn/core";
import { type CollectOutcome, type CollectRequest, collectOutputs, TOO_DEEP } from "./collect-outputs.ts";
import { HeldFolder } from "./internal/held-folder.ts";
import type { PlantingPorts } from "./internal/planting.ts";

/** What to collect, and from where. Paths are absolute. */
export interface TakeRequest extends Omit<CollectRequest, "execRoot"> {
  /** Nobody else can change what leads there. */
  readonly root: string;
  /** Relative to it: what the outputs are relative to. */
  readonly place: string;
  /** A folder that is not there, on the same file system, out of the other's reach. */
  readonly into: string;
}

type NotStorable = Problem<"output-not-storable">;

/** As many as Linux follows. */
const SYMLINKS_MAX = 40;

/** `collectOutputs`, from such a folder. @throws FileSystemError */
export async function takeOutputs(ports: PlantingPorts, request: TakeRequest): Promise<CollectOutcome> {
  const { fs } = ports;
  const { root, place, into, ...rest } = request;
  try {
    const taken = take(fs, request);
    if (!taken.ok) return { kind: "invalid", problem: taken.problem };
    return await collectOutputs(ports, { ...rest, execRoot: into });
  } finally {
    fs.removeTree(into);
  }
}

function take(fs: FileSystem, request: TakeRequest): Result<void, NotStorable> {
  const held = new HeldFolder(fs, request.root);
  try {
    const mirror = new Mirror(fs, held, request);
    for (const { place } of request.command.outputs) mirror.take(place);
    return ok(undefined);
  } catch (error) {
    if (error instanceof Unsteady) return err(error.problem);
    if (error instanceof FileSystemError && error.code === "ENAMETOOLONG") return err(TOO_DEEP);
    throw error;
  } finally {
    held.close();
  }
}

/** Thrown inside: an entry that is not what it was a moment ago. */
class Unsteady extends Error {
  readonly problem: NotStorable;
  constructor(place: string) {
    super(place);
    this.problem = problem(
      "output-not-storable",
      `${place} has a name that is not UTF-8, or changed as it was stored`,
      {
        next: "Let the worker end its writing before it answers, and give its outputs other names.",
      },
    );
  }
}

/** The folder of links: directories that are ours, and in them links to files and symlinks. */
class Mirror {
  readonly #fs: FileSystem;
  readonly #held: HeldFolder;
  readonly #request: TakeRequest;
  readonly #made = new Map<string, "directory" | "leaf">();

  constructor(fs: FileSystem, held: HeldFolder, request: TakeRequest) {
    this.#fs = fs;
    this.#held = held;
    this.#request = request;
    this.#directory("");
  }

  /** What is at an output's place, with all below it, and whatever its path or its own symlink goes through. */
  take(place: string): void {
    const names: string[] = [];
    const ahead = segments(place).reverse();
    let symlinks = 0;
    let isOutput = true;
    for (let segment = ahead.pop(); segment !== undefined; segment = ahead.pop()) {
      if (segment === "..") {
        if (names.pop() === undefined) return;
        continue;
      }
      const here = names.join("/");
      const own = [...names, segment].join("/");
      const kind = this.#kindOf(here, segment);
      if (kind === undefined) return;
      if (kind === "directory") {
        this.#directory(own);
        names.push(segment);
        continue;
      }
      this.#leaf(here, segment);
      if (kind !== "symlink") return;
      // Of a symlink that is an output itself only the kind of what it leads to is wanted.
      if (ahead.length === 0) isOutput = false;
      const target = this.#fs.readLink(`${this.#request.into}/${own}`);
      if (target === undefined || target.startsWith("/") || ++symlinks > SYMLINKS_MAX) return;
      ahead.push(...segments(target).reverse());
    }
    if (isOutput) this.#everything(names.join("/"));
  }

  #everything(root: string): void {
    const open = [root];
    for (let here = open.pop(); here !== undefined; here = open.pop()) {
      this.#directory(here);
      const entries = this.#held.within(this.#source(here), (path) => this.#fs.readDirectory(path));
      if (entries === undefined) throw new Unsteady(here);
      for (const { name, kind } of entries) {
        if (kind === "directory") open.push(here === "" ? name : `${here}/${name}`);
        else this.#leaf(here, name);
      }
    }
  }

  #kindOf(here: string, name: string) {
    return this.#held.within(this.#source(here), (path) => this.#fs.lstat(`${path}/${name}`))?.kind;
  }

  #directory(place: string): void {
    if (!this.#isNew(place, "directory")) return;
    this.#fs.makeDirectory(`${this.#request.into}/${place}`);
  }

  #leaf(here: string, name: string): void {
    const place = here === "" ? name : `${here}/${name}`;
    if (!this.#isNew(place, "leaf")) return;
    const to = `${this.#request.into}/${place}`;
    try {
      const linked = this.#held.within(this.#source(here), (path) => {
        this.#fs.link(`${path}/${name}`, to);
        return true;
      });
      if (linked !== true) throw new Unsteady(place);
    } catch (error) {
      // Gone, or a directory now.
      if (error instanceof FileSystemError && ["ENOENT", "ENOTDIR", "EPERM"].includes(error.code)) {
        throw new Unsteady(place);
      }
      throw error;
    }
  }

  /** Two outputs may overlap; but what was a link a moment ago must not be gone through as a directory. */
  #isNew(place: string, kind: "directory" | "leaf"): boolean {
    const before = this.#made.get(place);
    if (before !== undefined && before !== kind) throw new Unsteady(place);
    this.#made.set(place, kind);
    return before === undefined;
  }

  /** Relative to the worker's root. */
  #source(place: string): string {
    const { place: above } = this.#request;
    return above === "" || place === "" ? above + place : `${above}/${place}`;
  }
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}
