/** The text of a `kahn.jsonc` that Kahn proposes: entries and comments. */

/** Where an entry no longer fits on one line. */
const WIDTH_MAX = 118;
const SCHEMA = '  "$schema": "./node_modules/kahn/dist/schema.json",';

/** What a proposed file consists of. */
export interface ProposedConfig {
  /** Comment lines above the first key. */
  readonly introduction: readonly string[];
  /** Top-level keys besides `tasks`. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tasks: readonly ProposedTask[];
  /** Names of scripts that nothing declares. */
  readonly undeclared: readonly string[];
}

/** One entry of `tasks`. */
export interface ProposedTask {
  readonly key: string;
  readonly comment?: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The whole file. */
export function proposedText({ introduction, settings, tasks, undeclared }: ProposedConfig): string {
  const head = [
    ...introduction.map((line) => `  // ${line}`),
    ...Object.entries(settings).map(([key, value]) => `  ${JSON.stringify(key)}: ${inline(value)},`),
    '  "tasks": {',
  ];
  const entries = tasks.map(entryText).join(tasks.some(({ comment }) => comment !== undefined) ? ",\n\n" : ",\n");
  const others =
    undeclared.length === 0
      ? ""
      : `\n    // These scripts are not declared. They run, and are not cached: ${undeclared.join(", ")}.\n`;
  return `{\n${SCHEMA}\n\n${head.join("\n")}\n${entries}${tasks.length > 0 ? "\n" : ""}${others}  }\n}\n`;
}

function entryText({ key, comment, fields }: ProposedTask): string {
  const members = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${inline(value)}`);
  const above = comment === undefined ? "" : `    // ${comment}\n`;
  const line = `    ${JSON.stringify(key)}: ${members.length === 0 ? "{}" : `{ ${members.join(", ")} }`}`;
  if (line.length <= WIDTH_MAX) return above + line;
  return `${above}    ${JSON.stringify(key)}: {\n${members.map((each) => `      ${each}`).join(",\n")}\n    }`;
}

function inline(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((each) => JSON.stringify(each)).join(", ")}]` : JSON.stringify(value);
}
