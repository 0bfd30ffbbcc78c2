/**
 * One entry of a task table, read field by field.
 *
 * Owns:      from the written form to durations, references and claims; the problems of a field's content.
 * Never:     merges entries or knows which projects they apply to: see `projects/task-definitions.ts`.
 * Invariant: every problem names the entry's path and place; an entry with a problem still gives its other fields, so
 *            that all problems come at once.
 */
import type { MutexClaim, Problem, ReadyProbe, SourcePlace } from "@kahn/core";
import { parseDurationMs, problem, splitTaskId, taskId } from "@kahn/core";
import type { TaskReference } from "../model.ts";
import type { ConfigText, ValuePath } from "./config-text.ts";
import { pathText } from "./config-text.ts";
import type { MutexConfig, TaskConfig } from "./config-types.ts";
import { normalizeGlob } from "./glob-form.ts";
import { suggest } from "./suggestion.ts";
import { parseTaskReference } from "./task-reference.ts";

/** In a list: what the less specific entry says, put in this place. */
export const INHERIT = "$inherit";

/** A list's item with the place it was written at. */
export interface PlacedItem<Item> {
  readonly item: Item;
  readonly place: SourcePlace;
}

/** A list of an entry: items and, where it says `$inherit`, the items of the entry beneath. */
export type EntryList<Item> = readonly (PlacedItem<Item> | typeof INHERIT)[];

/** Fields that are lists. */
export interface EntryLists {
  readonly dependsOn?: EntryList<TaskReference>;
  readonly after?: EntryList<TaskReference>;
  readonly validates?: EntryList<TaskReference>;
  readonly inputs?: EntryList<string>;
  readonly outputs?: EntryList<string>;
  readonly env?: EntryList<string>;
  readonly passEnv?: EntryList<string>;
  readonly tools?: EntryList<string>;
  readonly tags?: EntryList<string>;
}

/** Fields that replace what is beneath. */
export interface EntryValues {
  readonly description?: string;
  readonly command?: string | readonly string[];
  readonly mutexes?: readonly MutexClaim[];
  readonly pools?: readonly (readonly [pool: string, amount: number])[];
  readonly slots?: number;
  readonly priority?: number;
  readonly timeoutMs?: number;
  readonly graceMs?: number;
  readonly retries?: number;
  readonly persistent?: boolean;
  readonly ready?: ReadyProbe;
  readonly interactive?: boolean;
  readonly cache?: boolean;
  readonly outputMode?: "copy" | "link";
  readonly deps?: "transitive" | "direct";
}

/** One entry: only the fields that were written. */
export interface TaskEntry {
  readonly lists: EntryLists;
  readonly values: EntryValues;
  /** The entry's key. */
  readonly place: SourcePlace;
  /** `nothing`: less specific entries do not show through (`pkg#task` of a turbo.json). */
  readonly onto: "inherited" | "nothing";
}

/** What an entry is read with. */
export interface EntrySource {
  readonly text: ConfigText;
  /** Where the entry is: `["tasks", "build"]`. */
  readonly path: ValuePath;
  /** Pools that the workspace has. */
  readonly pools: Readonly<Record<string, number>>;
  /** Takes each problem. */
  readonly report: (problem: Problem) => void;
  readonly onto?: "inherited" | "nothing";
  /** The root package's own name, which stands for `//`. */
  readonly rootName?: string | undefined;
}

/** How long a task gets between TERM and KILL when it does not say. */
export const DEFAULT_GRACE_MS = 5_000;

/** How long a readiness probe is tried when it does not say. */
export const DEFAULT_READY_TIMEOUT_MS = 60_000;

/** Reads one entry of a task table, reporting what is wrong with it. */
export function readTaskEntry(config: TaskConfig, source: EntrySource): TaskEntry {
  const duration = (field: "timeout" | "grace") => readDuration(config[field], source, [field]);
  const command = readCommand(config.command, source);
  const values = {
    description: config.description,
    command,
    mutexes: config.mutex === undefined ? undefined : readMutexes(config.mutex, source),
    pools: config.pool === undefined ? undefined : readPools(config.pool, source),
    slots: config.slots,
    priority: config.priority,
    timeoutMs: duration("timeout"),
    graceMs: duration("grace"),
    retries: config.retries,
    persistent: config.persistent,
    ready: config.ready === undefined ? undefined : readReady(config.ready, source),
    interactive: config.interactive,
    cache: config.cache,
    outputMode: config.outputMode,
    deps: config.deps,
  };
  return {
    lists: readLists(config, source),
    values: present(values) as EntryValues,
    place: source.text.keyPlace(source.path),
    onto: source.onto ?? "inherited",
  };
}

