/**
 * What is wrong with the content of task entries, in a configuration that cannot be used for another reason.
 *
 * Owns:      that mistakes of shape and of content come at once: entries of sound shape are read for their problems.
 * Never:     looks beyond the entry: names of tasks and projects may be unknown only because another file is broken.
 */
import type { Problem } from "@kahn/core";
import * as v from "valibot";
import { TASK_ENTRIES } from "./config-schema.ts";
import type { ConfigText } from "./config-text.ts";
import type { TaskConfig } from "./config-types.ts";
import { readTaskEntry } from "./task-entry.ts";

/** @param pools of the workspace; `undefined` when they are not known, then no claim on them is checked. */
export function entryProblems(text: ConfigText, pools: Readonly<Record<string, number>> | undefined): Problem[] {
  const problems: Problem[] = [];
  const report = (found: Problem) => void problems.push(found);
  for (const [name, entry] of Object.entries(tasksOf(text.value))) {
    if (!v.is(v.strictObject(TASK_ENTRIES), entry)) continue;
    const { pool, ...rest } = entry as TaskConfig;
    const checked = pools === undefined || pool === undefined ? rest : { ...rest, pool };
    readTaskEntry(checked, { text, path: ["tasks", name], pools: pools ?? {}, report });
  }
  return problems;
}

function tasksOf(value: unknown): object {
  const tasks = (value as { tasks?: unknown } | null)?.tasks;
  return typeof tasks === "object" && tasks !== null ? tasks : {};
}
