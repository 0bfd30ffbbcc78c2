/**
 * A configuration file's text and the way back from a value to its line.
 *
 * Owns:  reading JSON with comments, and positions in it.
 * Never: decides what a value means.
 */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** Where a value sits in a document: keys and indexes from the top. */
export type ValuePath = readonly (string | number)[];

/** A file's value, and where each part of it was written. */
export interface ConfigText {
  /** Workspace-relative, for messages. */
  readonly file: string;
  readonly value: unknown;
  /** Place of the value at a path; of its nearest ancestor when there is none. */
  valuePlace(path: ValuePath): SourcePlace;
  /** Place of the key that the path ends in. */
  keyPlace(path: ValuePath): SourcePlace;
}

/** Line, column and line text of an offset. */
export function placeAt(file: string, text: string, span: { offset: number; length?: number }): SourcePlace {
  const offset = Math.min(span.offset, text.length);
  const before = text.lastIndexOf("\n", offset - 1);
  let line = 1;
  for (let index = text.indexOf("\n"); index !== -1 && index < offset; index = text.indexOf("\n", index + 1)) line++;
  const end = text.indexOf("\n", offset);
  const lineText = text.slice(before + 1, end === -1 ? text.length : end).replace(/\r$/, "");
  const column = offset - before;
  const length = span.length === undefined ? undefined : Math.min(span.length, lineText.length - column + 1);
  return { file, line, column, text: lineText, ...(length !== undefined && length > 0 ? { length } : {}) };
}

/** `tasks.build.inputs[0]`; keys that are not plain words are quoted: `tasks["//#build"]`. */
export function pathText(path: ValuePath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[$\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** A configuration without positions: what a module's default export is. */
export function moduleText(file: string, value: unknown): ConfigText {
  return { file, value, valuePlace: () => ({ file }), keyPlace: () => ({ file }) };
}

type Jsonc = typeof import("jsonc-parser");
type JsonNode = import("jsonc-parser").Node;

const SYNTAX_WORDS: Readonly<Record<string, string>> = {
  InvalidSymbol: "this word is not JSON",
  InvalidNumberFormat: "this is not a number",
  PropertyNameExpected: "a key in double quotes is expected here",
  ValueExpected: "a value is expected here",
  ColonExpected: "a colon is expected here",
  CommaExpected: "a comma is expected here",
  CloseBraceExpected: "a closing brace is missing",
  CloseBracketExpected: "a closing bracket is missing",
  EndOfFileExpected: "the file should end here",
  InvalidCommentToken: "comments are not allowed in this file",
  UnexpectedEndOfComment: "this comment does not end",
  UnexpectedEndOfString: "this text does not end",
  UnexpectedEndOfNumber: "this number does not end",
  InvalidUnicode: "this escape is not Unicode",
  InvalidEscapeCharacter: "this escape is not JSON",
  InvalidCharacter: "this character is not allowed in a text",
};

/** How strictly a file is read: `jsonc` allows comments and trailing commas. */
export type JsonDialect = "json" | "jsonc";

/**
 * Reads JSON or JSON with comments.
 *
 * @returns the value with its positions, or one `config-syntax` problem for each syntax error (at most five).
 */
export async function readJsonText(
  file: string,
  text: string,
  dialect: JsonDialect,
): Promise<Result<ConfigText, readonly Problem[]>> {
  const jsonc = await loadJsonc();
  const errors: { error: number; offset: number; length: number }[] = [];
  const options = { allowTrailingComma: dialect === "jsonc", disallowComments: dialect === "json" };
  const root = jsonc.parseTree(text, errors, options);
  if (errors.length > 0 || root === undefined) {
    const found = errors.length > 0 ? errors : [{ error: 4, offset: 0, length: 0 }];
    return err(found.slice(0, 5).map((each) => syntaxProblem(jsonc, { file, text }, each)));
  }
  return ok(positionedJson({ file, text }, root, jsonc));
}

/** The CommonJS build of jsonc-parser shows its names under `default`, the bundled one at the top. */
async function loadJsonc(): Promise<Jsonc> {
  const module = (await import("jsonc-parser")) as Jsonc & { default?: Jsonc };
  return module.parseTree === undefined ? module.default! : module;
}

function syntaxProblem(
  jsonc: Jsonc,
  source: { readonly file: string; readonly text: string },
  found: { readonly error: number; readonly offset: number; readonly length: number },
): Problem {
  const name = jsonc.printParseErrorCode(found.error);
  return problem("config-syntax", `${source.file} is not valid JSON: ${SYNTAX_WORDS[name] ?? name}`, {
    where: placeAt(source.file, source.text, found),
    next: "Correct the file and run again.",
  });
}

function positionedJson(
  source: { readonly file: string; readonly text: string },
  root: JsonNode,
  jsonc: Jsonc,
): ConfigText {
  const { file, text } = source;
  const nearest = (path: ValuePath): JsonNode => {
    for (let length = path.length; length > 0; length--) {
      const node = jsonc.findNodeAtLocation(root, path.slice(0, length));
      if (node !== undefined) return node;
    }
    return root;
  };
  return {
    file,
    value: jsonc.getNodeValue(root) as unknown,
    valuePlace: (path) => placeAt(file, text, nearest(path)),
    keyPlace: (path) => {
      const node = nearest(path);
      const key = node.parent?.type === "property" ? node.parent.children?.[0] : undefined;
      return placeAt(file, text, key ?? node);
    },
  };
}
