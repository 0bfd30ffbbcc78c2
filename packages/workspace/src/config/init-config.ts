/**
 * What `kahn init` proposes: a `kahn.jsonc` made from the scripts that are there.
 *
 * Owns:      the guesses: which scripts are worth caching, what they wait for, what they write.
 * Invariant: the text is a valid configuration of this workspace, and every guess in it is explained by a comment.
 */
import type { FileSystem } from "@kahn/core";
import type { Project, WorkspaceModel } from "../model.ts";
import { guessOutputs } from "./guess-outputs.ts";

/** A script name that is understood. */
interface Recipe {
  readonly names: RegExp;
  readonly comment: string;
  readonly make: (context: RecipeContext) => Readonly<Record<string, unknown>>;
}

interface RecipeContext {
  readonly name: string;
  readonly hasBuild: boolean;
  readonly outputs: readonly string[];
}

const RECIPES: readonly Recipe[] = [
  {
    names: /^(build|compile|bundle)$/,
    comment: "After the same task of workspace dependencies. Files that match outputs are cached and restored.",
    make: ({ name, outputs }) => ({ dependsOn: [`^${name}`], outputs }),
  },
  {
    names: /^(test|test:unit|test:ci|unit)$/,
    comment: "Nothing is restored but the log; a test that passed is not run again until what it reads changes.",
    make: ({ hasBuild, outputs }) => ({ dependsOn: hasBuild ? ["build"] : [], outputs }),
  },
  {
    names: /^(typecheck|type-check|check-types|types|tsc|check)$/,
    comment: "Needs the types that dependencies build.",
    make: ({ hasBuild }) => ({ dependsOn: hasBuild ? ["^build"] : [], outputs: [] }),
  },
  {
    names: /^(lint|lint:[\w-]+|eslint|format:check|format-check|fmt:check|prettier:check|stylelint|knip)$/,
    comment: "Reads sources only, so it waits for nothing.",
    make: () => ({ outputs: [] }),
  },
  {
    names: /^(dev|start|serve|watch|preview)(:[\w-]+)?$/,
    comment: 'Does not end by itself. "ready": { "port": 3000 } lets other tasks wait until it answers.',
    make: () => ({ persistent: true }),
  },
];

/** Proposes a configuration. Reads tsconfig.json, .gitignore and the like through `fs`. */
export function initConfig(model: WorkspaceModel, fs: FileSystem): string {
  const projects = model.projects.length === 1 ? model.projects : model.projects.filter(({ name }) => name !== "//");
  const names = [...new Set(model.tasks.filter(isIn(projects)).map((task) => task.task))].sort();
  const hasBuild = names.includes("build");
  const entries: string[] = [];
  for (const recipe of RECIPES) {
    for (const name of names.filter((each) => recipe.names.test(each))) {
      const outputs = guessOutputs({ fs, root: model.root, task: name, projects: having(projects, name) });
      entries.push(entryText(recipe.comment, name, recipe.make({ name, hasBuild, outputs })));
    }
  }
  const others = names.filter((name) => !RECIPES.some((recipe) => recipe.names.test(name)));
  return `${HEAD}${entries.join(",\n\n")}${entries.length > 0 ? "\n" : ""}${othersText(others)}  }\n}\n`;
}

const HEAD = `{
  "$schema": "./node_modules/kahn/dist/schema.json",

  // Inputs are, unless a task says otherwise, every file of its project that git knows of, except outputs.
  // "env" names variables that a task receives and that change its result: "env": ["NODE_ENV", "VITE_*"].
  "tasks": {
`;

function isIn(projects: readonly Project[]): (task: { readonly project: string }) => boolean {
  const names = new Set(projects.map((project) => project.name));
  return (task) => names.has(task.project);
}

function having(projects: readonly Project[], script: string): readonly Project[] {
  return projects.filter((project) => Object.hasOwn(project.scripts, script));
}

function entryText(comment: string, name: string, task: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(task).map(([key, value]) => `${JSON.stringify(key)}: ${inline(value)}`);
  return `    // ${comment}\n    ${JSON.stringify(name)}: { ${fields.join(", ")} }`;
}

function inline(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((each) => JSON.stringify(each)).join(", ")}]` : JSON.stringify(value);
}

function othersText(names: readonly string[]): string {
  if (names.length === 0) return "";
  return `\n    // These scripts are not declared. They run, and are not cached: ${names.join(", ")}.\n`;
}
