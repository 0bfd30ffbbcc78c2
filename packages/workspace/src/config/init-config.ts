/**
 * What `kahn init` proposes: a `kahn.jsonc` made from a turbo.json, else from the scripts that are there.
 *
 * Owns:      the guesses: which scripts are worth caching, what they wait for, what they write.
 * Invariant: the text is a valid configuration of this workspace, and every guess in it is explained by a comment.
 */
import type { FileSystem } from "@kahn/core";
import type { Project, WorkspaceModel } from "../model.ts";
import { type ProposedTask, proposedText } from "./config-writing.ts";
import { guessOutputs } from "./guess-outputs.ts";
import { translatedTurbo } from "./init-from-turbo.ts";

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

/** Proposes a configuration; a turbo.json is translated. Reads tsconfig.json, .gitignore and the like through `fs`. */
export function initConfig(model: WorkspaceModel, fs: FileSystem): string {
  const projects = model.projects.length === 1 ? model.projects : model.projects.filter(({ name }) => name !== "//");
  const names = [...new Set(model.tasks.filter(isIn(projects)).map((task) => task.task))].sort();
  if (model.source === "turbo") return proposedText(translatedTurbo(model, { fs, names }));
  const hasBuild = names.includes("build");
  const tasks: ProposedTask[] = [];
  for (const recipe of RECIPES) {
    for (const name of names.filter((each) => recipe.names.test(each))) {
      const outputs = guessOutputs({ fs, root: model.root, task: name, projects: having(projects, name) });
      tasks.push({ key: name, comment: recipe.comment, fields: recipe.make({ name, hasBuild, outputs }) });
    }
  }
  const undeclared = names.filter((name) => !RECIPES.some((recipe) => recipe.names.test(name)));
  return proposedText({ introduction: INTRODUCTION, settings: {}, tasks, undeclared });
}

const INTRODUCTION = [
  "Inputs are, unless a task says otherwise, every file of its project that git knows of, except outputs.",
  '"env" names variables that a task receives and that change its result: "env": ["NODE_ENV", "VITE_*"].',
];

function isIn(projects: readonly Project[]): (task: { readonly project: string }) => boolean {
  const names = new Set(projects.map((project) => project.name));
  return (task) => names.has(task.project);
}

function having(projects: readonly Project[], script: string): readonly Project[] {
  return projects.filter((project) => Object.hasOwn(project.scripts, script));
}
