/**
 * The shell line of a package.json script, run as npm runs it, without npm.
 *
 * Owns:      pre and post scripts, passed arguments and their quoting, and which variables a text mentions.
 * Source:    npm-run-script(1); `@npmcli/run-script`, whose behaviour the tests compare with.
 */
import type { TaskCommand } from "../model.ts";

/** Quotes an argument for a POSIX shell; plain words stay as they are. */
export function quoteForShell(argument: string): string {
  if (argument === "") return "''";
  return /[^\w@%+=:,./-]/.test(argument) ? `'${argument.replaceAll("'", "'\\''")}'` : argument;
}

/** What a command hands to the operating system, and what belongs to the phase that runs. */
export interface CommandLine {
  readonly argv: readonly string[];
  /** `npm_lifecycle_*` of a script without hooks; those with hooks set theirs themselves, phase by phase. */
  readonly lifecycle: Readonly<Record<string, string>>;
  /** Everything in it that a shell or program reads, for finding the variables that it mentions. */
  readonly text: string;
}

const NOTHING: CommandLine = { argv: [], lifecycle: {}, text: "" };

/**
 * The command line of a task; empty for a task without a command.
 *
 * @param shell that runs scripts: `sh`, or npm's `script-shell`.
 * @param passed arguments after `--`: appended to the main script alone, as npm does.
 */
export function commandLine(command: TaskCommand, shell: string, passed: readonly string[]): CommandLine {
  const tail = passed.map((argument) => ` ${quoteForShell(argument)}`).join("");
  switch (command.kind) {
    case "none":
      return NOTHING;
    case "argv":
      return { argv: [...command.argv, ...passed], lifecycle: {}, text: command.argv.join(" ") };
    case "shell":
      return { argv: ["sh", "-c", command.script + tail], lifecycle: {}, text: command.script };
    case "script":
      return scriptLine(command, shell, tail);
  }
}

function scriptLine(command: Extract<TaskCommand, { kind: "script" }>, shell: string, tail: string): CommandLine {
  const { event, script, pre, post } = command;
  if (pre === undefined && post === undefined) {
    const lifecycle = { npm_lifecycle_event: event, npm_lifecycle_script: script };
    return { argv: [shell, "-c", script + tail], lifecycle, text: script };
  }
  // Each phase in a shell of its own, as with npm: an `exit` or `cd` of one is nothing to the next.
  const phase = (name: string, text: string, line: string) =>
    `npm_lifecycle_event=${quoteForShell(name)} npm_lifecycle_script=${quoteForShell(text)} ` +
    `${quoteForShell(shell)} -c ${quoteForShell(line)}`;
  const phases = [phase(event, script, script + tail)];
  if (pre !== undefined) phases.unshift(phase(`pre${event}`, pre, pre));
  if (post !== undefined) phases.push(phase(`post${event}`, post, post));
  return { argv: [shell, "-c", phases.join(" && ")], lifecycle: {}, text: [pre, script, post].join("\n") };
}

const MENTIONS = [
  /\$([A-Za-z_]\w*)/g,
  /\$\{([A-Za-z_]\w*)/g,
  /process\.env\.([A-Za-z_]\w*)/g,
  /process\.env\[["']([^"']+)["']\]/g,
  /import\.meta\.env\.([A-Za-z_]\w*)/g,
  /%([A-Za-z_]\w*)%/g,
];

/** Names of environment variables that a command's text mentions, sorted, each once. */
export function mentionedVariables(text: string): string[] {
  const names = new Set<string>();
  for (const expression of MENTIONS) for (const match of text.matchAll(expression)) names.add(match[1]!);
  return [...names].sort();
}
