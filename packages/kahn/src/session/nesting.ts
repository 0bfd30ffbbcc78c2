/**
 * Nesting: a Kahn started by a task of another Kahn.
 *
 * Owns:      the one variable that tells a child what it runs inside of.
 */
import { type Problem, problem } from "@kahn/core";

/** Set for every command that Kahn starts. */
export const CHAIN_VARIABLE = "KAHN_CHAIN";

/** The runs that this process is inside of: workspace root and label, outermost first. */
export type Chain = readonly (readonly [root: string, label: string])[];

/** Reads the chain; empty for a Kahn that a person started, or when the text is not ours. */
export function parseChain(text: string | undefined): Chain {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    const isLink = (link: unknown) =>
      Array.isArray(link) && link.length === 2 && link.every((part) => typeof part === "string");
    return Array.isArray(value) && value.every(isLink) ? (value as unknown as Chain) : [];
  } catch (cause) {
    if (cause instanceof SyntaxError) return [];
    throw cause;
  }
}

/** The variable for a command of this label. */
export function chainEnv(chain: Chain, root: string, label: string): Readonly<Record<string, string>> {
  return { [CHAIN_VARIABLE]: JSON.stringify([...chain, [root, label]]) };
}

/** True when an enclosing run works in the same workspace: it holds the lock, and this process has one of its slots. */
export function isInside(chain: Chain, root: string): boolean {
  return chain.some(([other]) => other === root);
}

/** The problem of a run that would start a task it is itself part of. */
export function recursionProblem(chain: Chain, root: string, labels: Iterable<string>): Problem | undefined {
  const mine = new Set(chain.filter(([other]) => other === root).map(([, label]) => label));
  for (const label of labels) {
    if (!mine.has(label)) continue;
    const shown = [...chain.map(([, each]) => each), label].join(" → ");
    return problem("run-recursive", `${label} would run itself: ${shown}`, {
      next: `Let the script of ${label} do its own work, or name other tasks in its \`kahn run\`.`,
    });
  }
  return undefined;
}
