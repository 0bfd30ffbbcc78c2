/**
 * The default inputs of a project: files that git tracks or would add, less the declared outputs of all tasks and the
 * folders of other projects, and in any case the manifest.
 *
 * Owns:      what `$default` means, with git and without.
 * Never:     starts git when nothing changed: the verdict on each name is kept with the file-state index, next to the
 *            identity of the rules that gave it.
 * Invariant: what our reading of the rules and git's disagree on (files that are tracked though ignored) is asked of
 *            git itself, whenever its index or any rule changed.
 */
import type { FileSystem, Git } from "@kahn/core";
import type { Project, WorkspaceModel } from "../model.ts";
import type { Directory, WorkTreeStates } from "../states/index.ts";
import { addFile, type FileSet, noFiles } from "./file-walk.ts";
import { IgnoreRules } from "./ignore-rules.ts";
import type { OutputMask } from "./output-mask.ts";
import { inProject, isAtOrBelow } from "./pattern-set.ts";
import { findRepository, type GitEnvironment, type Repository } from "./repository.ts";

/** What the default inputs stand on. */
export interface DefaultFilesOptions {
  readonly model: WorkspaceModel;
  readonly states: WorkTreeStates;
  readonly fs: FileSystem;
  /** Without it, a repository's rules are read by Kahn alone. */
  readonly git: Git | undefined;
  readonly env: GitEnvironment;
  readonly outputs: OutputMask;
}

/** Without git: folders in which tools keep what they make. */
const TOOL_FOLDERS = new Set([
  ".git", ".hg", ".svn", ".jj", ".kahn", ".turbo", ".nx", ".cache", ".moon", ".wireit", ".lage", ".parcel-cache",
  ".yarn", ".pnpm-store", ".next", ".nuxt", ".svelte-kit", ".angular", "node_modules",
]); // biome-ignore format: a list

const NOTE = "git";

/** Where git and our reading of the rules differ, as of one state of index and rules. */
interface Differences {
  readonly index: string;
  readonly rules: number;
  /** Tracked though ignored: sorted. */
  readonly forced: readonly string[];
  /** Left out by git for a reason that the rules do not show. */
  readonly barred: readonly string[];
}

/** The same, ready for use. */
interface Exceptions {
  readonly forced: readonly string[];
  readonly barred: ReadonlySet<string>;
}

/** One walk for a project's files. */
interface Search {
  readonly project: Project | undefined;
  readonly into: FileSet;
  /** Paths of nested repositories met on the way. */
  readonly nested: string[];
}

/** Finds default inputs. One instance for each run. */
export class DefaultFiles {
  readonly #options: DefaultFilesOptions;
  readonly #projectDirectories: ReadonlySet<string>;
  readonly #rules = new Map<string, IgnoreRules>();
  readonly #found = new Map<string, { readonly revision: number; readonly files: FileSet }>();
  #repository: Repository | "none" | undefined;
  #exceptions: Exceptions | undefined;
  #sawOtherRules = false;

  constructor(options: DefaultFilesOptions) {
    this.#options = options;
    this.#projectDirectories = new Set(options.model.projects.map((project) => project.directory));
  }

  /** The files, nearly sorted. @throws FileSystemError when a directory cannot be read. */
  of(project: Project): FileSet {
    const { states } = this.#options;
    const known = this.#found.get(project.directory);
    if (known !== undefined && known.revision === states.revision) return known.files;
    const files = this.#search(project);
    this.#addManifest(project, files);
    this.#found.set(project.directory, { revision: states.revision, files });
    return files;
  }

