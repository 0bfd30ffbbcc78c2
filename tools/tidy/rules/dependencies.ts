/** Every import is declared in the manifest of its package, and every declared dependency is imported. */
import type { Manifest } from "../packages.ts";
import { codeFiles, manifestOf, packageName, packagesOf } from "../packages.ts";
import type { Repository, RepositoryFile } from "../repository.ts";
import type { Rule } from "../rule.ts";
import { syntaxOf } from "../syntax.ts";

export const dependencies: Rule = {
  name: "dependencies",
  *check(repository) {
    const imported = new Set<string>();
    for (const file of codeFiles(repository)) {
      const declared = declaredFor(repository, file);
      for (const { specifier, line } of syntaxOf(file).imports) {
        const name = packageName(specifier);
        if (name === undefined) continue;
        imported.add(`${file.package} ${name}`);
        if (declared.has(name) || name === manifestOf(repository, file.package).name) continue;
        const manifest = file.package === undefined ? "package.json" : `packages/${file.package}/package.json`;
        const instead = `Add it to ${manifest} with an exact version, or do without it.`;
        yield { path: file.path, line, message: `imports ${name}, which is not declared`, instead };
      }
    }
    for (const name of packagesOf(repository)) {
      for (const dependency of Object.keys(manifestOf(repository, name).dependencies ?? {})) {
        if (imported.has(`${name} ${dependency}`)) continue;
        const path = `packages/${name}/package.json`;
        yield { path, message: `declares ${dependency}, which nothing imports`, instead: "Remove it." };
      }
    }
  },
};

/** kahn is bundled: what it needs is built in, so its imports are development dependencies. */
function declaredFor(repository: Repository, file: RepositoryFile): ReadonlySet<string> {
  const own = manifestOf(repository, file.package);
  const needsNoInstall = file.kind !== "source" || file.package === "kahn";
  const sections: (keyof Manifest)[] = ["dependencies", "optionalDependencies", "peerDependencies"];
  const names = [...sections, ...(needsNoInstall ? (["devDependencies"] as const) : [])].flatMap((section) =>
    Object.keys(own[section] ?? {}),
  );
  const root = manifestOf(repository, undefined);
  const shared = file.kind === "source" ? [] : Object.keys(root.devDependencies ?? {});
  const apart = Object.keys(manifestApart(repository, file).devDependencies ?? {});
  const own_ =
    file.package === undefined ? packagesOf(repository).map((each) => manifestOf(repository, each).name!) : [];
  return new Set([...names, ...shared, ...own_, ...apart]);
}

/** Tests and measured peers whose packages are installed apart from all others have a package.json in their folder. */
function manifestApart(repository: Repository, file: RepositoryFile): Manifest {
  const folder = /^(test\/[^/]+|bench\/flow\/peers)\//.exec(file.path)?.[0];
  const manifest = folder === undefined ? undefined : repository.file(`${folder}package.json`);
  return manifest === undefined ? {} : (JSON.parse(manifest.text) as Manifest);
}
