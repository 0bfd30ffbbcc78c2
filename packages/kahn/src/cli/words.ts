/**
 * Commands that take a word first, such as `kahn cache gc`.
 *
 * Owns:      which arguments and options go with which word.
 * Invariant: as with every other command, none is accepted and then ignored.
 */
import { closestName, type Problem, problem } from "@kahn/core";
import type { ArgumentSpec, ParsedArguments } from "./arguments.ts";

/** What goes with a word. */
export interface WordSpec {
  /** Behind the word. */
  readonly argumentsMax: number;
  /** Names, without dashes. */
  readonly options: readonly string[];
}

/** The words of a command, in the order of its help; the first is meant when there is none. */
export type WordSpecs = Readonly<Record<string, WordSpec>>;

/** Why what was given does not go together; `undefined` when it does. */
export function wordProblem(spec: ArgumentSpec, words: WordSpecs, given: ParsedArguments): Problem | undefined {
  const command = spec.usage.split(" ")[0]!;
  const names = Object.keys(words);
  const [word = names[0]!, ...others] = given.positionals;
  const own = Object.hasOwn(words, word) ? words[word] : undefined;
  if (own === undefined) {
    const suggestion = closestName(word, names);
    const next = suggestion === undefined ? `One of: ${names.join(", ")}.` : `Did you mean ${suggestion}?`;
    return problem("arguments-count", `kahn ${command} has no "${word}"`, { next });
  }
  if (others.length > own.argumentsMax) {
    return problem("arguments-count", "too many arguments", { facts: [["usage", `kahn ${spec.usage}`]] });
  }
  const stray = spec.options.find(({ name }) => given.has(name) && !own.options.includes(name));
  if (stray === undefined) return undefined;
  const owners = names.filter((name) => words[name]!.options.includes(stray.name));
  return problem("option-value", `--${stray.name} says nothing to kahn ${command} ${word}`, {
    next: `Leave it out; it goes with ${owners.join(", ")}.`,
  });
}
