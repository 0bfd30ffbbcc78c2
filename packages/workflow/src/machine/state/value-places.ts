/** Places in a value, as people are told of them: `a.b[0]`, `<1>` an entry of a map or set. */

/** Longer places lose their middle. */
const PLACE_MAX = 200;

/** A place in words. */
export function placeText(at: string): string {
  if (at === "") return "the value itself";
  return at.length <= PLACE_MAX ? at : `${at.slice(0, PLACE_MAX - 61)}…${at.slice(-60)}`;
}

/** Where a value is again, and where it was before. */
export interface Cycle {
  readonly at: string;
  readonly is: string;
}

/** The first place at which a value contains one that it is in; none deeper than so many levels. */
export function cycleIn(value: unknown, depthMax: number): Cycle | undefined {
  const above = new Map<object, string>();
  const passed = new Set<object>();
  const look = (each: unknown, at: string): Cycle | undefined => {
    if (typeof each !== "object" || each === null) return undefined;
    const is = above.get(each);
    if (is !== undefined) return { at, is };
    if (passed.has(each) || above.size > depthMax) return undefined;
    above.set(each, at);
    for (const [part, inner] of partsOf(each)) {
      const found = look(inner, at === "" && part.startsWith(".") ? part.slice(1) : `${at}${part}`);
      if (found !== undefined) return found;
    }
    above.delete(each);
    passed.add(each);
    return undefined;
  };
  return look(value, "");
}

function* partsOf(value: object): Iterable<readonly [part: string, inner: unknown]> {
  if (ArrayBuffer.isView(value)) return;
  if (Array.isArray(value)) for (const [index, item] of value.entries()) yield [`[${index}]`, item];
  else if (value instanceof Set) for (const [index, item] of [...value].entries()) yield [`<${index}>`, item];
  else if (value instanceof Map) {
    for (const [index, [key, item]] of [...value].entries()) {
      yield [`<${index}>`, key];
      yield [`<${index}>`, item];
    }
  } else for (const [key, item] of Object.entries(value)) yield [`.${key}`, item];
}
