/** Every export says what it is for, right above it. Constants on lines that follow each other may share a docstring. */
import type { RepositoryFile } from "../repository.ts";
import type { Rule } from "../rule.ts";
import type { Node } from "../syntax.ts";
import { commentBefore, headerOf, lineAt, syntaxOf } from "../syntax.ts";

export const docstrings: Rule = {
  name: "docstrings",
  *check(repository) {
    for (const file of repository.files) {
      if (file.kind !== "source" && file.kind !== "tool") continue;
      if (file.path.startsWith("tools/tidy/rules/")) continue; // The header of a rule is its docstring.
      const overloads = new Set<string>();
      let documentedTo = 0;
      for (const statement of syntaxOf(file).program.body) {
        if (statement.type !== "ExportNamedDeclaration" || statement.declaration === null) continue;
        const name = exportedName(statement.declaration);
        if (overloads.has(name)) continue; // The first overload speaks for all.
        overloads.add(name);
        const continues = documentedTo > 0 && /^;?[^\n]*\n$/.test(file.text.slice(documentedTo, statement.start));
        if (continues || isDocumented(file, statement)) {
          documentedTo = statement.declaration.type === "VariableDeclaration" ? statement.end : 0;
          continue;
        }
        documentedTo = 0;
        const instead = "Say above it what it does or promises: units, order, errors; not its signature again.";
        yield {
          path: file.path,
          line: lineAt(file.text, statement.start),
          message: `${name} has no docstring`,
          instead,
        };
      }
    }
  },
};

function isDocumented(file: RepositoryFile, statement: Node): boolean {
  const comment = commentBefore(file, statement.start);
  // The header of the file is not the docstring of its first export.
  return comment?.startsWith("*") === true && comment !== headerOf(file);
}

function exportedName(declaration: Node): string {
  if (declaration.type === "VariableDeclaration") {
    const [first] = declaration.declarations;
    return first?.id.type === "Identifier" ? first.id.name : "a pattern";
  }
  return "id" in declaration && declaration.id && "name" in declaration.id ? String(declaration.id.name) : "an export";
}
