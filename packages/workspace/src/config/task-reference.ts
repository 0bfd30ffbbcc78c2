/** References to tasks: `build`, `^build`, `pkg#build`, `//#build`. */
import type { Result } from "@kahn/core";
import { err, ok, taskId } from "@kahn/core";
import type { TaskReference } from "../model.ts";

/**
 * Reads a reference as written in `dependsOn`, `after` or `validates`.
 *
 * @returns the reference, or a sentence part that says what is wrong with it (`has no task after "#"`).
 */
export function parseTaskReference(written: string): Result<TaskReference, string> {
  const text = written.trim();
  if (text === "") return err("is empty");
  if (text.startsWith("^")) {
    const task = text.slice(1);
    if (task === "") return err('names no task after "^"');
    if (task.includes("#")) return err('has both "^" and "#": "^" already means every dependency');
    return ok({ kind: "dependencies", task });
  }
  const at = text.lastIndexOf("#");
  if (at === -1) return ok({ kind: "same-project", task: text });
  const project = text.slice(0, at);
  const task = text.slice(at + 1);
  if (project === "") return err('names no project before "#"');
  if (task === "") return err('names no task after "#"');
  return ok({ kind: "exact", id: taskId(project, task) });
}

/** The written form; `parseTaskReference` gives the same reference back. */
export function formatTaskReference(reference: TaskReference): string {
  switch (reference.kind) {
    case "same-project":
      return reference.task;
    case "dependencies":
      return `^${reference.task}`;
    case "exact":
      return reference.id;
  }
}
