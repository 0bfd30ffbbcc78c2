/** Every file opens by saying what it is for; the longer ones say what they own, never do and always keep. */
import type { Rule } from "../rule.ts";
import { headerOf } from "../syntax.ts";

export const headers: Rule = {
  name: "headers",
  *check(repository) {
    for (const file of repository.files) {
      if (file.kind !== "source" && file.kind !== "tool") continue;
      if (headerOf(file) !== undefined) continue;
      const instead = "Open it with /** one line of purpose */, and Owns, Never, Invariant where they say something.";
      yield { path: file.path, line: 1, message: "has no header", instead };
    }
  },
};
