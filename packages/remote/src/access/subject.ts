/**
 * Subjects: who calls, as rules see it.
 *
 * Invariant: the kind is part of the name, so no way of proving who one is can take a name of another way.
 */
import type { Caller } from "../reapi/index.ts";

/** What is known of a subject beyond its name. Lists where there are several values. */
export type Claims = Readonly<Record<string, string | readonly string[]>>;

/** Somebody who may be allowed something. */
export interface Subject extends Caller {
  /** `token:ci`, `user:ann`, `cert:runner`, `jwt:github/repo:acme/x`, `local`, `anonymous`. */
  readonly name: string;
  readonly claims: Claims;
}

/** Nobody in particular. */
export const ANONYMOUS_SUBJECT: Subject = { name: "anonymous", claims: {} };

/** Whoever may open the server's Unix socket, which belongs to the server's own user. */
export const LOCAL_SUBJECT: Subject = { name: "local", claims: {} };

/** True for a subject that proved who it is. */
export function isKnown(subject: Subject): boolean {
  return subject.name !== ANONYMOUS_SUBJECT.name;
}

/** A test of texts against a pattern in which `*` stands for any text. */
export function pattern(written: string): (value: string) => boolean {
  if (written === "*") return () => true;
  if (!written.includes("*")) return (value) => value === written;
  const parts = written.split("*");
  const first = parts[0]!;
  const last = parts.at(-1)!;
  const inner = parts.slice(1, -1);
  // By hand: a regular expression with several stars takes time that a caller could choose.
  return (value) => {
    if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false;
    let from = first.length;
    for (const part of inner) {
      const found = value.indexOf(part, from);
      if (found === -1) return false;
      from = found + part.length;
    }
    return from <= value.length - last.length;
  };
}

/** A test of claims: each named one has a value that one of its patterns fits. */
export function claimsTest(wanted: Readonly<Record<string, readonly string[]>>): (claims: Claims) => boolean {
  const tests = Object.entries(wanted).map(([name, patterns]) => [name, patterns.map(pattern)] as const);
  return (claims) =>
    tests.every(([name, fits]) => {
      const has = Object.hasOwn(claims, name) ? [claims[name]!].flat() : [];
      return has.some((value) => fits.some((test) => test(value)));
    });
}
