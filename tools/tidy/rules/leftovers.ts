/** Work left for later names the issue that holds it: what only a comment knows is never done. */
import { codeFiles } from "../packages.ts";
import type { Rule } from "../rule.ts";
import { lineAt, syntaxOf } from "../syntax.ts";

export const leftovers: Rule = {
  name: "leftovers",
  *check(repository) {
    for (const file of codeFiles(repository)) {
      for (const comment of syntaxOf(file).comments) {
        const word = /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/.exec(comment.value)?.[1];
        if (word === undefined) continue;
        const instead = `Do it, drop it, or write ${word}(#123) with the number of its issue.`;
        yield { path: file.path, line: lineAt(file.text, comment.start), message: `${word} without an issue`, instead };
      }
    }
  },
};
