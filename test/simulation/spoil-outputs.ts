/** What a person or a tool does to outputs behind Kahn's back. */
import { outputRoots } from "./command.ts";
import { readEntry, writeEntry } from "./fake-commands.ts";
import type { SimTask } from "./sim-workspace.ts";
import type { StepContext } from "./step-context.ts";
import { filesBelow } from "./world.ts";

/** Spoils the outputs of some tasks. */
export function spoilOutputs(context: StepContext): void {
  const { world, random, tell } = context;
  const tasks = world.workspace.tasks.filter((task) => task.outputs !== "none" && random.chance(0.5));
  for (const task of tasks) {
    const roots = outputRoots(task).map((root) => `${world.main.root}/${root}`);
    const files = roots.flatMap((root) => filesBelow(world.fs, root));
    const kinds = ["all", "remove", "overwrite", "chmod"];
    // A tool that does not clean up trips over these itself.
    if (task.cleans) kinds.push("to-directory", "parent-to-file", "to-link");
    const kind = random.pick(kinds);
    if (files.length === 0) continue;
    const path = random.pick(files);
    tell(`spoil outputs of ${task.name}: ${kind} ${path}`);
    spoil(context, { task, kind, path, roots });
  }
}

interface Spoil {
  readonly task: SimTask;
  readonly kind: string;
  readonly path: string;
  readonly roots: readonly string[];
}

function spoil({ world, random }: StepContext, { task, kind, path, roots }: Spoil): void {
  const { fs, main } = world;
  /** What a person put there is none of Kahn's business, unless an output has to go there. */
  const foreign = (added: string) => {
    const left = main.litter.get(task.name) ?? new Set<string>();
    main.litter.set(task.name, left);
    if (left !== "any") left.add(added.slice(main.root.length + 1));
  };
  switch (kind) {
    case "all":
      for (const root of roots) fs.removeTree(root);
      break;
    case "overwrite":
    case "chmod": {
      // A linked output is the store's own file: whoever writes in place there was told not to.
      const before = readEntry(fs, path)!;
      if (task.outputMode === "link" || before.startsWith("->")) fs.remove(path);
      const spoilt = kind === "chmod" ? before : `${before.slice(0, -1)}${random.pick(["?", "!!"])}`;
      const isFlipped = kind === "chmod" && !spoilt.startsWith("->");
      writeEntry(fs, path, isFlipped ? `${spoilt.startsWith("exec") ? "file" : "exec"}${spoilt.slice(4)}` : spoilt);
      break;
    }
    case "to-directory":
      fs.remove(path);
      fs.makeDirectory(path);
      fs.writeFile(`${path}/inner`, "x");
      foreign(`${path}/inner`);
      break;
    case "parent-to-file": {
      const parent = path.slice(0, path.lastIndexOf("/"));
      if (!roots.some((root) => parent.startsWith(`${root}/`))) break;
      fs.removeTree(parent);
      fs.writeFile(parent, "x");
      foreign(parent);
      break;
    }
    case "to-link":
      fs.remove(path);
      fs.symlink("nowhere", path);
      break;
    default:
      fs.remove(path);
  }
}
