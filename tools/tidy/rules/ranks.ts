/** A package imports lower ranks only: what keeps the drawing in ARCHITECTURE.md true. */
import { ownPackage, RANKS } from "../packages.ts";
import type { RepositoryFile } from "../repository.ts";
import type { Finding, Rule } from "../rule.ts";
import { syntaxOf } from "../syntax.ts";

export const ranks: Rule = {
  name: "ranks",
  *check(repository) {
    for (const file of repository.files) {
      if (file.package === undefined || (file.kind !== "source" && file.kind !== "test")) continue;
      if (!RANKS.has(file.package)) {
        const instead = "Add it to RANKS in tools/tidy/packages.ts and to ARCHITECTURE.md.";
        yield { path: file.path, message: `package ${file.package} has no rank`, instead };
        continue;
      }
      for (const { specifier, line } of syntaxOf(file).imports) {
        const imported = ownPackage(specifier);
        const finding = imported === undefined ? undefined : judge(file, imported);
        if (finding !== undefined) yield { ...finding, path: file.path, line };
      }
    }
  },
};

function judge(file: RepositoryFile, imported: string): Omit<Finding, "path"> | undefined {
  const own = file.package!;
  const rank = RANKS.get(own)!;
  const importedRank = RANKS.get(imported);
  if (imported === own) {
    return { message: `${own} imports itself by name`, instead: "Import the file by its relative path." };
  }
  if (imported === "testing" && file.kind === "test") return undefined;
  if (imported === "testing" && own !== "kahn") {
    return { message: "source imports @kahn/testing", instead: "Import it in tests only; sources take ports." };
  }
  if (importedRank === undefined || importedRank >= rank) {
    return {
      message: `${own} (rank ${rank}) imports ${imported} (rank ${importedRank ?? "unknown"})`,
      instead: "Import lower ranks only: take what you need as a port of core, and let kahn wire it.",
    };
  }
  return undefined;
}
