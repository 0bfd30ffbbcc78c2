/** Problems as text: what, where with the line meant, facts, and what to do next. */
import type { Problem, SourcePlace } from "@kahn/core";
import type { Paint } from "./paint.ts";

/**
 * One problem over several lines, ending with a newline:
 *
 *     error[unknown-key]: "inputz" is not a key of a task
 *       --> kahn.jsonc:4:7
 *        4 |       "inputz": ["src/**"],
 *          |       ^^^^^^^^
 *       expected  one of inputs, outputs, …
 *       next: did you mean "inputs"?
 */
export function problemText(problem: Problem, paint: Paint): string {
  const lines = [`${severity(problem, paint)} ${problem.message}`];
  if (problem.where !== undefined) lines.push(...placeLines(problem.where, paint));
  const width = Math.max(0, ...(problem.facts ?? []).map(([name]) => name.length));
  const inset = `\n${" ".repeat(width + 4)}`;
  for (const [name, value] of problem.facts ?? []) {
    lines.push(`  ${paint(name.padEnd(width), "dim")}  ${value.replaceAll("\n", inset)}`);
  }
  for (let cause = problem.cause; cause !== undefined; cause = cause.cause) {
    lines.push(`  ${paint("because:", "dim")} ${cause.message} [${cause.code}]`);
    if (cause.next !== undefined && problem.next === undefined) lines.push(`  ${paint("next:", "cyan")} ${cause.next}`);
  }
  if (problem.next !== undefined) lines.push(`  ${paint("next:", "cyan")} ${problem.next}`);
  return `${lines.join("\n")}\n`;
}

function severity({ severity: level, code }: Problem, paint: Paint): string {
  return level === "error" ? paint(`error[${code}]:`, "red") : paint(`warning[${code}]:`, "yellow");
}

function placeLines({ file, line, column, text, length }: SourcePlace, paint: Paint): string[] {
  const position = line === undefined ? "" : `:${line}${column === undefined ? "" : `:${column}`}`;
  const lines = [`  ${paint("-->", "blue")} ${file}${position}`];
  if (line === undefined || text === undefined) return lines;
  const gutter = String(line);
  // A tab is one column in a place and several on screen; as one blank the marks stay below what they mean.
  lines.push(`  ${paint(`${gutter} |`, "blue")} ${text.replaceAll("\t", " ").trimEnd()}`);
  if (column === undefined) return lines;
  const marks = "^".repeat(Math.max(1, Math.min(length ?? 1, text.length - column + 1)));
  lines.push(`  ${paint(`${" ".repeat(gutter.length)} |`, "blue")} ${" ".repeat(column - 1)}${paint(marks, "red")}`);
  return lines;
}
