/** How a check says what it expects: each ends the check with a sentence where the server does otherwise. */

/** A server does not do what the check demands. */
export class CheckFailed extends Error {}

/** The check turned out not to apply. */
export class CheckSkipped extends Error {}

/** Ends a check: the server does not do what it should. */
export function fail(message: string): never {
  throw new CheckFailed(message);
}

/** Ends a check that cannot tell. */
export function skip(reason: string): never {
  throw new CheckSkipped(reason);
}

/** Ends the check unless something holds. */
export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) fail(message);
}

/** Ends the check unless two texts or numbers are the same. */
export function same<T extends string | number | boolean>(actual: T, expected: T, what: string): void {
  if (actual !== expected) fail(`${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

/** Ends the check unless two lists hold the same texts, in any order. */
export function sameSet(actual: readonly string[], expected: readonly string[], what: string): void {
  const [a, b] = [[...actual].sort(), [...expected].sort()];
  if (a.length !== b.length || a.some((each, index) => each !== b[index])) {
    fail(`${what} is [${a.join(", ")}], expected [${b.join(", ")}]`);
  }
}

/** Ends the check unless bytes are the same. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = expected.findIndex((byte, index) => actual[index] !== byte);
  const where = at === -1 ? "" : `, and the first difference is at ${at}`;
  fail(`${what}: ${actual.length} bytes came, expected ${expected.length}${where}`);
}
