/** Each package has a README of one screen: purpose, invariants, entry file. */
import { packagesOf } from "../packages.ts";
import type { Rule } from "../rule.ts";

const LINES_MAX = 40;

export const readmes: Rule = {
  name: "readmes",
  *check(repository) {
    for (const name of packagesOf(repository)) {
      const path = `packages/${name}/README.md`;
      const file = repository.file(path);
      if (file === undefined) {
        yield { path, message: "is missing", instead: "Write its purpose, its invariants and its entry file." };
        continue;
      }
      const lines = file.text.trimEnd().split("\n").length;
      if (lines <= LINES_MAX) continue;
      yield { path, message: `has ${lines} lines, limit ${LINES_MAX}`, instead: "Move what is left over to docs/." };
    }
  },
};
