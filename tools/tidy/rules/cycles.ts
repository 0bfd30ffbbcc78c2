/** No file imports itself through others, types included: a cycle cannot be read, tested or moved in parts. */
import { posix } from "node:path";
import { codeFiles } from "../packages.ts";
import type { Rule } from "../rule.ts";
import { syntaxOf } from "../syntax.ts";

export const cycles: Rule = {
  name: "cycles",
  *check(repository) {
    const edges = new Map<string, readonly string[]>();
    for (const file of codeFiles(repository)) {
      const relative = syntaxOf(file).imports.filter((each) => each.specifier.startsWith("."));
      edges.set(
        file.path,
        relative.map((each) => posix.join(posix.dirname(file.path), each.specifier)),
      );
    }
    for (const cycle of findCycles(edges)) {
      yield {
        path: cycle[0]!,
        message: `import cycle: ${[...cycle, cycle[0]!].join(" → ")}`,
        instead: "Move what both need into a file of its own.",
      };
    }
  },
};

/** One cycle for each edge that closes one in a depth-first search: none are left out when all of these are mended. */
function findCycles(edges: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (node: string): void => {
    const at = trail.indexOf(node);
    if (at !== -1) found.push(trail.slice(at));
    if (at !== -1 || done.has(node)) return;
    trail.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    trail.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return found;
}
