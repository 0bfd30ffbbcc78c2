/** Every problem code has a section in docs/errors.md, in alphabetical order, and every section has its code. */
import type { Repository } from "../repository.ts";
import type { Finding, Rule } from "../rule.ts";
import { lineAt, syntaxOf, walk } from "../syntax.ts";

const DOCUMENT = "docs/errors.md";

export const problemCodes: Rule = {
  name: "problem-codes",
  *check(repository) {
    const text = repository.file(DOCUMENT)?.text ?? "";
    const sections = [...text.matchAll(/^### `?([a-z0-9-]+)`?$/gm)].map((match) => match[1]!);
    for (const finding of codesInSources(repository)) {
      if (!sections.includes(finding.code)) yield finding;
    }
    const sources = repository.files.filter((file) => file.kind === "source").map((file) => file.text);
    for (const [index, section] of sections.entries()) {
      if (!sources.some((source) => source.includes(`"${section}"`))) {
        yield { path: DOCUMENT, message: `${section} is no code of ours`, instead: "Remove the section." };
      }
      if (index > 0 && sections[index - 1]! >= section) {
        const instead = "Keep the sections in alphabetical order, each once.";
        yield { path: DOCUMENT, message: `${section} stands after ${sections[index - 1]}`, instead };
      }
    }
  },
};

/** One finding for each code that a call of `problem` or `warning` gives, at its first place. */
function codesInSources(repository: Repository): readonly (Finding & { readonly code: string })[] {
  const found = new Map<string, Finding & { readonly code: string }>();
  for (const file of repository.files) {
    if (file.kind !== "source") continue;
    walk(syntaxOf(file).program, (node) => {
      if (node.type !== "CallExpression" || node.callee.type !== "Identifier") return;
      const [code] = node.arguments;
      if (!/^(problem|warning)$/.test(node.callee.name) || code?.type !== "Literal") return;
      if (typeof code.value !== "string" || found.has(code.value)) return;
      found.set(code.value, {
        code: code.value,
        path: file.path,
        line: lineAt(file.text, node.start),
        message: `problem code ${code.value} is not explained`,
        instead: `Add a section "### ${code.value}" to ${DOCUMENT}: cause, and what to do.`,
      });
    });
  }
  return [...found.values()];
}
