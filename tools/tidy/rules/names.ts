/** Files are called after the one noun they hold, in kebab-case. */
import { basename } from "node:path/posix";
import { codeFiles } from "../packages.ts";
import type { Rule } from "../rule.ts";

/** Words that say nothing about what is inside; a package manager is a thing of its own. */
const EMPTY = /(^|-)(utils?|commons?|helpers?|(?<!package-)managers?|data|infos?|misc|stuff)(-|$)/;

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;

export const names: Rule = {
  name: "names",
  *check(repository) {
    for (const { path, kind } of codeFiles(repository)) {
      const name = basename(path).replace(/\.(test|fixture|config|worker)?\.?(ts|mts|mjs)$/, "");
      // A noun with many tests may have several files of them: `kernel.property.test.ts`.
      if (!KEBAB_CASE.test(kind === "test" ? name.replace(".", "-") : name)) {
        yield { path, message: `"${name}" is not kebab-case`, instead: "Rename it: words in lower case, joined by -." };
      }
      const folder = path
        .split("/")
        .slice(0, -1)
        .find((part) => EMPTY.test(part));
      const word = EMPTY.test(name) ? name : folder;
      if (word !== undefined) {
        yield { path, message: `"${word}" does not say what is inside`, instead: "Name it after the noun it holds." };
      }
    }
  },
};
