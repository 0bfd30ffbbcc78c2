/** All rules, in the order in which they are printed. */
import type { Repository } from "./repository.ts";
import type { Finding, Rule } from "./rule.ts";
import { cycles } from "./rules/cycles.ts";
import { dependencies } from "./rules/dependencies.ts";
import { docstrings } from "./rules/docstrings.ts";
import { effects } from "./rules/effects.ts";
import { exports } from "./rules/exports.ts";
import { headers } from "./rules/headers.ts";
import { leftovers } from "./rules/leftovers.ts";
import { links } from "./rules/links.ts";
import { names } from "./rules/names.ts";
import { portable } from "./rules/portable.ts";
import { problemCodes } from "./rules/problem-codes.ts";
import { ranks } from "./rules/ranks.ts";
import { readmes } from "./rules/readmes.ts";
import { sizes } from "./rules/sizes.ts";
import { snippets } from "./rules/snippets.ts";
import { specifiers } from "./rules/specifiers.ts";
import { types } from "./rules/types.ts";
import { versions } from "./rules/versions.ts";

/** Every rule of the repository. */
export const RULES: readonly Rule[] = [
  ranks,
  specifiers,
  dependencies,
  cycles,
  effects,
  sizes,
  headers,
  docstrings,
  types,
  exports,
  names,
  readmes,
  versions,
  links,
  snippets,
  problemCodes,
  leftovers,
  portable,
];

/** What every rule finds, each finding with its rule's name. */
export function findingsOf(repository: Repository): readonly (Finding & { readonly rule: string })[] {
  return RULES.flatMap((rule) => [...rule.check(repository)].map((finding) => ({ ...finding, rule: rule.name })));
}
