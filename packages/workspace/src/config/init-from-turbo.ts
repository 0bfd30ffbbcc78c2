/**
 * A turbo.json as a `kahn.jsonc` that means the same.
 *
 * Owns:      which tasks become one entry for all projects, and which need an entry of their own.
 * Invariant: reading the text gives the tasks that the turbo.json gave: the same commands, references, inputs, outputs,
 *            variables and caching. What a root's configuration cannot say is said in a comment.
 */
import type { FileSystem, SourcePlace } from "@kahn/core";
import type { Project, TaskDefinition, WorkspaceModel } from "../model.ts";
import type { ProposedConfig, ProposedTask } from "./config-writing.ts";
import { parseJsonTree, plainValue } from "./json-tree.ts";
import { formatTaskReference } from "./task-reference.ts";

/** The fields of one entry as they are written. */
type WrittenTask = Readonly<Record<string, unknown>>;

/** What each field says that would otherwise show through from the entry for all projects. */
const NOTHING: WrittenTask = {
  description: "",
  dependsOn: [],
  validates: [],
  inputs: ["$default"],
  outputs: [],
  env: [],
  passEnv: [],
  cache: true,
  persistent: false,
  interactive: false,
};

const TURBO_FILE = /(?:^|\/)turbo\.jsonc?$/;

/**
 * Translates a model that was read from a turbo.json.
 *
 * @param context `fs` for reading that file again, for what is not the model's; `names` of the tasks that scripts give.
 */
export function translatedTurbo(
  model: WorkspaceModel,
  context: { readonly fs: FileSystem; readonly names: readonly string[] },
): ProposedConfig {
  const root = rootFile(model, context.fs);
  const declared = model.tasks.filter(isDeclared);
  const names = new Set(declared.map((each) => each.task));
  const bases = new Map<string, TaskDefinition>();
  for (const each of declared) {
    // One with a command says whether it is cached.
    if (isForAll(each) && (!bases.has(each.task) || bases.get(each.task)!.command.kind === "none"))
      bases.set(each.task, each);
  }
  const tasks = [...names].sort().flatMap((name): ProposedTask[] => {
    const base = bases.get(name);
    const own = declared.filter((each) => each.task === name).flatMap((each) => ownEntry(each, base, model));
    return base === undefined ? own : [{ key: name, fields: writtenTask(base) }, ...own];
  });
  return {
    introduction: [
      "Translated from turbo.json, which Kahn does not read beside this file.",
      ...optedOut(model, bases),
      ...tagRemarks(model.projects),
      ...cacheRemarks(root),
    ],
    settings: writtenSettings(model, root),
    tasks,
    undeclared: context.names.filter((name) => !names.has(name)),
  };
}

function isDeclared(task: TaskDefinition): boolean {
  return TURBO_FILE.test(task.declaredAt.file);
}

/** True when the task's entry is the one that names no project. */
function isForAll({ declaredAt, task }: TaskDefinition): boolean {
  return !declaredAt.file.includes("/") && keyAt(declaredAt) === JSON.stringify(task);
}

/** The key at a place, with its quotes. */
function keyAt({ text, column, length }: SourcePlace): string | undefined {
  return text === undefined || column === undefined ? undefined : text.slice(column - 1, column - 1 + (length ?? 0));
}

/** What a task says beyond the entry for all projects; nothing when that entry says it all. */
function ownEntry(task: TaskDefinition, base: TaskDefinition | undefined, model: WorkspaceModel): ProposedTask[] {
  const written = writtenTask(task);
  if (base === undefined || !takesShared(task.project, model)) return [{ key: task.id, fields: written }];
  const beneath = writtenTask(base);
  const isStandIn = task.command.kind === "none";
  const fields: Record<string, unknown> = {};
  for (const name of Object.keys(NOTHING)) {
    // Whether a task without a command would be cached is nowhere to be seen, and matters nowhere.
    if (isStandIn && name === "cache") continue;
    if (JSON.stringify(written[name]) !== JSON.stringify(beneath[name])) fields[name] = written[name] ?? NOTHING[name];
  }
  // An entry of its own keeps a task without a command in the graph, so an empty one says something.
  const saysNothing = Object.keys(fields).length === 0 && (isForAll(task) || !isStandIn);
  return saysNothing ? [] : [{ key: task.id, fields }];
}

function takesShared(project: string, model: WorkspaceModel): boolean {
  return project !== "//" || model.projects.length === 1;
}

/** The fields that are not what they are by default. */
function writtenTask(task: TaskDefinition): WrittenTask {
  const { description, inputs, outputs, persistent, interactive } = task;
  const isRefused = !task.cache && !persistent && !interactive && task.command.kind !== "none";
  const fields: WrittenTask = {
    description,
    dependsOn: filled(task.dependsOn.map(formatTaskReference)),
    validates: filled(task.validates.map(formatTaskReference)),
    inputs,
    outputs,
    env: filled(task.env),
    passEnv: filled(task.passEnv),
    cache: isRefused ? false : undefined,
    persistent: persistent || undefined,
    interactive: interactive || undefined,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function filled(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

function writtenSettings({ settings }: WorkspaceModel, root: Readonly<Record<string, unknown>>): WrittenTask {
  const { globalEnv, globalPassEnv, globalInputs } = settings;
  const fields: WrittenTask = {
    concurrency: root.concurrency === undefined ? undefined : writtenConcurrency(root.concurrency),
    globalEnv: filled(globalEnv),
    globalPassEnv: filled(globalPassEnv),
    globalInputs: filled(globalInputs),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The model knows the number only, not whether somebody wrote it; what is no number was warned of. */
function writtenConcurrency(written: unknown): number | undefined {
  const number = Number(written);
  return Number.isInteger(number) && number >= 1 ? number : undefined;
}

function rootFile(model: WorkspaceModel, fs: FileSystem): Readonly<Record<string, unknown>> {
  const file = model.files.find((each) => !each.includes("/") && TURBO_FILE.test(each));
  const bytes = file === undefined ? undefined : fs.readFile(`${model.root}/${file}`);
  if (bytes === undefined) return {};
  const parsed = parseJsonTree(new TextDecoder().decode(bytes), "jsonc");
  // It was valid when the model was read; should it have changed just now, only a remark is missing.
  return parsed.ok ? (plainValue(parsed.value) as Readonly<Record<string, unknown>>) : {};
}

/** `"extends": false` of a package's turbo.json has no counterpart. */
function optedOut(model: WorkspaceModel, bases: ReadonlyMap<string, TaskDefinition>): string[] {
  const ids = new Set<string>(model.tasks.map((each) => each.id));
  return [...bases.keys()].sort().flatMap((name) =>
    model.projects
      .filter((each) => takesShared(each.name, model) && Object.hasOwn(each.scripts, name))
      .filter((each) => !ids.has(`${each.name}#${name}`))
      .map((each) => `${each.name} opts out of "${name}" in its turbo.json: remove that script to keep it out here.`),
  );
}

function tagRemarks(projects: readonly Project[]): string[] {
  return projects
    .filter(({ tags, directory }) => tags.length > 0 && directory !== "")
    .map(({ tags, directory }) => `Tags belong into ${directory}/kahn.jsonc: { "tags": ${JSON.stringify(tags)} }.`);
}

function cacheRemarks(root: Readonly<Record<string, unknown>>): string[] {
  const keys = ["cacheDir", "cacheMaxAge", "cacheMaxSize"].filter((key) => root[key] !== undefined);
  return keys.length === 0
    ? []
    : [`Not carried over: ${keys.join(", ")}. Kahn's own are "cache": { "maxSize": "10GB" }.`];
}
