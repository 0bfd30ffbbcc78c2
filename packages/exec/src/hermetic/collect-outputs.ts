/**
 * Collects the outputs of a command that has ended: from its exec root into the store and the lists of a result.
 *
 * Never:     follows a symlink: a link is an output itself; one among an output's parents is followed only when it
 *            stays inside the exec root, so that no file of this machine becomes an output. That needs an exec root whose
 *            directories nobody changes meanwhile; from a worker, which lives, outputs are taken first (`takeOutputs`).
 * Invariant: every blob that the lists name is in the store.
 */
import { posix } from "node:path";
import {
  buildInputRoot,
  compareUtf8,
  type Digest,
  type FileStat,
  FileSystemError,
  type IngestRequest,
  invariant,
  type Problem,
  problem,
  type TreeEntry,
  treeOf,
} from "@kahn/core";
import type { CheckedCommand, WantedOutput } from "./command-check.ts";
import type {
  HermeticDirectory,
  HermeticFile,
  HermeticSymlink,
  InvalidActionCode,
  NodeProperties,
} from "./hermetic-action.ts";
import type { InputTree } from "./input-tree.ts";
import type { PlantingPorts } from "./internal/planting.ts";
import { follow } from "./internal/tree-paths.ts";

/** The outputs found. */
export interface HermeticOutputs {
  readonly outputFiles: readonly HermeticFile[];
  readonly outputDirectories: readonly HermeticDirectory[];
  readonly outputSymlinks: readonly HermeticSymlink[];
}

/** What collecting gave. */
export type CollectOutcome =
  | { readonly kind: "collected"; readonly outputs: HermeticOutputs }
  | { readonly kind: "invalid"; readonly problem: Problem<InvalidActionCode> }
  | { readonly kind: "errored"; readonly problem: Problem };

/** What to collect, and how. */
export interface CollectRequest {
  readonly command: CheckedCommand;
  /** Absolute. */
  readonly execRoot: string;
  readonly tree: InputTree;
  /** Digest of bytes by the action's function. */
  readonly digest: (bytes: Uint8Array) => Digest;
  /** A digest of the action's function, which tells the store to use it. */
  readonly hint: Digest;
  /** True when no process can have a file of the exec root open any more. */
  readonly quiet: boolean;
  readonly allowAbsoluteSymlinks: boolean;
}

/** Larger files become the store's own, by a link, where nobody can write to them any more; smaller ones are packed. */
const ADOPT_MIN_BYTES = 1024 * 1024;

/** A file or symlink below the exec root. */
type Leaf =
  | { readonly kind: "file"; readonly path: string; readonly stat: FileStat }
  | { readonly kind: "symlink"; readonly path: string; readonly stat: FileStat; readonly target: string };

type Found =
  | { readonly wanted: WantedOutput; readonly leaf: Leaf }
  | { readonly wanted: WantedOutput; readonly path: string; readonly leaves: Leaf[]; readonly empty: string[] };

/** Thrown inside, and caught in `collectOutputs`: an output that cannot be one. */
class Unfit extends Error {
  readonly problem: Problem<InvalidActionCode>;
  constructor(code: InvalidActionCode, message: string, next: string) {
    super(message);
    this.problem = problem(code, message, { next });
  }
}

/** An output below more directories than a path can name. */
export const TOO_DEEP = problem("output-not-storable", "an output lies so deep that no path leads to it", {
  next: "Let the command make fewer directories inside each other.",
});

/** Finds the outputs and stores them. @throws FileSystemError */
export async function collectOutputs(ports: PlantingPorts, request: CollectRequest): Promise<CollectOutcome> {
  let found: Found[];
  try {
    found = new OutputSearch(ports, request).all();
  } catch (error) {
    if (error instanceof Unfit) return { kind: "invalid", problem: error.problem };
    if (error instanceof FileSystemError && error.code === "ENAMETOOLONG")
      return { kind: "invalid", problem: TOO_DEEP };
    throw error;
  }
  const files = found.flatMap((each) => ("leaf" in each ? [each.leaf] : each.leaves)).filter(isFile);
  const requests = files.map(
    ({ path, stat }): IngestRequest => ({
      path,
      executable: isExecutable(stat),
      expected: request.hint,
      adopt: request.quiet && stat.sizeBytes >= ADOPT_MIN_BYTES,
    }),
  );
  const ingested = await ports.blobs.ingest(requests);
  if (!ingested.ok) return { kind: "errored", problem: ingested.problem };
  const digests = new Map(files.map(({ path }, index) => [path, ingested.value[index]!]));
  const lists = new OutputLists(ports, request, digests);
  for (const each of found) {
    const refused = await lists.add(each);
    if (refused !== undefined) return { kind: "errored", problem: refused };
  }
  return { kind: "collected", outputs: lists.sorted() };
}

