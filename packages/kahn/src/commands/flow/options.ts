/** Options that commands for flows share, and how their values are read. */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import type { OptionSpec, ParsedArguments } from "../../cli/arguments.ts";
import type { Host } from "../../cli/host.ts";
import { type FlowSession, openFlowSession } from "../../session/flow/flow-session.ts";

/** `--dir`, which every command has. */
export const DIR_OPTION: OptionSpec = { name: "dir", value: "DIR", help: "the folder of runs, if it is another" };
/** `--file`, for those that need the graph of a run. */
export const FILE_OPTION: OptionSpec = {
  name: "file",
  value: "FILE",
  help: "the file of the graph, if it has moved",
};
/** `--json`. */
export const JSON_OPTION: OptionSpec = { name: "json", help: "JSON lines instead of text" };
/** Of those that execute a run. */
export const FOLLOW_OPTIONS: readonly OptionSpec[] = [
  {
    name: "durability",
    value: "CLASS",
    choices: ["process", "disk"],
    help: "what a run survives: the end of the process (default), or the loss of power",
  },
  { name: "wait", help: "wait at barriers for decisions from elsewhere, although there is no terminal" },
  { name: "max-steps", value: "N", help: "how many nodes may run before the run fails" },
];

/** Opens the folder of runs that the options mean. */
export function sessionFor(
  host: Host,
  given: ParsedArguments,
  { command, near }: { readonly command: string; readonly near?: string },
): Promise<Result<FlowSession, readonly Problem[]>> {
  // A graph's code may print; whoever reads JSON lines gets nothing else.
  if (given.has("json")) host.keepOutput();
  const request = { dir: given.value("dir"), file: given.value("file"), command: `kahn flow ${command}` };
  return openFlowSession(host, near === undefined ? request : { ...request, near });
}

/** Opens the folder of runs, and finds the run that is named first; the last one where none is. */
export async function runFor(
  host: Host,
  given: ParsedArguments,
  where: { readonly command: string },
): Promise<Result<{ readonly session: FlowSession; readonly run: string }, readonly Problem[]>> {
  const session = await sessionFor(host, given, where);
  if (!session.ok) return session;
  const run = session.value.find(given.positionals[0] ?? "last");
  return run.ok ? ok({ session: session.value, run: run.value }) : err([run.problem]);
}

/** Who decides or cancels, for the record: `--by`, or the user of this shell. */
export function whoActs({ env }: Host, given?: ParsedArguments): { readonly by?: string } {
  const by = given?.value("by") ?? env.USER ?? env.LOGNAME;
  return by === undefined || by === "" ? {} : { by };
}

/** Reads a JSON text; the problem names the option. */
export function parseJson(text: string, option: string): Result<unknown, Problem> {
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return err(
      problem("option-value", `${option} is no JSON: ${error.message}`, {
        next: `A text is JSON in quotes; in a shell: ${option} '{"key": "value"}'.`,
      }),
    );
  }
}

/** Reads a JSON object. */
export function parseJsonObject(text: string, option: string): Result<Readonly<Record<string, unknown>>, Problem> {
  const parsed = parseJson(text, option);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return ok(value as Readonly<Record<string, unknown>>);
  }
  return err(problem("option-value", `${option} is no object`, { next: `For example ${option} '{"key": "value"}'.` }));
}

/** Reads a whole number of at least one; `undefined` when the option is absent. */
export function parseCount(given: ParsedArguments, option: string): Result<number | undefined, Problem> {
  const text = given.value(option);
  if (text === undefined) return ok(undefined);
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return ok(count);
  return err(problem("option-value", `--${option} wants a whole number of at least 1, not "${text}"`));
}
