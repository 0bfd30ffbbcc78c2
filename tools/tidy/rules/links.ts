/** Relative links in documents lead somewhere, to a heading too. */
import { posix } from "node:path";
import { headingsOf, linksOf } from "../markdown.ts";
import type { Rule } from "../rule.ts";

export const links: Rule = {
  name: "links",
  *check(repository) {
    const folders = new Set(repository.files.flatMap((file) => foldersOf(file.path)));
    for (const file of repository.files) {
      if (file.kind !== "document") continue;
      for (const { target, line } of linksOf(file.text)) {
        if (/^[a-z]+:/.test(target)) continue; // Another site: not checked, for tests need no network.
        const [path = "", anchor] = target.split("#");
        const absolute = path === "" ? file.path : posix.join(posix.dirname(file.path), path).replace(/\/$/, "");
        const linked = repository.file(absolute);
        if (linked === undefined && !folders.has(absolute)) {
          yield { path: file.path, line, message: `links to ${target}, which is not there`, instead: "Mend the path." };
        } else if (anchor !== undefined && linked?.kind === "document" && !headingsOf(linked.text).has(anchor)) {
          yield { path: file.path, line, message: `links to the heading #${anchor}`, instead: "Link one that exists." };
        }
      }
    }
  },
};

function foldersOf(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