/** The walk over what the command left. */
class OutputSearch {
  readonly #ports: PlantingPorts;
  readonly #request: CollectRequest;
  readonly #realRoot: string;

  constructor(ports: PlantingPorts, request: CollectRequest) {
    this.#ports = ports;
    this.#request = request;
    this.#realRoot = ports.fs.realPath(request.execRoot) ?? request.execRoot;
  }

  all(): Found[] {
    const found: Found[] = [];
    for (const wanted of this.#request.command.outputs) {
      const one = this.#find(wanted);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  #find(wanted: WantedOutput): Found | undefined {
    const { fs } = this.#ports;
    const path = this.#realPath(wanted);
    const stat = path === undefined ? undefined : fs.lstat(path);
    if (path === undefined || stat === undefined) return undefined;
    if (stat.kind !== "directory") {
      if (wanted.declared === "directory" && stat.kind === "file") throw clash(wanted, "a file", "directory");
      return { wanted, leaf: this.#leaf(path, stat) };
    }
    if (wanted.declared === "file") throw clash(wanted, "a directory", "file");
    const tree = { wanted, path, leaves: [] as Leaf[], empty: [] as string[] };
    this.#walk(path, tree);
    return tree;
  }

  /** The path with its parents' symlinks followed; `undefined` when there is no such parent. */
  #realPath(wanted: WantedOutput): string | undefined {
    const { execRoot } = this.#request;
    if (wanted.place === "") return execRoot;
    const path = `${execRoot}/${wanted.place}`;
    const parent = this.#ports.fs.realPath(posix.dirname(path));
    if (parent === undefined) return undefined;
    if (parent === this.#realRoot || parent.startsWith(`${this.#realRoot}/`)) {
      return `${parent}/${posix.basename(path)}`;
    }
    throw new Unfit(
      "output-path-blocked",
      `the output "${wanted.path}" is below a symlink that leads out of the exec root`,
      "Let the command write its outputs into real directories.",
    );
  }

  #walk(root: string, into: { readonly leaves: Leaf[]; readonly empty: string[] }): void {
    const { fs } = this.#ports;
    const open = [root];
    for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
      this.#makeReadable(directory, fs.lstat(directory), 0o500);
      const names = fs.readDirectory(directory) ?? [];
      if (names.length === 0 && directory !== root) into.empty.push(directory);
      for (const { name } of names) {
        const path = `${directory}/${name}`;
        const stat = fs.lstat(path);
        if (stat === undefined) throw notStorable(this.#shown(path), "has a name that is not UTF-8");
        if (stat.kind === "directory") open.push(path);
        else into.leaves.push(this.#leaf(path, stat));
      }
    }
  }

  #leaf(path: string, stat: FileStat): Leaf {
    const { fs } = this.#ports;
    if (stat.kind === "file") {
      this.#makeReadable(path, stat, 0o400);
      return { kind: "file", path, stat };
    }
    if (stat.kind !== "symlink")
      throw notStorable(this.#shown(path), "is neither a file nor a directory nor a symlink");
    const target = fs.readLink(path) ?? "";
    if (target.startsWith("/") && !this.#request.allowAbsoluteSymlinks) {
      throw new Unfit(
        "symlink-absolute",
        `the output symlink ${this.#shown(path)} leads to the absolute path ${target}`,
        "Let the command make a relative symlink; this server takes no absolute ones.",
      );
    }
    return { kind: "symlink", path, stat, target };
  }

  /** Whatever mode a command gives its outputs, they are ours to read. */
  #makeReadable(path: string, stat: FileStat | undefined, bits: number): void {
    if (stat !== undefined && (stat.mode & bits) !== bits) this.#ports.fs.chmod(path, stat.mode | bits);
  }

  #shown(path: string): string {
    return path.slice(this.#realRoot.length + 1);
  }
}

/** The lists of a result as they grow. */
class OutputLists {
  readonly #ports: PlantingPorts;
  readonly #request: CollectRequest;
  readonly #digests: ReadonlyMap<string, Digest>;
  readonly #files: HermeticFile[] = [];
  readonly #directories: HermeticDirectory[] = [];
  readonly #symlinks: HermeticSymlink[] = [];

