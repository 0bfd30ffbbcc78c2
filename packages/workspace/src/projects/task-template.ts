/**
 * Merges the entries that apply to a task into what the model says of it.
 *
 * Owns:      precedence, `$inherit`, defaults, and whether a task is cached.
 * Invariant: equal chains of entries give the same template object, so a thousand projects share one.
 */
import type { Problem } from "@kahn/core";
import { problem } from "@kahn/core";
import { dependsOnBase, normalizeGlob } from "../config/glob-form.ts";
import type { EntryList, EntryLists, EntryValues, PlacedItem, TaskEntry } from "../config/task-entry.ts";
import { DEFAULT_GRACE_MS, INHERIT } from "../config/task-entry.ts";
import type { TaskTemplate } from "./task-definition.ts";

/** A template with the command that the configuration gives. */
export interface MergedTask {
  readonly template: TaskTemplate;
  readonly command: string | readonly string[] | undefined;
}

/** Makes templates; keeps those it made. */
export class TaskTemplates {
  readonly #outputMode: "copy" | "link";
  readonly #report: (problem: Problem) => void;
  readonly #numbers = new Map<TaskEntry, number>();
  readonly #made = new Map<string, MergedTask>();

  /** @param options `outputMode` is the default of all tasks; `report` takes problems of merged entries. */
  constructor(options: { readonly outputMode: "copy" | "link"; readonly report: (problem: Problem) => void }) {
    this.#outputMode = options.outputMode;
    this.#report = options.report;
  }

  /** Merges entries, the most specific first (at least one), for a project in a workspace-relative folder. */
  merge(chain: readonly TaskEntry[], directory: string): MergedTask {
    const isPlaced = chain.some(({ lists }) => [lists.inputs, lists.outputs].some(leavesBase));
    const key = `${chain.map((entry) => this.#number(entry)).join(",")}${isPlaced ? ` ${directory}` : ""}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#make(chain, directory);
    this.#made.set(key, made);
    return made;
  }

  /** The template of a script that no entry declares. */
  undeclared(options: Pick<TaskTemplate, "dependsOn" | "persistent" | "uncachedBecause" | "declaredAt">): TaskTemplate {
    return { ...NOTHING_DECLARED, ...options, outputMode: this.#outputMode };
  }

  #number(entry: TaskEntry): number {
    const known = this.#numbers.get(entry) ?? this.#numbers.size;
    this.#numbers.set(entry, known);
    return known;
  }

  #make(chain: readonly TaskEntry[], directory: string): MergedTask {
    const values: EntryValues = Object.assign({}, ...chain.map((entry) => entry.values).reverse());
    const { command, cache, ...fields } = values;
    const list = <Item>(field: keyof EntryLists) => mergeList<Item>(chain, field);
    const items = <Item>(field: keyof EntryLists) => unique((list<Item>(field) ?? []).map((each) => each.item));
    const globs = (field: "inputs" | "outputs") => this.#globs(list<string>(field), directory);
    const place = chain[0]!.place;
    if (values.ready !== undefined && values.persistent !== true) this.#report(readyWithoutPersistent(chain));
    const uncachedBecause = whyUncached(values);
    return {
      command,
      template: {
        ...NOTHING_DECLARED,
        outputMode: this.#outputMode,
        ...fields,
        dependsOn: items("dependsOn"),
        after: items("after"),
        validates: items("validates"),
        inputs: globs("inputs"),
        outputs: globs("outputs"),
        env: items("env"),
        passEnv: items("passEnv"),
        tools: items("tools"),
        tags: items("tags"),
        cache: uncachedBecause === undefined,
        uncachedBecause,
        declaredAt: place,
      },
    };
  }

  #globs(list: readonly PlacedItem<string>[] | undefined, directory: string): string[] | undefined {
    return list?.flatMap(({ item, place }) => {
      const normal = normalizeGlob(item, directory);
      if (normal.ok) return [normal.value];
      const from = directory === "" ? "the root" : directory;
      this.#report(
        problem("config-bad-value", `The glob "${item}" of ${from} ${normal.problem}`, {
          where: place,
          next: "Write a path inside the workspace; /x starts from its root.",
        }),
      );
      return [];
    });
  }
}

const NOTHING_DECLARED: TaskTemplate = {
  description: undefined,
  dependsOn: [],
  after: [],
  validates: [],
  inputs: undefined,
  outputs: undefined,
  env: [],
  passEnv: [],
  tools: [],
  mutexes: [],
  pools: [],
  slots: 1,
  tags: [],
  priority: 0,
  timeoutMs: undefined,
  graceMs: DEFAULT_GRACE_MS,
  retries: 0,
  persistent: false,
  ready: undefined,
  interactive: false,
  cache: false,
  uncachedBecause: undefined,
  outputMode: "copy",
  deps: "transitive",
  declaredAt: { file: "" },
};

function leavesBase(list: EntryList<string> | undefined): boolean {
  return list?.some((each) => each !== INHERIT && dependsOnBase(each.item)) ?? false;
}

/** The list of the most specific entry that has one, with `$inherit` replaced by the list beneath. */
function mergeList<Item>(chain: readonly TaskEntry[], field: keyof EntryLists): PlacedItem<Item>[] | undefined {
  const at = chain.findIndex((entry) => entry.lists[field] !== undefined);
  if (at === -1) return undefined;
  const list = chain[at]!.lists[field] as EntryList<Item>;
  return list.flatMap((each) => (each === INHERIT ? (mergeList<Item>(chain.slice(at + 1), field) ?? []) : [each]));
}

/** Without repetitions; references are equal when their JSON is. */
function unique<Item>(items: readonly Item[]): Item[] {
  if (items.length < 2) return [...items];
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function whyUncached(values: EntryValues): string | undefined {
  if (values.cache === false) return 'its configuration says "cache": false';
  if (values.persistent === true) return "it is persistent";
  if (values.interactive === true) return "it is interactive";
  return undefined;
}

function readyWithoutPersistent(chain: readonly TaskEntry[]): Problem {
  return problem("config-bad-value", '"ready" is only for tasks that are persistent', {
    where: chain.find((entry) => entry.values.ready !== undefined)!.place,
    next: 'Add "persistent": true, or remove "ready".',
  });
}
