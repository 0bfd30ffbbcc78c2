/** How an import is written: `node:` for Node's modules, the whole file name for ours, no path into another package. */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { codeFiles, manifestOf, ownPackage } from "../packages.ts";
import type { Repository, RepositoryFile } from "../repository.ts";
import type { Finding, Rule } from "../rule.ts";
import { syntaxOf } from "../syntax.ts";

const BUILT_IN = new Set(builtinModules);

export const specifiers: Rule = {
  name: "specifiers",
  *check(repository) {
    for (const file of codeFiles(repository)) {
      for (const { specifier, line } of syntaxOf(file).imports) {
        const finding = judge(repository, file, specifier);
        if (finding !== undefined) yield { ...finding, path: file.path, line };
      }
    }
  },
};

function judge(repository: Repository, file: RepositoryFile, specifier: string): Omit<Finding, "path"> | undefined {
  const message = `imports "${specifier}"`;
  if (BUILT_IN.has(specifier)) return { message, instead: `Write "node:${specifier}".` };
  if (specifier.startsWith(".")) {
    if (!/\.(ts|mts|mjs|json)$/.test(specifier)) return { message, instead: "Write the whole file name, with `.ts`." };
    const target = posix.join(posix.dirname(file.path), specifier);
    const leaves = file.package !== undefined && !target.startsWith(`packages/${file.package}/`);
    const enters = file.package === undefined && /^packages\/[^/]+\/src\//.test(target);
    return leaves || enters
      ? { message, instead: "Import the package by its name, not by a path into it." }
      : undefined;
  }
  const own = ownPackage(specifier);
  const subpath = /^(?:@kahn\/[^/]+|kahn)\/(.+)$/.exec(specifier)?.[1];
  if (own === undefined || subpath === undefined) return undefined;
  if (`./${subpath}` in (manifestOf(repository, own).exports ?? {})) return undefined;
  return { message, instead: `Import what "exports" of packages/${own}/package.json offers, or add it there.` };
}