  constructor(ports: PlantingPorts, request: CollectRequest, digests: ReadonlyMap<string, Digest>) {
    this.#ports = ports;
    this.#request = request;
    this.#digests = digests;
  }

  /** @returns the store's refusal. */
  async add(found: Found): Promise<Problem | undefined> {
    const { path } = found.wanted;
    if (!("leaf" in found)) return await this.#addDirectory(found);
    const { leaf } = found;
    const properties = this.#properties(leaf.stat);
    if (leaf.kind === "file") {
      this.#files.push({ path, digest: this.#digestOf(leaf.path), executable: isExecutable(leaf.stat), ...properties });
    } else
      this.#symlinks.push({ path, target: leaf.target, leadsTo: this.#leadsTo(found.wanted, leaf), ...properties });
    return undefined;
  }

  sorted(): HermeticOutputs {
    return {
      outputFiles: byPath(this.#files),
      outputDirectories: byPath(this.#directories),
      outputSymlinks: byPath(this.#symlinks),
    };
  }

  async #addDirectory({ wanted, path: root, leaves, empty }: Extract<Found, { path: string }>) {
    const { digest } = this.#request;
    const within = (path: string) => path.slice(root.length + 1);
    const entries = leaves.map((leaf): TreeEntry => {
      const path = within(leaf.path);
      if (leaf.kind === "symlink") return { kind: "symlink", path, target: leaf.target };
      return { kind: "file", path, digest: this.#digestOf(leaf.path), executable: isExecutable(leaf.stat) };
    });
    for (const path of empty) entries.push({ kind: "directory", path: within(path) });
    const tree = treeOf(entries, { digest });
    this.#directories.push({ path: wanted.path, tree: tree.digest, rootDirectory: tree.root });
    const messages = new Map([[tree.digest, tree.bytes]]);
    if (this.#request.command.wantsDirectories) {
      for (const [key, bytes] of buildInputRoot(entries, { digest, keepBytes: true }).directories)
        messages.set(key, bytes);
    }
    for (const [key, bytes] of messages) {
      const written = await this.#ports.blobs.write(key, bytes);
      if (!written.ok) return written.problem;
    }
    return undefined;
  }

  #digestOf(path: string): Digest {
    const digest = this.#digests.get(path);
    invariant(digest !== undefined, `an output was not taken in: ${path}`);
    return digest;
  }

  #properties({ mtimeMs, mode }: FileStat): { readonly properties?: NodeProperties } {
    const { wantsMtime, wantsMode } = this.#request.command;
    if (!wantsMtime && !wantsMode) return {};
    return { properties: { ...(wantsMtime ? { mtimeMs } : {}), ...(wantsMode ? { unixMode: mode } : {}) } };
  }

  /** On disk, and among the inputs: those that were mounted are not there any more. */
  #leadsTo({ place }: WantedOutput, leaf: Extract<Leaf, { kind: "symlink" }>): HermeticSymlink["leadsTo"] {
    const { fs } = this.#ports;
    const { tree, execRoot } = this.#request;
    if (leaf.target.startsWith("/")) return "nothing";
    const inside = follow(tree, posix.join(posix.dirname(place), leaf.target));
    if (inside.kind === "file") return "file";
    if (inside.kind === "directory" && inside.tree !== undefined) return "directory";
    const real = fs.realPath(leaf.path);
    const realRoot = fs.realPath(execRoot) ?? execRoot;
    const kind = real?.startsWith(`${realRoot}/`) === true ? fs.lstat(real)?.kind : undefined;
    return kind === "file" || kind === "directory" ? kind : "nothing";
  }
}

function isFile(leaf: Leaf): leaf is Extract<Leaf, { kind: "file" }> {
  return leaf.kind === "file";
}

function isExecutable({ mode }: FileStat): boolean {
  return (mode & 0o111) !== 0;
}

function byPath<T extends { readonly path: string }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => compareUtf8(a.path, b.path));
}

function clash({ path }: WantedOutput, found: string, declared: string): Unfit {
  const message = `the output "${path}" was declared as a ${declared} and is ${found}`;
  return new Unfit("output-type-clash", message, "Declare it as what the command makes, or under output_paths.");
}

function notStorable(path: string, why: string): Unfit {
  return new Unfit("output-not-storable", `the output ${path} ${why}`, "Let the command make something else of it.");
}
