/**
 * Sizes that make a reviewer ask: files, functions, parameters, unions, nesting.
 *
 * What is larger needs a reason: a line `Size: …` in the comment right above it (for a file: in its header). Offenders
 * of old stand in ratchet.json, where they may shrink and never grow.
 */
import type { Repository, RepositoryFile } from "../repository.ts";
import type { Finding, Rule } from "../rule.ts";
import type { Node } from "../syntax.ts";
import { childrenOf, commentBefore, headerOf, lineAt, syntaxOf, walk } from "../syntax.ts";

const LIMITS = { file: 400, test: 600, function: 60, parameters: 3, union: 25, nesting: 3 } as const;
/** What a unit of each size is called. */
const UNITS = {
  file: "lines",
  test: "lines",
  function: "lines",
  parameters: "parameters",
  union: "arms",
  nesting: "levels",
};
const INSTEAD = {
  file: "Split it by the nouns it holds, or say why not in a line `Size: …` of its header.",
  test: "Split it by what is tested.",
  function: "Give its steps names of their own, or say why not in a line `Size: …` of its docstring.",
  parameters: "Take one options object.",
  union: "Group the arms that are handled alike.",
  nesting: "Return early, or give the inner part a name.",
} as const;

/** Where old offenders are kept: `{ "packages/x/src/a.ts function frobnicate": 75 }`. */
export const RATCHET_PATH = "tools/tidy/ratchet.json";

/** One measured thing above its limit. */
export interface Oversize {
  readonly file: RepositoryFile;
  readonly line: number;
  readonly what: keyof typeof LIMITS;
  /** Name of the function or type; empty for a file. */
  readonly name: string;
  readonly size: number;
}

export const sizes: Rule = {
  name: "sizes",
  *check(repository): Iterable<Finding> {
    const ratchet = readRatchet(repository);
    const seen = new Set<string>();
    for (const each of oversizes(repository)) {
      const key = ratchetKey(each);
      const allowed = ratchet[key];
      seen.add(key);
      if (allowed !== undefined && each.size <= allowed) {
        if (each.size < allowed) yield shrunk(key, each.size);
        continue;
      }
      const limit = allowed === undefined ? `limit ${LIMITS[each.what]}` : `${allowed} in the ratchet`;
      const message = `${each.what} ${each.name} has ${each.size} ${UNITS[each.what]}, ${limit}`.replace("  ", " ");
      yield { path: each.file.path, line: each.line, message, instead: INSTEAD[each.what] };
    }
    for (const key of Object.keys(ratchet)) if (!seen.has(key)) yield shrunk(key, undefined);
  },
};

/** The ratchet with every entry at its present size; entries that are no longer too large are gone, none is added. */
export function tightened(repository: Repository): Record<string, number> {
  const present = new Map([...oversizes(repository)].map((each) => [ratchetKey(each), each.size]));
  const kept = Object.entries(readRatchet(repository)).filter(([key]) => present.has(key));
  return Object.fromEntries(kept.map(([key, allowed]) => [key, Math.min(allowed, present.get(key)!)]));
}

function shrunk(key: string, size: number | undefined): Finding {
  const message = `${key} is ${size ?? "no longer too large"}`;
  return { path: RATCHET_PATH, message, instead: "Run `npm run tidy -- --tighten`: what shrank may not grow again." };
}

function readRatchet(repository: Repository): Readonly<Record<string, number>> {
  return JSON.parse(repository.file(RATCHET_PATH)?.text ?? "{}") as Record<string, number>;
}

function ratchetKey(each: Oversize): string {
  return `${each.file.path} ${each.what} ${each.name}`.trimEnd();
}

/** Everything above its limit without a reason. In tests only the file is measured. */
function* oversizes(repository: Repository): Iterable<Oversize> {
  for (const file of repository.files) {
    if (file.kind !== "source" && file.kind !== "tool" && file.kind !== "test") continue;
    const what = file.kind === "test" ? "test" : "file";
    const size = file.text.split("\n").length - 1;
    if (size > LIMITS[what] && !/^ \* Size:/m.test(headerOf(file) ?? "")) yield { file, line: 1, what, name: "", size };
    if (file.kind !== "test") yield* oversizeNodes(file);
  }
}

function oversizeNodes(file: RepositoryFile): readonly Oversize[] {
  const found: Oversize[] = [];
  walk(syntaxOf(file).program, (node, ancestors) => {
    const statement =
      [...ancestors, node].find((each) => !/^(Program|ExportNamedDeclaration)$/.test(each.type)) ?? node;
    const measured: [keyof typeof LIMITS, number][] = [];
    if (isFunction(node)) {
      measured.push(["function", lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1]);
      measured.push(["parameters", node.params.length], ["nesting", depthOf(node.body)]);
    }
    if (node.type === "TSUnionType") measured.push(["union", node.types.length]);
    for (const [what, size] of measured) {
      if (size <= LIMITS[what] || hasReason(file, node, ancestors)) continue;
      found.push({ file, line: lineAt(file.text, node.start), what, name: nameOf(node, ancestors, statement), size });
    }
  });
  return found;
}

type FunctionNode = Extract<Node, { params: unknown; body: unknown }> & { readonly params: readonly Node[] };

function isFunction(node: Node): node is FunctionNode {
  return (
    node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression"
  );
}

/** How deep branches and loops stand in each other; an `else if` is on its `if`'s level, a function starts anew. */
function depthOf(node: Node | null | undefined): number {
  if (!node || isFunction(node)) return 0;
  const opens = /^(If|For|ForIn|ForOf|While|DoWhile|Switch|Try)Statement$/.test(node.type) ? 1 : 0;
  let deepest = 0;
  for (const child of childrenOf(node)) {
    const chained = node.type === "IfStatement" && child === node.alternate && child.type === "IfStatement";
    deepest = Math.max(deepest, depthOf(child) - (chained ? 1 : 0));
  }
  return opens + deepest;
}

/** True if a comment right above the node, or above what it is the whole of, says `Size: …`. */
function hasReason(file: RepositoryFile, node: Node, ancestors: readonly Node[]): boolean {
  for (const each of [node, ...[...ancestors].reverse()]) {
    if (each.type === "Program" || each.type === "BlockStatement" || each.type === "ClassBody") return false;
    if (/(^|\* |^ )Size:/m.test(commentBefore(file, each.start) ?? "")) return true;
  }
  return false;
}

/** The name by which a person would find it: its own, else that of what it is assigned to, else of the statement. */
function nameOf(node: Node, ancestors: readonly Node[], statement: Node): string {
  for (const each of [node, ...[...ancestors].reverse()]) {
    if ("id" in each && each.id && each.id.type === "Identifier") return each.id.name;
    if ("key" in each && each.key && "name" in each.key && typeof each.key.name === "string") return each.key.name;
  }
  return `of the ${statement.type}`;
}
