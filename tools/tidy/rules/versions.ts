/** Versions are exact, and the same everywhere: two machines that install on two days get one tree. */
import { manifestOf, packagesOf } from "../packages.ts";
import type { Rule } from "../rule.ts";

export const versions: Rule = {
  name: "versions",
  *check(repository) {
    const first = new Map<string, { readonly version: string; readonly path: string }>();
    for (const name of [undefined, ...packagesOf(repository)]) {
      const path = name === undefined ? "package.json" : `packages/${name}/package.json`;
      const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = manifestOf(repository, name);
      const all = [dependencies, devDependencies, optionalDependencies].flatMap(Object.entries<string>);
      for (const [dependency, version] of all) {
        if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
          yield { path, message: `${dependency} is "${version}"`, instead: "Write one exact version." };
        }
        const other = first.get(dependency);
        first.set(dependency, other ?? { version, path });
        if (other === undefined || other.version === version) continue;
        const message = `${dependency} is ${version} here and ${other.version} in ${other.path}`;
        yield { path, message, instead: "Use one version in the whole repository." };
      }
    }
  },
};