function present(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function readLists(config: TaskConfig, source: EntrySource): EntryLists {
  const references = (field: "dependsOn" | "after" | "validates") =>
    readList(config, { ...source, field }, (written) => namingRoot(parseTaskReference(written), source.rootName));
  // The form is checked here once; a glob with `..` is resolved again for each project's folder.
  const globs = (field: "inputs" | "outputs") =>
    readList(config, { ...source, field }, (written) => {
      const normal = normalizeGlob(written, "a/a/a/a/a/a/a/a");
      return normal.ok ? { ok: true, value: written } : normal;
    });
  const names = (field: "env" | "passEnv" | "tools" | "tags") =>
    readList(config, { ...source, field }, (written) => NAME_CHECKS[field](written));
  return present({
    dependsOn: references("dependsOn"),
    after: references("after"),
    validates: references("validates"),
    inputs: globs("inputs"),
    outputs: globs("outputs"),
    env: names("env"),
    passEnv: names("passEnv"),
    tools: names("tools"),
    tags: names("tags"),
  }) as EntryLists;
}

/** `my-app#build` of the root package `my-app` is `//#build`. */
function namingRoot(outcome: ItemOutcome<TaskReference>, rootName: string | undefined): ItemOutcome<TaskReference> {
  if (!outcome.ok || outcome.value.kind !== "exact" || rootName === undefined) return outcome;
  const { project, task } = splitTaskId(outcome.value.id);
  return project === rootName ? { ok: true, value: { kind: "exact", id: taskId("//", task) } } : outcome;
}

type ItemOutcome<Item> = { readonly ok: true; readonly value: Item } | { readonly ok: false; readonly problem: string };

const NAME_CHECKS = {
  env: checkVariable,
  passEnv: checkVariable,
  tools: checkTool,
  tags: (written: string): ItemOutcome<string> =>
    written.trim() === "" ? { ok: false, problem: "is empty" } : { ok: true, value: written },
};

/** A variable's name, or a beginning of names with `*`. */
export function checkVariable(written: string): ItemOutcome<string> {
  if (/^([A-Za-z_][A-Za-z0-9_]*\*?|\*)$/.test(written)) return { ok: true, value: written };
  return { ok: false, problem: 'is not the name of a variable (letters, digits, "_", and "*" at the end)' };
}

function checkTool(written: string): ItemOutcome<string> {
  if (/^[^\s/]+$/.test(written)) return { ok: true, value: written };
  return { ok: false, problem: "is not the name of a program on PATH" };
}

function readList<Item>(
  config: TaskConfig,
  source: EntrySource & { readonly field: keyof EntryLists },
  read: (written: string) => ItemOutcome<Item>,
): EntryList<Item> | undefined {
  const written = config[source.field];
  if (written === undefined) return undefined;
  const list: (PlacedItem<Item> | typeof INHERIT)[] = [];
  for (const [index, text] of written.entries()) {
    if (text === INHERIT) {
      list.push(INHERIT);
      continue;
    }
    const outcome = read(text);
    if (outcome.ok)
      list.push({ item: outcome.value, place: source.text.valuePlace([...source.path, source.field, index]) });
    else reportContent(source, [source.field, index], `"${text}" ${outcome.problem}`);
  }
  return list;
}

/** What is wrong with a field, and what to do when it is not what the field's help says. */
interface WrongContent {
  readonly what: string;
  readonly next: string;
}

function reportContent(source: EntrySource, path: ValuePath, wrong: string | WrongContent): void {
  const { what, next } = typeof wrong === "string" ? { what: wrong, next: undefined } : wrong;
  const full = [...source.path, ...path];
  source.report(
    problem("config-bad-value", `"${pathText(full)}": ${what}`, {
      where: source.text.valuePlace(full),
      next: next ?? NEXT_STEPS[String(path[0])] ?? "Correct the value.",
    }),
  );
}

const DURATION_HELP = 'Write "90s", "5m", "1h30m", or milliseconds.';
const REFERENCE_HELP = 'Write "task", "^task", "project#task" or "//#task".';
const GLOB_HELP = 'Write a glob from the project\'s folder ("src/**"), or from the workspace\'s ("/tsconfig.json").';
const NEXT_STEPS: Readonly<Record<string, string>> = {
  dependsOn: REFERENCE_HELP,
  after: REFERENCE_HELP,
  validates: REFERENCE_HELP,
  inputs: GLOB_HELP,
  outputs: GLOB_HELP,
  env: 'Write a name ("NODE_ENV") or a beginning of names ("VITE_*").',
  passEnv: 'Write a name ("AWS_PROFILE") or a beginning of names ("AWS_*").',
  tools: 'Write a program\'s name as PATH finds it ("tsc").',
  mutex: "Name each mutex once.",
  timeout: DURATION_HELP,
  grace: DURATION_HELP,
  ready: 'Write exactly one of port, url, log and command, for example { "port": 3000 }.',
};

function readDuration(written: string | number | undefined, source: EntrySource, path: ValuePath): number | undefined {
  if (written === undefined) return undefined;
  const ms = parseDurationMs(written);
  if (ms === undefined) reportContent(source, path, { what: `"${written}" is not a duration`, next: DURATION_HELP });
  return ms;
}

function readCommand(
  written: string | readonly string[] | undefined,
  source: EntrySource,
): string | readonly string[] | undefined {
  const isEmpty = written !== undefined && (typeof written === "string" ? written.trim() === "" : written.length === 0);
  if (isEmpty)
    reportContent(source, ["command"], { what: "there is nothing to run", next: "Remove it to run the script." });
  return isEmpty ? undefined : written;
}

function readMutexes(written: MutexConfig | readonly MutexConfig[], source: EntrySource): MutexClaim[] {
  const list = (Array.isArray(written) ? written : [written]) as readonly MutexConfig[];
  const claims = new Map<string, MutexClaim>();
  for (const each of list) {
    const name = typeof each === "string" ? each : each.name;
    const mode = typeof each === "string" ? "exclusive" : (each.mode ?? "exclusive");
    if (name.trim() === "") reportContent(source, ["mutex"], "a mutex needs a name");
    else if (claims.has(name)) reportContent(source, ["mutex"], `"${name}" is named twice`);
    else claims.set(name, { name, mode });
  }
  return [...claims.values()];
}

function readPools(written: string | Record<string, number>, source: EntrySource): [string, number][] {
  const claims: [string, number][] = typeof written === "string" ? [[written, 1]] : Object.entries(written);
  for (const [pool, amount] of claims) {
    const size = source.pools[pool];
    if (size === undefined) {
      const next = poolHelp(pool, Object.keys(source.pools));
      reportContent(source, ["pool"], { what: `there is no pool "${pool}"`, next });
    } else if (amount > size) {
      const what = `it asks for ${amount} of the pool "${pool}", which has ${size}`;
      reportContent(source, ["pool"], { what, next: "Ask for less, or make the pool larger." });
    }
  }
  return claims.sort(([left], [right]) => (left < right ? -1 : 1));
}

function poolHelp(pool: string, pools: readonly string[]): string {
  if (pools.length === 0) return `Declare it at the root: "pools": { "${pool}": 1 }.`;
  return suggest(pool, pools, "pools");
}

function readReady(written: NonNullable<TaskConfig["ready"]>, source: EntrySource): ReadyProbe | undefined {
  const { timeout, ...probes } = written;
  const timeoutMs = readDuration(timeout, source, ["ready", "timeout"]) ?? DEFAULT_READY_TIMEOUT_MS;
  const set = Object.entries(probes).filter(([, value]) => value !== undefined);
  if (set.length !== 1) {
    const what = set.length === 0 ? "nothing says when it is ready" : "it has more than one probe";
    reportContent(source, ["ready"], what);
    return undefined;
  }
  if (written.log !== undefined && !isPattern(written.log)) {
    const what = `"${written.log}" is not a regular expression`;
    reportContent(source, ["ready", "log"], { what, next: "Escape its special characters." });
  }
  return { ...(Object.fromEntries(set) as Omit<ReadyProbe, "timeoutMs">), timeoutMs };
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    // The engine's own message is about its grammar, not about the configuration.
    return false;
  }
}
