/** What a rule of tidy is: a name, and a check that sees the whole repository. */
import type { Repository } from "./repository.ts";

/** One thing that should be otherwise. */
export interface Finding {
  /** Path relative to the repository, with `/`. */
  readonly path: string;
  /** Counts from 1. */
  readonly line?: number;
  /** What is wrong, as half a sentence that names the thing. */
  readonly message: string;
  /** What to do instead: one imperative sentence. */
  readonly instead: string;
}

/** One rule, in a file of its own; rules.test.ts shows each failing on a bad repository and passing on a good one. */
export interface Rule {
  /** Kebab-case; printed with each finding. */
  readonly name: string;
  check(repository: Repository): Iterable<Finding>;
}
