/**
 * The name closest to one that was mistyped.
 *
 * Source: restricted Damerau–Levenshtein distance (insertions, deletions, replacements, swaps of neighbours).
 */

/** Number of single-character edits between two texts; a swap of neighbours counts as one. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replace = last[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      let best = Math.min(replace, last[column]! + 1, current[column - 1]! + 1);
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) best = Math.min(best, beforeLast[column - 2]! + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length]!;
}

/**
 * The closest of several names, or `undefined` when none is close: at most one edit in three characters, and at most
 * three. A name that only lacks its scope (`ui` for `@acme/ui`) or differs in case counts as close.
 */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  const limit = Math.min(3, Math.max(1, Math.floor(name.length / 3)));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const isUnscoped = lower.slice(lower.indexOf("/") + 1) === wanted;
    const distance = isUnscoped ? 0 : editDistance(wanted, lower);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
