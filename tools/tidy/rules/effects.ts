/**
 * Who may touch the world: the pure packages nothing, the others only through ports, except where the port ends.
 *
 * A global counts as used where its name is read and the file binds nothing of that name; a file that has a parameter
 * called `process` is therefore not seen. Imports are always seen.
 */
import type { Repository, RepositoryFile } from "../repository.ts";
import type { Finding, Rule } from "../rule.ts";
import type { Node } from "../syntax.ts";
import { lineAt, syntaxOf, walk } from "../syntax.ts";

interface Ban {
  /** A global, one member of a global, or a module. */
  readonly name: string;
  readonly instead: string;
  /** True where it is banned. */
  readonly in: (name: string) => boolean;
}

const PURE = new Set(["core", "scheduler"]);
const pure = (name: string): boolean => PURE.has(name);
const notKahn = (name: string): boolean => name !== "kahn";
const notTerminal = (name: string): boolean => name !== "kahn" && name !== "report";
/** The two that implement the ports of time and chance. */
const notClock = (name: string): boolean => name !== "system" && name !== "kahn";

const BANS: readonly Ban[] = [
  ...["Date.now", "new Date()", "performance.now"].map((name) => ({ name, instead: "Take a Clock.", in: notClock })),
  { name: "Math.random", instead: "Take a Random.", in: notClock },
  // To let others run is not to read a clock: the virtual clock has no other way, and runs must do it under any clock.
  {
    name: "setImmediate",
    instead: "Take a Clock, and sleep.",
    in: (name) => notClock(name) && name !== "testing" && name !== "workflow",
  },
  ...["setTimeout", "setInterval", "node:timers", "node:timers/promises"].map((name) => ({
    name,
    instead: "Take a Clock, and use its timers.",
    in: notClock,
  })),
  ...["node:fs", "node:fs/promises"].map((name) => ({ name, instead: "Take a FileSystem.", in: pure })),
  { name: "node:child_process", instead: "Take a ProcessRunner.", in: notClock },
  ...["process.env", "process.argv", "process.exit", "process.cwd"].map((name) => ({
    name,
    instead: "Let kahn read it and pass it as a parameter.",
    in: notKahn,
  })),
  ...["process", "node:process"].map((name) => ({ name, instead: "Pass the value as a parameter.", in: pure })),
  ...["console", "process.stdout", "process.stderr"].map((name) => ({
    name,
    instead: "Emit an event or return a problem; report prints it.",
    in: notTerminal,
  })),
];

export const effects: Rule = {
  name: "effects",
  *check(repository: Repository) {
    for (const file of repository.files) {
      if (file.kind !== "source" || file.package === undefined) continue;
      // `spawner-main.ts` is a program of its own, and so reads its own arguments.
      const owner = /-main\.ts$/.test(file.path) ? "kahn" : file.package;
      const bans = new Map(BANS.filter((ban) => ban.in(owner)).map((ban) => [ban.name, ban]));
      for (const { specifier, line } of syntaxOf(file).imports) {
        const ban = bans.get(specifier);
        if (ban !== undefined) yield finding(file, line, ban);
      }
      for (const use of globalUses(file)) {
        const ban = bans.get(use.name);
        if (ban !== undefined) yield finding(file, lineAt(file.text, use.node.start), ban);
      }
    }
  },
};

function finding(file: RepositoryFile, line: number, ban: Ban): Finding {
  return { path: file.path, line, message: `${file.package} uses ${ban.name}`, instead: ban.instead };
}

/** Names read from the global scope: `console`, and `process.env` for a member of one. */
function globalUses(file: RepositoryFile): readonly { readonly name: string; readonly node: Node }[] {
  const { program } = syntaxOf(file);
  const bound = boundNames(program);
  const uses: { name: string; node: Node }[] = [];
  walk(program, (node, ancestors) => {
    const parent = ancestors.at(-1);
    if (node.type !== "Identifier" || parent === undefined || bound.has(node.name) || isLabel(node, parent)) return;
    uses.push({ name: node.name, node });
    if (parent.type === "MemberExpression" && parent.object === node && parent.property.type === "Identifier") {
      uses.push({ name: `${node.name}.${parent.property.name}`, node });
    }
    if (parent.type === "NewExpression" && node.name === "Date" && parent.arguments.length === 0) {
      uses.push({ name: "new Date()", node });
    }
  });
  return uses;
}

/** True where a name does not refer to anything: a property's name, a key, a type's name. */
function isLabel(node: Node, parent: Node): boolean {
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  if ("key" in parent) return parent.key === node && !("computed" in parent && parent.computed);
  return parent.type.startsWith("TS") && parent.type !== "TSNonNullExpression" && parent.type !== "TSAsExpression";
}

/** Every name that the file binds anywhere: imports, declarations, parameters. */
function boundNames(program: Node): ReadonlySet<string> {
  const names = new Set<string>();
  const bind = (pattern: Node | null | undefined): void => {
    if (pattern?.type === "Identifier") names.add(pattern.name);
    else if (pattern?.type === "AssignmentPattern") bind(pattern.left);
    else if (pattern?.type === "RestElement") bind(pattern.argument);
    else if (pattern?.type === "ArrayPattern") for (const element of pattern.elements) bind(element);
    else if (pattern?.type === "ObjectPattern") {
      for (const property of pattern.properties) bind(property.type === "Property" ? property.value : property);
    }
  };
  walk(program, (node) => {
    if (node.type === "VariableDeclarator") bind(node.id);
    if (node.type === "CatchClause") bind(node.param);
    if ("local" in node) bind(node.local as Node);
    if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") bind(node.id);
    if ("params" in node && Array.isArray(node.params)) for (const parameter of node.params) bind(parameter as Node);
  });
  return names;
}
