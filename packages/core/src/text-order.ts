/**
 * The one order of names: by code point, which is the order of their UTF-8 bytes.
 *
 * Source: REAPI v2 ("sorted by code point, equivalently, by the UTF-8 bytes"). JavaScript's own `<` compares UTF-16
 *         units, which differs for characters beyond U+FFFF against U+E000 to U+FFFF.
 */

/** Compares by code point: negative, zero or positive. For `Array.prototype.sort`. */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    let left = a.charCodeAt(index);
    let right = b.charCodeAt(index);
    if (left === right) continue;
    // Surrogates stand for code points above every single unit: lift them over U+E000 to U+FFFF.
    if (left >= 0xd800 && right >= 0xd800) {
      left = left >= 0xe000 ? left - 0x800 : left + 0x2000;
      right = right >= 0xe000 ? right - 0x800 : right + 0x2000;
    }
    return left - right;
  }
  return a.length - b.length;
}

/** The list itself when it is sorted by name, else a sorted copy. Stable. */
export function sortedBy<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  for (let index = 1; index < items.length; index++) {
    if (compare(items[index - 1]!, items[index]!) > 0) return [...items].sort(compare);
  }
  return items;
}
