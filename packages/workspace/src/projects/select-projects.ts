/**
 * Chooses projects: what `-p` means.
 *
 * Owns:      the grammar below and the problem that nothing matches.
 * Invariant: projects come in the order of the model, each once.
 *
 * ```
 * pattern   = ["!"] ["..." ["^"]] base [["^"] "..."]
 * base      = name | "./" folder | "tag:" tag | "//"
 * ```
 * A name may hold `*` and `?`, and may leave its scope out when only one project is meant. A folder means the projects
 * in it and below. `...x` adds the projects that depend on x, `x...` those that x depends on; `^` leaves x itself out.
 * `!` takes projects away, wherever it stands; with nothing but `!` patterns, the rest is chosen.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { suggest } from "../config/suggestion.ts";
import type { Project, WorkspaceModel } from "../model.ts";

/** How patterns are read. */
export interface SelectOptions {
  /** Workspace-relative folder that `./` starts from; default the root. */
  readonly directory?: string;
}

/**
 * The projects that the patterns choose. Without patterns: all, but not the root unless it is the only one.
 *
 * @returns a `no-project-matches` problem for each pattern that matches nothing, `selector-malformed` for one that is
 *          not of the grammar.
 */
export function selectProjects(
  model: WorkspaceModel,
  patterns: readonly string[],
  options: SelectOptions = {},
): Result<readonly Project[], readonly Problem[]> {
  const problems: Problem[] = [];
  const chosen = new Set<Project>();
  const dropped = new Set<Project>();
  const links = linksOf(model);
  for (const pattern of patterns) {
    const selector = parseSelector(pattern);
    if (selector === undefined) {
      problems.push(malformed(pattern));
      continue;
    }
    const bases = baseMatches(model, selector.base, options.directory ?? "");
    if (bases.length === 0) problems.push(noMatch(model, pattern, selector.base));
    for (const project of withLinked(bases, selector, links)) (selector.excludes ? dropped : chosen).add(project);
  }
  if (problems.length > 0) return err(problems);
  const isOpen = patterns.every((pattern) => pattern.startsWith("!"));
  const all = isOpen ? packagesOf(model) : model.projects.filter((project) => chosen.has(project));
  return ok(all.filter((project) => !dropped.has(project)));
}

/** Every project but the root; the root when it is alone. */
export function packagesOf(model: WorkspaceModel): readonly Project[] {
  return model.projects.length === 1 ? model.projects : model.projects.filter((project) => project.name !== "//");
}

interface Selector {
  readonly excludes: boolean;
  readonly base: string;
  readonly dependents: boolean;
  readonly dependencies: boolean;
  /** `^`: what the base matches is left out. */
  readonly withoutBase: boolean;
}

function parseSelector(pattern: string): Selector | undefined {
  const match = /^(!?)(\.\.\.\^?)?(.+?)(\^?\.\.\.)?$/.exec(pattern.trim());
  if (match === null) return undefined;
  const [, bang, before = "", base = "", after = ""] = match;
  if (/^[.^]+$/.test(base) && base !== "." && base !== "..") return undefined;
  if (/[{}[\]]/.test(base)) return undefined;
  return {
    excludes: bang === "!",
    base,
    dependents: before !== "",
    dependencies: after !== "",
    withoutBase: `${before}${after}`.includes("^"),
  };
}

function malformed(pattern: string): Problem {
  return problem("selector-malformed", `"${pattern}" is not a selector of projects`, {
    next: 'Write a name ("@acme/*"), a folder ("./apps"), "tag:x", "...name", "name..." or "!name".',
  });
}

function noMatch(model: WorkspaceModel, pattern: string, base: string): Problem {
  const isTag = base.startsWith("tag:");
  const known = isTag
    ? [...new Set(model.projects.flatMap((project) => project.tags.map((tag) => `tag:${tag}`)))]
    : packagesOf(model).map((project) => (base.startsWith(".") ? `./${project.directory}` : project.name));
  return problem("no-project-matches", `No project matches "${pattern}"`, {
    next: suggest(base, known, isTag ? "tags" : "projects"),
  });
}

function baseMatches(model: WorkspaceModel, base: string, directory: string): readonly Project[] {
  if (base === "//") return model.projects.filter((project) => project.name === "//");
  if (base.startsWith("tag:")) return model.projects.filter((project) => project.tags.includes(base.slice(4)));
  if (/^\.{1,2}(\/|$)/.test(base)) return inFolder(model, base, directory);
  const exact = model.projects.filter((project) => project.name === base);
  if (exact.length > 0) return exact;
  if (/[*?]/.test(base)) {
    const matches = globPattern(base);
    return packagesOf(model).filter((project) => matches.test(project.name));
  }
  const root = model.projects.filter((project) => project.manifestEnv.npm_package_name === base);
  const unscoped = packagesOf(model).filter(
    (project) => project.name.endsWith(`/${base}`) && project.name.startsWith("@"),
  );
  return root.length > 0 ? root : unscoped.length === 1 ? unscoped : [];
}

function inFolder(model: WorkspaceModel, base: string, directory: string): readonly Project[] {
  const segments = directory === "" ? [] : directory.split("/");
  for (const segment of base.split("/")) {
    if (segment === "..") {
      if (segments.pop() === undefined) return [];
    } else if (segment !== "." && segment !== "") segments.push(segment);
  }
  const folder = segments.join("/");
  if (folder === "") return packagesOf(model);
  if (/[*?]/.test(folder)) {
    const matches = globPattern(folder);
    return packagesOf(model).filter((project) => matches.test(project.directory));
  }
  return packagesOf(model).filter(
    (project) => project.directory === folder || project.directory.startsWith(`${folder}/`),
  );
}

/** `*` within one segment, `**` across, `?` one character. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*|[*?]|[.+^${}()|[\]\\]/g, (part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    return part === "?" ? "[^/]" : `\\${part}`;
  });
  // `*` alone means every name, scoped or not.
  return glob === "*" ? /^/ : new RegExp(`^${source}$`);
}

interface Links {
  readonly dependencies: ReadonlyMap<Project, readonly Project[]>;
  readonly dependents: ReadonlyMap<Project, readonly Project[]>;
}

function linksOf(model: WorkspaceModel): Links {
  const byName = new Map(model.projects.map((project) => [project.name, project]));
  const dependencies = new Map<Project, Project[]>();
  const dependents = new Map<Project, Project[]>(model.projects.map((project) => [project, []]));
  for (const project of model.projects) {
    const targets = project.dependencies.map((name) => byName.get(name)!);
    dependencies.set(project, targets);
    for (const target of targets) dependents.get(target)!.push(project);
  }
  return { dependencies, dependents };
}

function withLinked(bases: readonly Project[], selector: Selector, links: Links): Set<Project> {
  const found = new Set<Project>(selector.withoutBase ? [] : bases);
  if (selector.dependents) for (const each of reached(bases, links.dependents)) found.add(each);
  if (selector.dependencies) for (const each of reached(bases, links.dependencies)) found.add(each);
  return found;
}

/** What is reached from the bases by at least one step, a base too when another leads to it. */
function reached(bases: readonly Project[], links: ReadonlyMap<Project, readonly Project[]>): Set<Project> {
  const found = new Set<Project>();
  const pending = bases.flatMap((base) => links.get(base)!);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    pending.push(...links.get(next)!);
  }
  return found;
}
