/** Nothing in the repository knows one machine or one registry. */
import type { Rule } from "../rule.ts";
import { lineAt } from "../syntax.ts";

const FORBIDDEN: readonly { readonly pattern: RegExp; readonly what: string; readonly instead: string }[] = [
  {
    pattern: /(?<![\w.])\/(home|Users)\/(?!(you|me)\b)[a-z]\w*|(?<![\w./])\/(root|work\/(main|shared))\//g,
    what: "the path of one machine",
    instead: "Use a relative path, a temporary folder, or /home/you in an example.",
  },
  {
    pattern: /registry\.(npmjs|yarnpkg|npmmirror)\.\w+|npm\.pkg\.github\.com|\bjfrog\.io\b/g,
    what: "the host of a registry",
    instead: "Leave it out: each machine's npm configuration names its own.",
  },
];

export const portable: Rule = {
  name: "portable",
  *check(repository) {
    for (const file of repository.files) {
      if (file.path.startsWith("tools/tidy/rules")) continue;
      for (const { pattern, what, instead } of FORBIDDEN) {
        for (const match of file.text.matchAll(pattern)) {
          const line = lineAt(file.text, match.index);
          yield { path: file.path, line, message: `holds ${what}: ${match[0]}`, instead };
        }
      }
    }
  },
};
