/**
 * Syntax trees of the repository's files.
 *
 * Owns:      parsing (once per text), walking, line numbers, comments before a node, imports.
 * Invariant: rules ask for syntax, never for text patterns, wherever a pattern could match inside a string.
 */
import type { Comment, Node, Program } from "oxc-parser";
import { parseSync, visitorKeys } from "oxc-parser";
import type { RepositoryFile } from "./repository.ts";

export type { Node } from "oxc-parser";

/** One parsed file. */
export interface Syntax {
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
  /** Message of the first syntax error. */
  readonly error: string | undefined;
}

/** One import, re-export, `import()` or `import("x").T`. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

const parsed = new WeakMap<RepositoryFile, Syntax>();

/** The syntax of a TypeScript or JavaScript file. */
export function syntaxOf(file: RepositoryFile): Syntax {
  let syntax = parsed.get(file);
  if (syntax === undefined) {
    syntax = parse(file.path, file.text);
    parsed.set(file, syntax);
  }
  return syntax;
}

/** Parses a text under the name it would have. */
export function parse(path: string, text: string): Syntax {
  const { program, comments, errors } = parseSync(path, text);
  const imports: Import[] = [];
  walk(program, (node) => {
    const source = "source" in node ? node.source : undefined;
    if (source && typeof source === "object" && source.type === "Literal" && typeof source.value === "string") {
      imports.push({ specifier: source.value, line: lineAt(text, node.start) });
    }
  });
  return { program, comments, imports, error: errors[0]?.message };
}

/** Visits a node and all below it, parents first. `ancestors` is outermost first, and only valid during the call. */
export function walk(root: Node, visit: (node: Node, ancestors: readonly Node[]) => void): void {
  const ancestors: Node[] = [];
  const descend = (node: Node): void => {
    visit(node, ancestors);
    ancestors.push(node);
    for (const child of childrenOf(node)) descend(child);
    ancestors.pop();
  };
  descend(root);
}

/** The nodes directly below one, in the order of the text. */
export function childrenOf(node: Node): readonly Node[] {
  const record = node as unknown as Readonly<Record<string, Node | readonly (Node | null)[] | null | undefined>>;
  const children: Node[] = [];
  for (const key of visitorKeys[node.type] ?? []) {
    const value = record[key];
    if (Array.isArray(value)) children.push(...value.filter((child) => child !== null));
    else if (value) children.push(value as Node);
  }
  return children;
}

/** The line of an offset, counted from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/** The text of the comment that ends right before an offset: nothing but white space lies between. */
export function commentBefore(file: RepositoryFile, offset: number): string | undefined {
  const before = syntaxOf(file).comments.filter((comment) => comment.end <= offset);
  const last = before.at(-1);
  return last !== undefined && file.text.slice(last.end, offset).trim() === "" ? last.value : undefined;
}

/** The docstring at the head of a file, before its first statement. */
export function headerOf(file: RepositoryFile): string | undefined {
  const first = syntaxOf(file).comments.find((comment) => comment.type === "Block" && comment.value.startsWith("*"));
  if (first === undefined) return undefined;
  const before = file.text.slice(0, first.start).replace(/^#!.*\n/, "");
  return before.trim() === "" ? first.value : undefined;
}
