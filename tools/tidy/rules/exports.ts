/** Exports have names, and an index lists them: a reader sees the public surface without opening another file. */
import { codeFiles } from "../packages.ts";
import type { Rule } from "../rule.ts";
import { lineAt, syntaxOf } from "../syntax.ts";

export const exports: Rule = {
  name: "exports",
  *check(repository) {
    for (const file of codeFiles(repository)) {
      for (const statement of syntaxOf(file).program.body) {
        const line = lineAt(file.text, statement.start);
        // Programs that read a *.config.ts ask for a default export.
        if (statement.type === "ExportDefaultDeclaration" && !file.path.endsWith(".config.ts")) {
          yield { path: file.path, line, message: "has a default export", instead: "Export it by its name." };
        }
        if (statement.type === "ExportAllDeclaration" && statement.exported === null) {
          yield { path: file.path, line, message: "has `export *`", instead: "List what is exported." };
        }
      }
    }
  },
};