  #search(project: Project): FileSet {
    const repository = this.#findRepository();
    if (repository === undefined) {
      const files = noFiles();
      this.#walk(project.directory, undefined, { project, into: files, nested: [] });
      return files;
    }
    this.#exceptions ??= this.#keptDifferences(repository) ?? this.#compareWithGit(repository);
    this.#sawOtherRules = false;
    let files = this.#walkProject(project, repository);
    if (this.#sawOtherRules) {
      this.#exceptions = this.#compareWithGit(repository);
      files = this.#walkProject(project, repository);
    }
    for (const path of this.#exceptions?.forced ?? []) {
      if (!this.#belongsTo(project, path)) continue;
      files.isSorted = false;
      addFile(files, this.#options.states.rowOf(path), path);
    }
    return files;
  }

  #walkProject(project: Project, repository: Repository): FileSet {
    const files = noFiles();
    this.#walk(project.directory, this.#rulesAbove(project.directory, repository), {
      project,
      into: files,
      nested: [],
    });
    return files;
  }

  #findRepository(): Repository | undefined {
    const { fs, model, env } = this.#options;
    this.#repository ??= findRepository(fs, model.root, env) ?? "none";
    return this.#repository === "none" ? undefined : this.#repository;
  }

  #addManifest(project: Project, files: FileSet): void {
    const path = project.directory === "" ? "package.json" : `${project.directory}/package.json`;
    const id = this.#options.states.rowOf(path);
    if (files.ids.includes(id)) return;
    files.isSorted = false;
    addFile(files, id, path);
  }

  /** Adds the files below a directory that the rules leave in. `rules`: those from above; `undefined`: without git. */
  #walk(path: string, rules: IgnoreRules | undefined, search: Search): void {
    const { states, outputs } = this.#options;
    const directory = states.list(path);
    if (directory === undefined) return;
    const here = rules && this.#rulesIn(directory, rules);
    if (here !== undefined) this.#adopt(directory, here);
    const { names, ids } = directory;
    const { project, into } = search;
    for (let index = 0; index < names.length; index++) {
      const id = ids[index]!;
      const name = names[index]!;
      const kind = states.table.kind(id);
      if (name === ".git" && path !== "") search.nested.push(path);
      if (name === ".git" || kind === "absent" || kind === "other" || kind === "unknown") continue;
      const own = directory.pathOf(name);
      const isDirectory = kind === "directory";
      if (here === undefined ? isDirectory && TOOL_FOLDERS.has(name) : this.#isIgnored(id, own, here)) continue;
      if (isDirectory) {
        if (name === ".kahn" || (project !== undefined && this.#isLeftOut(project, own))) continue;
        this.#walk(own, here, search);
      } else if (project === undefined || this.#isTaken(project, own, outputs)) {
        addFile(into, id, own);
      }
    }
  }

  #isLeftOut(project: Project, directory: string): boolean {
    if (this.#projectDirectories.has(directory)) return true;
    return this.#options.outputs.coversDirectory(project.directory, directory);
  }

  #isTaken(project: Project, path: string, outputs: OutputMask): boolean {
    return !outputs.isOutput(project.directory, path) && !this.#exceptions?.barred.has(path);
  }

  /** True when a path below a project is not below another project within it, and no output. */
  #belongsTo(project: Project, path: string): boolean {
    if (inProject(project.directory, path) === undefined) return false;
    for (let at = path.lastIndexOf("/"); at > project.directory.length; at = path.lastIndexOf("/", at - 1)) {
      if (this.#projectDirectories.has(path.slice(0, at))) return false;
    }
    return !this.#options.outputs.isOutput(project.directory, path);
  }

  // ——— ignore rules ———

  #isIgnored(id: number, path: string, rules: IgnoreRules): boolean {
    const { states } = this.#options;
    const known = states.table.verdict(id);
    if (known !== "unknown") return known === "ignored";
    const { prefix } = this.#repository as Repository;
    const isIgnored = rules.ignores(prefix + path, states.table.kind(id) === "directory");
    states.table.setVerdict(id, isIgnored ? "ignored" : "included");
    states.touch();
    return isIgnored;
  }

  /** Drops the verdicts in a directory that other rules gave. */
  #adopt(directory: Directory, rules: IgnoreRules): void {
    if (directory.rules === rules.id) return;
    if (directory.rules !== 0) this.#sawOtherRules = true;
    for (const id of directory.ids) this.#options.states.table.setVerdict(id, "unknown");
    directory.rules = rules.id;
    this.#options.states.touch();
  }

  #rulesAbove(path: string, repository: Repository): IgnoreRules {
    if (path === "") return repository.rules;
    const above = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    const rules = this.#rulesAbove(above, repository);
    const directory = this.#options.states.list(above);
    return directory === undefined ? rules : this.#rulesIn(directory, rules);
  }

  #rulesIn(directory: Directory, above: IgnoreRules): IgnoreRules {
    const { states, fs, model } = this.#options;
    const id = directory.find(".gitignore");
    if (id === undefined || states.table.kind(id) !== "file") return above;
    const path = directory.pathOf(".gitignore");
    states.look([id], [path]);
    const entry = states.inputAt(id, path);
    // A link is not followed, nor is it by git; a file that cannot be read says nothing.
    if (entry?.kind !== "file") return above;
    const { prefix } = this.#repository as Repository;
    const base = directory.path === "" ? prefix : `${prefix}${directory.path}/`;
    const key = `${above.id} ${base} ${entry.digest}`;
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const text = () => Buffer.from(fs.readFile(`${model.root}/${path}`) ?? "").toString();
    const rules = new IgnoreRules(above, { base, identity: entry.digest, text });
    this.#rules.set(key, rules);
    return rules;
  }

  // ——— what only git knows ———

  #keptDifferences({ indexStamp, rules }: Repository): Exceptions | undefined {
    const kept = this.#options.states.note(NOTE) as Differences | undefined;
    if (kept === undefined || kept.index !== indexStamp || kept.rules !== rules.id) return undefined;
    return { forced: kept.forced, barred: new Set(kept.barred) };
  }

  #compareWithGit(repository: Repository): Exceptions {
    const { git, model, states } = this.#options;
    const listed = git?.listFiles(model.root);
    if (listed === undefined) return { forced: [], barred: new Set() };
    const search: Search = { project: undefined, into: noFiles(), nested: [] };
    this.#walk("", repository.rules, search);
    const ours = new Set(search.into.paths);
    const theirs = new Set(listed);
    // A nested repository is one name for git, and files like others for us.
    const isNested = (path: string) => search.nested.some((each) => isAtOrBelow(path, each));
    const isOurState = (path: string) => path.startsWith(".kahn/") || path.includes("/.kahn/");
    const forced = listed.filter(
      (path) => !ours.has(path) && !path.endsWith("/") && !isNested(path) && !isOurState(path),
    );
    const barred = search.into.paths.filter((path) => !theirs.has(path) && !isNested(path));
    const differences: Differences = { index: repository.indexStamp, rules: repository.rules.id, forced, barred };
    states.setNote(NOTE, differences);
    return { forced, barred: new Set(barred) };
  }
}
