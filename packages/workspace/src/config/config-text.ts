/**
 * A configuration file's text and the way back from a value to its line.
 *
 * Owns:  reading JSON with comments, and positions in it.
 * Never: decides what a value means.
 */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { JsonDialect, JsonMember, JsonNode } from "./json-tree.ts";
import { memberOf, parseJsonTree, plainValue } from "./json-tree.ts";

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

/**
 * Reads JSON or JSON with comments.
 *
 * @returns the value with its positions; a `config-syntax` problem, or a `config-duplicate-key` problem for each
 *          repeated key.
 */
export function readJsonText(file: string, text: string, dialect: JsonDialect): Result<ConfigText, readonly Problem[]> {
  const parsed = parseJsonTree(text, dialect);
  if (!parsed.ok) {
    return err([
      problem("config-syntax", `${file} is not valid JSON: ${parsed.problem.what}`, {
        where: placeAt(file, text, parsed.problem),
        next: "Correct the file and run again.",
      }),
    ]);
  }
  const repeated = repeatedKeys(parsed.value, []);
  if (repeated.length > 0 && dialect === "jsonc") {
    return err(repeated.map(({ path, member }) => duplicateKey({ file, text }, path, member)));
  }
  return ok(positionedJson({ file, text }, parsed.value));
}

interface SourceText {
  readonly file: string;
  readonly text: string;
}

function duplicateKey({ file, text }: SourceText, path: ValuePath, member: JsonMember): Problem {
  return problem("config-duplicate-key", `"${pathText(path)}" is written twice; the first one would be ignored`, {
    where: placeAt(file, text, spanOfKey(member)),
    next: "Merge the two.",
  });
}

function repeatedKeys(node: JsonNode, path: ValuePath): { path: ValuePath; member: JsonMember }[] {
  if (node.kind === "scalar") return [];
  if (node.kind === "array") return node.items.flatMap((item, index) => repeatedKeys(item, [...path, index]));
  const seen = new Set<string>();
  return node.members.flatMap((member) => {
    const inner = [...path, member.key];
    const own = seen.has(member.key) ? [{ path: inner, member }] : [];
    seen.add(member.key);
    return [...own, ...repeatedKeys(member.value, inner)];
  });
}

function positionedJson(source: SourceText, root: JsonNode): ConfigText {
  const { file, text } = source;
  const place = (span: { readonly offset: number; readonly length: number }) => placeAt(file, text, span);
  return {
    file,
    value: plainValue(root),
    valuePlace: (path) => place(spanOfNode(descend(root, path).node)),
    keyPlace: (path) => {
      const { node, member } = descend(root, path);
      return place(member === undefined ? spanOfNode(node) : spanOfKey(member));
    },
  };
}

/** Follows a path as far as it leads. `member` is what the last step went through, when that was a key. */
function descend(
  root: JsonNode,
  path: ValuePath,
): { readonly node: JsonNode; readonly member: JsonMember | undefined } {
  let node = root;
  let member: JsonMember | undefined;
  for (const step of path) {
    const through = typeof step === "string" ? memberOf(node, step) : undefined;
    const next = through?.value ?? (typeof step === "number" && node.kind === "array" ? node.items[step] : undefined);
    if (next === undefined) break;
    node = next;
    member = through;
  }
  return { node, member };
}

function spanOfNode({ start, end }: JsonNode): { readonly offset: number; readonly length: number } {
  return { offset: start, length: end - start };
}

function spanOfKey({ keyStart, keyEnd }: JsonMember): { readonly offset: number; readonly length: number } {
  return { offset: keyStart, length: keyEnd - keyStart };
}
