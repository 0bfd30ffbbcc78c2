/**
 * References that lead nowhere.
 *
 * Owns:      their messages: one for each reference as it was written, however many projects share its entry.
 * Invariant: the same references give the same problems, in whatever order they are added.
 */
import { closestName, type Problem, problem, type SourcePlace, splitTaskId, type TaskId } from "@kahn/core";
import { suggest } from "../config/suggestion.ts";
import { formatTaskReference } from "../config/task-reference.ts";
import type { TaskDefinition, TaskReference } from "../model.ts";
import type { ReferenceTargets, TaskIndex } from "./task-index.ts";

/** What a reference names and nobody has. */
export type MissingTarget = NonNullable<ReferenceTargets["missing"]>;

interface UnknownReference {
  readonly written: string;
  readonly missing: MissingTarget;
  readonly from: Set<TaskId>;
}

/** Gathers references that lead nowhere. */
export class UnknownReferences {
  readonly #index: TaskIndex;
  readonly #found = new Map<string, UnknownReference>();

  constructor(index: TaskIndex) {
    this.#index = index;
  }

  /** Notes that a task's reference leads nowhere. May be told twice. */
  add(task: TaskDefinition, reference: TaskReference, missing: MissingTarget): void {
    const written = formatTaskReference(reference);
    const { file, line, column } = task.declaredAt;
    const key = JSON.stringify([file, line, column, task.task, written]);
    const known = this.#found.get(key);
    if (known === undefined) this.#found.set(key, { written, missing, from: new Set([task.id]) });
    else known.from.add(task.id);
  }

  /** One problem for each reference as it was written. */
  problems(): Problem[] {
    return [...this.#found.values()].map((each) => this.#problemOf(each));
  }

  #problemOf({ written, missing, from }: UnknownReference): Problem {
    const [first, ...others] = [...from].sort();
    const what =
      missing.what === "project"
        ? `refers to "${written}", and "${missing.name}" is no project`
        : `refers to "${written}", a task that nobody has`;
    const count = `${others.length} other ${others.length === 1 ? "task" : "tasks"} of the same entry`;
    return problem("task-reference-unknown", `${first} ${what}`, {
      where: referencePlace(this.#index.tasks.get(first!)!.declaredAt, written),
      ...(others.length === 0 ? {} : { facts: [["also in", count]] }),
      next: this.#nextStep(written, missing),
    });
  }

  /** The whole reference as it was meant, so that it can be copied. */
  #nextStep(written: string, missing: MissingTarget): string {
    const { projects, taskNames } = this.#index;
    const hash = written.lastIndexOf("#");
    if (missing.what === "project") {
      const known = [...projects.keys()];
      const closest = closestName(missing.name, known);
      return closest === undefined
        ? suggest(missing.name, known, "projects")
        : didYouMean(closest + written.slice(hash));
    }
    const isExact = missing.name.includes("#");
    const { project, task } = isExact ? splitTaskId(missing.name as TaskId) : { project: "", task: missing.name };
    const known = isExact ? this.#tasksOf(project) : [...taskNames].sort();
    const closest = closestName(task, known);
    if (closest === undefined) return suggest(task, known, isExact ? `tasks of ${project}` : "tasks");
    return didYouMean(isExact ? `${project}#${closest}` : `${written.startsWith("^") ? "^" : ""}${closest}`);
  }

  #tasksOf(project: string): string[] {
    return this.#index.model.tasks.filter((each) => each.project === project).map((each) => each.task);
  }
}

function didYouMean(reference: string): string {
  return `Did you mean "${reference}"?`;
}

/** The reference itself where the entry is written on one line, else the entry's key. */
function referencePlace(entry: SourcePlace, written: string): SourcePlace {
  const quoted = JSON.stringify(written);
  const at = entry.text?.indexOf(quoted, (entry.column ?? 1) - 1) ?? -1;
  return at === -1 ? entry : { ...entry, column: at + 1, length: quoted.length };
}
