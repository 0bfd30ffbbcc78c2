/**
 * Arguments: one table per command, from which they are read and its help is written.
 *
 * Owns:      the syntax of the command line: `--name value`, `--name=value`, `-n value`, repeated options, `--`.
 * Invariant: an option that is not in the table is an error with a suggestion; none is ever silently ignored.
 */
import { closestName, err, ok, type Problem, problem, type Result } from "@kahn/core";

/** One option of a command. */
export interface OptionSpec {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of its value in help; left out for a switch. */
  readonly value?: string;
  /** `optional` allows `--name` alone, then its value is "". */
  readonly optional?: boolean;
  readonly choices?: readonly string[];
  readonly help: string;
}

/** What a command accepts. */
export interface ArgumentSpec {
  /** For example `run TASK…`. */
  readonly usage: string;
  /** Of a command in a group, such as `flow run`; default: the first word of `usage`. */
  readonly name?: string;
  readonly options: readonly OptionSpec[];
  readonly positionalsMin: number;
  readonly positionalsMax: number;
  /** True when arguments after `--` have a meaning. */
  readonly rest?: boolean;
}

/** A command line, read. */
export interface ParsedArguments {
  readonly positionals: readonly string[];
  /** Arguments after `--`. */
  readonly rest: readonly string[];
  has(name: string): boolean;
  /** The last value given; `undefined` when the option is absent. */
  value(name: string): string | undefined;
  /** Every value given, in order. */
  values(name: string): readonly string[];
}

/** Reads arguments after the command's name. */
export function parseArguments(spec: ArgumentSpec, argv: readonly string[]): Result<ParsedArguments, Problem> {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const end = argv.indexOf("--");
  const own = end === -1 ? argv : argv.slice(0, end);
  for (let index = 0; index < own.length; index++) {
    const argument = own[index]!;
    if (!argument.startsWith("-") || argument === "-") {
      positionals.push(argument);
      continue;
    }
    const read = readOption(spec, argument, own[index + 1]);
    if (!read.ok) return read;
    if (read.value.tookNext) index++;
    const values = given.get(read.value.name);
    if (values === undefined) given.set(read.value.name, [read.value.value]);
    else values.push(read.value.value);
  }
  const refused = checkPositionals(spec, positionals, end !== -1);
  if (refused !== undefined) return err(refused);
  return ok({
    positionals,
    rest: end === -1 ? [] : argv.slice(end + 1),
    has: (name) => given.has(name),
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
  });
}

interface ReadOption {
  readonly name: string;
  readonly value: string;
  readonly tookNext: boolean;
}

function readOption(spec: ArgumentSpec, argument: string, next: string | undefined): Result<ReadOption, Problem> {
  const [, dashes, name = "", , inline] = /^(--?)([^=]*)(=(.*))?$/s.exec(argument)!;
  const option = spec.options.find((each) => (dashes === "--" ? each.name === name : each.short === name));
  if (option === undefined) return err(unknownOption(spec, argument));
  if (option.value === undefined) {
    if (inline !== undefined) return err(problem("option-value", `--${option.name} takes no value`));
    return ok({ name: option.name, value: "", tookNext: false });
  }
  const fromNext = inline === undefined && option.optional !== true;
  const value = fromNext ? next : (inline ?? "");
  // `--json -p x` is a forgotten value far more often than a value that starts with a dash.
  if (value === undefined || (fromNext && /^--?[a-z]/.test(value))) {
    return err(
      problem("option-value", `--${option.name} needs a value`, { next: `Write --${option.name}=${option.value}.` }),
    );
  }
  if (option.choices !== undefined && value !== "" && !option.choices.includes(value)) {
    return err(
      problem("option-value", `--${option.name} cannot be "${value}"`, {
        facts: [["choices", option.choices.join(", ")]],
      }),
    );
  }
  return ok({ name: option.name, value, tookNext: fromNext });
}

function unknownOption(spec: ArgumentSpec, argument: string): Problem {
  const names = spec.options.flatMap((each) => [
    `--${each.name}`,
    ...(each.short === undefined ? [] : [`-${each.short}`]),
  ]);
  const name = argument.split("=")[0]!;
  const suggestion = closestName(name, names);
  const command = spec.name ?? spec.usage.split(" ")[0];
  return problem("option-unknown", `kahn ${command} has no option ${name}`, {
    next: suggestion === undefined ? `See kahn ${command} --help.` : `Did you mean ${suggestion}?`,
  });
}

function checkPositionals(spec: ArgumentSpec, positionals: readonly string[], hasRest: boolean): Problem | undefined {
  if (positionals.length < spec.positionalsMin || positionals.length > spec.positionalsMax) {
    const what = positionals.length < spec.positionalsMin ? "too few" : "too many";
    return problem("arguments-count", `${what} arguments`, { facts: [["usage", `kahn ${spec.usage}`]] });
  }
  if (hasRest && spec.rest !== true) return problem("arguments-count", "nothing may follow `--` here");
  return undefined;
}

/** Columns of help, so that it can be read in a terminal of a usual width. */
const HELP_COLUMNS = 120;

/** The options of a command as aligned lines. */
export function optionsHelp(options: readonly OptionSpec[]): string {
  const left = options.map(({ name, short, value, optional }) => {
    const shown = value === undefined ? "" : optional === true ? `[=${value}]` : ` ${value}`;
    return `${short === undefined ? "    " : `-${short}, `}--${name}${shown}`;
  });
  const width = Math.max(...left.map((text) => text.length));
  const inset = `\n${" ".repeat(width + 4)}`;
  const lines = (help: string) => wrapped(help, HELP_COLUMNS - width - 4).join(inset);
  return options.map(({ help }, index) => `  ${left[index]!.padEnd(width)}  ${lines(help)}\n`).join("");
}

/** Lines of at most so many columns, as far as words allow. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
