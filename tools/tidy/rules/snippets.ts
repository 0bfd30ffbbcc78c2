/** Code in documents is code: TypeScript and JSON parse, and commands that they name exist. */
import { snippetsOf } from "../markdown.ts";
import { manifestOf } from "../packages.ts";
import type { Repository } from "../repository.ts";
import type { Rule } from "../rule.ts";
import { parse } from "../syntax.ts";

export const snippets: Rule = {
  name: "snippets",
  *check(repository) {
    const commands = commandsOf(repository);
    const scripts = new Set(Object.keys(manifestOf(repository, undefined).scripts ?? {}));
    for (const file of repository.files) {
      if (file.kind !== "document" || file.path.startsWith("examples/")) continue;
      for (const { language, text, line } of snippetsOf(file.text)) {
        const error = syntaxError(language, text);
        if (error !== undefined) {
          yield {
            path: file.path,
            line,
            message: `${language} does not parse: ${error}`,
            instead: "Mend the snippet.",
          };
        }
        if (!/^(sh|bash|console|shell)$/.test(language)) continue;
        for (const unknown of unknownCommands(text, commands, scripts)) {
          yield { path: file.path, line, message: `names \`${unknown}\``, instead: "Name a command that exists." };
        }
      }
    }
  },
};

function syntaxError(language: string, text: string): string | undefined {
  if (/^(ts|typescript|js|mjs)$/.test(language)) return parse("snippet.ts", text).error;
  // JSON with comments and trailing commas is a JavaScript expression.
  if (/^jsonc?$/.test(language)) return parse("snippet.ts", `(${text}\n)`).error;
  return undefined;
}

/** Commands of the command line, from the table that it dispatches by; unknown while there is none. */
function commandsOf(repository: Repository): ReadonlySet<string> | undefined {
  const table = repository.file("packages/kahn/src/cli/command-table.ts");
  if (table === undefined) return undefined;
  return new Set(["help", ...[...table.text.matchAll(/^ +name: "([a-z]+)",$/gm)].map((match) => match[1]!)]);
}

function unknownCommands(
  text: string,
  commands: ReadonlySet<string> | undefined,
  scripts: ReadonlySet<string>,
): readonly string[] {
  const unknown: string[] = [];
  for (const line of text.split("\n")) {
    const command = /^\s*(?:\$ )?(?:npx )?kahn ([a-z]+)/.exec(line)?.[1];
    if (command !== undefined && commands?.has(command) === false) unknown.push(`kahn ${command}`);
    const script = /^\s*(?:\$ )?npm (?:run (?:-s )?)?(start|test|(?<=run (?:-s )?)[\w:]+)/.exec(line)?.[1];
    if (script !== undefined && !scripts.has(script)) unknown.push(`npm run ${script}`);
  }
  return unknown;
}
