/** "Did you mean": what to say of a name that is not known. */
import { closestName } from "@kahn/core";

/** The sentence `Did you mean "x"?`, or the list of what there is when nothing is close. */
export function suggest(name: string, known: readonly string[], what: string): string {
  const closest = closestName(name, known);
  if (closest !== undefined) return `Did you mean "${closest}"?`;
  if (known.length === 0) return `There are no ${what}.`;
  const shown = known.slice(0, 30).join(", ");
  return `Known ${what}: ${shown}${known.length > 30 ? `, and ${known.length - 30} more` : ""}.`;
}
