/**
 * Rules: what a subject may do on an instance.
 *
 * Owns:      the order of rules, what stands in when there are none, and the layers of untrusted writers.
 * Invariant: the first rule that fits and allows decides; what none allows is denied. A subject whose results go into a
 *            layer never writes a shared one, and reads its own layer over the shared one.
 */
import { InvariantError } from "@kahn/core";
import type { AccessRule } from "../operation/server-settings.ts";
import type { Access, AccessAnswer, AccessQuestion, Caller } from "../reapi/index.ts";
import type { Claims, Subject } from "./subject.ts";
import { ANONYMOUS_SUBJECT, claimsTest, isKnown, pattern } from "./subject.ts";

/** What decides over rights. */
export interface PolicyOptions {
  readonly rules: readonly AccessRule[];
  readonly anonymous: "none" | "read" | "all";
}

type Right = AccessQuestion["what"];

const READ: readonly Right[] = ["cas.read", "ac.read"];
const WRITE: readonly Right[] = [...READ, "cas.write", "ac.write"];
const ALL: readonly Right[] = [...WRITE, "exec", "asset", "admin"];
/** For those who proved who they are, when nobody wrote a rule. */
const TRUSTED: readonly Right[] = [...WRITE, "exec", "asset"];

const ANSWERS_MAX = 256;
const ALLOWED: AccessAnswer = { kind: "allowed" };

interface Rule {
  fits(subject: Subject, instance: string): boolean;
  readonly rights: ReadonlySet<Right>;
  readonly overlay: string | undefined;
}

/** Rights by rules. */
export class Policy implements Access {
  #rules: readonly Rule[];
  /** Asked on every call; subjects live as long as their credentials are remembered. */
  #answers = new WeakMap<Subject, Map<string, AccessAnswer>>();

  constructor({ rules, anonymous }: PolicyOptions) {
    const known = rules.length > 0 ? rules.map(compiled) : [rule("local", ALL), rule(isKnown, TRUSTED)];
    const rest = anonymous === "none" ? [] : [rule(() => true, anonymous === "all" ? ALL : READ)];
    this.#rules = [...known, ...rest];
  }

  /** Decides from now on by the rules of the other one. */
  adopt(other: Policy): void {
    this.#rules = other.#rules;
    this.#answers = new WeakMap();
  }

  may(caller: Caller, question: AccessQuestion): AccessAnswer {
    const subject = "claims" in caller ? (caller as Subject) : caller.name === "" ? ANONYMOUS_SUBJECT : undefined;
    if (subject === undefined) throw new InvariantError(`${caller.name} is no subject of this policy`);
    const key = `${question.what} ${question.instance}`;
    let answers = this.#answers.get(subject);
    const before = answers?.get(key);
    if (before !== undefined) return before;
    // Instance names are the caller's to choose.
    if (answers === undefined || answers.size >= ANSWERS_MAX) this.#answers.set(subject, (answers = new Map()));
    const answer = this.#decide(subject, question);
    answers.set(key, answer);
    return answer;
  }

  #decide(subject: Subject, question: AccessQuestion): AccessAnswer {
    const granting = this.#granting(subject, question);
    if (granting === undefined) return denied(subject, question);
    const { what, instance } = question;
    if (what === "cas.read" || what === "cas.write" || what === "admin") return ALLOWED;
    // Reading and executing follow writing: who writes into a layer reads it, and so does what is run for them.
    const written = what === "ac.write" ? granting : this.#granting(subject, { what: "ac.write", instance });
    const overlay = written?.overlay ?? granting.overlay;
    if (overlay === undefined) return ALLOWED;
    const name = overlayName(overlay, subject.claims);
    // Assets have no layers: what is pushed is everybody's.
    if (name === undefined || what === "asset") return denied(subject, question);
    return { kind: "overlay", overlay: name };
  }

  #granting(subject: Subject, { what, instance }: AccessQuestion): Rule | undefined {
    return this.#rules.find((each) => each.rights.has(what) && each.fits(subject, instance));
  }
}

/** The layer's name with claims put in; `undefined` when one is missing, or is no single text. */
function overlayName(written: string, claims: Claims): string | undefined {
  let isComplete = true;
  const name = written.replace(/\{([^{}]*)\}/g, (_whole, claim: string) => {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    if (typeof value !== "string" || value === "") isComplete = false;
    // Lengths in front: no two sets of claims make one name.
    return typeof value === "string" ? `${value.length}:${value}` : "";
  });
  return isComplete ? name : undefined;
}

function denied(subject: Subject, { what, instance }: AccessQuestion): AccessAnswer {
  const where = instance === "" ? "the empty instance" : `instance ${instance}`;
  return isKnown(subject)
    ? { kind: "denied", because: "forbidden", message: `${subject.name} has no right ${what} on ${where}` }
    : { kind: "denied", because: "unauthenticated", message: `${what} on ${where} needs credentials` };
}

function rule(who: string | ((subject: Subject) => boolean), rights: readonly Right[]): Rule {
  const fits = typeof who === "string" ? (subject: Subject) => subject.name === who : who;
  return { fits, rights: new Set(rights), overlay: undefined };
}

function compiled({ who, claims, instances, allow, overlay }: AccessRule): Rule {
  const subjects = who.map(subjectTest);
  const names = instances.map(pattern);
  const hasClaims = claimsTest(claims);
  return {
    fits: (subject, instance) =>
      subjects.some((test) => test(subject)) && names.some((test) => test(instance)) && hasClaims(subject.claims),
    rights: new Set(allow.flatMap(rightsOf)),
    overlay,
  };
}

/** No star means nobody in particular: who is unknown is named `anonymous`, or not meant. */
function subjectTest(written: string): (subject: Subject) => boolean {
  if (written === ANONYMOUS_SUBJECT.name) return (subject) => !isKnown(subject);
  const fits = pattern(written);
  return (subject) => isKnown(subject) && fits(subject.name);
}

/** True when some rule lets unknown callers do more than read, on some instance. */
export function letsStrangersWrite(rules: readonly AccessRule[]): boolean {
  return rules.some(
    ({ who, claims, allow }) =>
      who.includes(ANONYMOUS_SUBJECT.name) &&
      Object.keys(claims).length === 0 &&
      allow.flatMap(rightsOf).some((each) => !READ.includes(each)),
  );
}

/** What unknown callers may do, on some instance at least: everything on all of them, more than reading, that, or nothing. */
export type Strangers = "all" | "more" | "read" | "nothing";

/** Sums up what rules and `anonymous` let unknown callers do. */
export function strangersMay({ rules, anonymous }: PolicyOptions): Strangers {
  const own = rules.filter(
    ({ who, claims }) => who.includes(ANONYMOUS_SUBJECT.name) && Object.keys(claims).length === 0,
  );
  const isAll = ({ instances, allow }: AccessRule) => instances.includes("*") && allow.includes("all");
  if (anonymous === "all" || own.some(isAll)) return "all";
  if (letsStrangersWrite(own)) return "more";
  return anonymous === "read" || own.some(({ allow }) => allow.length > 0) ? "read" : "nothing";
}

function rightsOf(written: AccessRule["allow"][number]): readonly Right[] {
  if (written === "read") return READ;
  if (written === "write") return WRITE;
  return written === "all" ? ALL : [written];
}
