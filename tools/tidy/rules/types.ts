/** No `any`: it turns the checker off for everything it touches. */
import { codeFiles } from "../packages.ts";
import type { Finding, Rule } from "../rule.ts";
import { lineAt, syntaxOf, walk } from "../syntax.ts";

export const types: Rule = {
  name: "types",
  *check(repository) {
    for (const file of codeFiles(repository)) {
      const found: Finding[] = [];
      walk(syntaxOf(file).program, (node) => {
        if (node.type !== "TSAnyKeyword") return;
        const instead = "Write `unknown` and narrow it, or name the type.";
        found.push({ path: file.path, line: lineAt(file.text, node.start), message: "uses `any`", instead });
      });
      yield* found;
    }
  },
};
