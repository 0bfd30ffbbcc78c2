/**
 * What to say of tools that are not on a task's PATH.
 *
 * Owns: saying the whole of it once for each tool: a tool of a shared entry is missing for every project alike.
 */
import { type Problem, problem, type TaskId } from "@kahn/core";
import type { TaskDefinition } from "../model.ts";

/** The absent tools of one plan. */
export class AbsentTools {
  readonly #tasks: readonly TaskDefinition[];
  readonly #firstOf = new Map<string, TaskId>();

  /** @param tasks of the plan. */
  constructor(tasks: readonly TaskDefinition[]) {
    this.#tasks = tasks;
  }

  /** The problem of a task; the first task that needs the tool also tells of the others and what to do. */
  problemOf(task: TaskDefinition, tool: string): Problem<"tool-absent"> {
    const first = this.#firstOf.get(tool) ?? task.id;
    this.#firstOf.set(tool, first);
    const message = `${task.id} needs the tool "${tool}", which is not on its PATH`;
    if (first !== task.id) return problem("tool-absent", message, { next: `See ${first}.` });
    const count = this.#tasks.filter((each) => each.id !== task.id && needs(each, tool)).length;
    return problem("tool-absent", message, {
      where: task.declaredAt,
      ...(count === 0
        ? {}
        : { facts: [["also needed by", `${count} other ${count === 1 ? "task" : "tasks"} of this run`]] }),
      next: tool === "node" ? "Install it." : "Install it, or take it out of the task's `tools`.",
    });
  }
}

function needs(task: TaskDefinition, tool: string): boolean {
  return tool === "node" || task.tools.includes(tool);
}
