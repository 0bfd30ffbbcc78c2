/**
 * Checks a configuration's shape and says everything that is wrong with it at once.
 *
 * Owns:      the sentences about wrong types, unknown keys and repeated keys.
 * Invariant: when there are no problems, the value has the schema's type.
 */
import type { ConfigSection, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import * as v from "valibot";
import { PROJECT_ENTRIES, projectSchema, ROOT_ENTRIES } from "./config-schema.ts";
import type { ConfigText, ValuePath } from "./config-text.ts";
import { pathText } from "./config-text.ts";
import type { KahnConfig, ProjectConfig } from "./config-types.ts";
import { entryProblems } from "./entry-problems.ts";
import { suggest } from "./suggestion.ts";

/** The root's configuration with the sections of other packages, as their schemas gave them. */
export interface CheckedRoot {
  readonly config: KahnConfig;
  readonly sections: Readonly<Record<string, unknown>>;
}

/** Checks the root's configuration; `sections` are top-level keys that other packages own. */
export function checkRootConfig(
  text: ConfigText,
  sections: readonly ConfigSection<unknown>[],
): Result<CheckedRoot, readonly Problem[]> {
  const own = Object.fromEntries(sections.map((section) => [section.key, v.optional(section.schema)]));
  const entries: v.ObjectEntries = { ...ROOT_ENTRIES, ...own };
  const schema = v.strictObject(entries, "an object");
  const parsed = v.safeParse(schema, text.value);
  const problems = [...strayParts(text, schema), ...wrongValues(text, parsed.issues ?? [])];
  if (problems.length > 0) return err([...problems, ...entryProblems(text, undefined)]);
  const output = parsed.output as Record<string, unknown>;
  return ok({
    config: text.value as KahnConfig,
    sections: { ...defaultSections(sections), ...defined(sections, output) },
  });
}

/** What each section is when nobody wrote it: what its schema makes of nothing. */
export function defaultSections(sections: readonly ConfigSection<unknown>[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(sections.map(({ key, schema }) => [key, v.safeParse(schema, undefined).output]));
}

function defined(sections: readonly ConfigSection<unknown>[], output: Readonly<Record<string, unknown>>) {
  const written = sections.filter(({ key }) => output[key] !== undefined);
  return Object.fromEntries(written.map(({ key }) => [key, output[key]]));
}

/** Checks a project's own configuration. */
export function checkProjectConfig(text: ConfigText): Result<ProjectConfig, readonly Problem[]> {
  const parsed = v.safeParse(projectSchema, text.value);
  const problems = [...strayParts(text, projectSchema), ...wrongValues(text, parsed.issues ?? [])];
  return problems.length > 0 ? err([...problems, ...entryProblems(text, undefined)]) : ok(text.value as ProjectConfig);
}

/** True for an object that is neither a list nor `null`. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the walk over a schema needs of it; valibot's own types do not name what a schema of unknown kind holds. */
interface AnySchema {
  readonly type: string;
  /** Of objects. */
  readonly entries?: Readonly<Record<string, AnySchema>>;
  /** Of records. */
  readonly value?: AnySchema;
  /** Of lists. */
  readonly item?: AnySchema;
  /** Of optional values. */
  readonly wrapped?: AnySchema;
  /** Of unions. */
  readonly options?: readonly AnySchema[];
}

/** Every unknown key, and every list in the place of an object, which valibot takes for an object without keys. */
function strayParts(text: ConfigText, schema: unknown): Problem[] {
  const problems: Problem[] = [];
  const visit = (each: AnySchema, value: unknown, path: ValuePath): void => {
    if (each.wrapped !== undefined) visit(each.wrapped, value, path);
    else if (each.type === "array" && Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(each.item!, item, [...path, index]);
    } else if (each.type === "union" && isRecord(value)) {
      const objects = each.options!.filter((option) => option.entries !== undefined);
      if (objects.length === 1) visit(objects[0]!, value, path);
    } else if (each.entries !== undefined || each.type === "record") {
      if (Array.isArray(value)) problems.push(wrongValue(text, path, { expected: "an object", received: value }));
      else if (isRecord(value)) visitMembers(each, value, path);
    }
  };
  const visitMembers = (each: AnySchema, value: Readonly<Record<string, unknown>>, path: ValuePath): void => {
    const { entries } = each;
    if (each.type === "strict_object")
      problems.push(...unknownKeys(text, path, { value, known: Object.keys(entries!) }));
    for (const [key, member] of Object.entries(value)) {
      const inner = entries === undefined ? each.value : Object.hasOwn(entries, key) ? entries[key] : undefined;
      if (inner !== undefined) visit(inner, member, [...path, key]);
    }
  };
  visit(schema as AnySchema, text.value, []);
  return problems;
}

function unknownKeys(
  text: ConfigText,
  path: ValuePath,
  { value, known }: { readonly value: Readonly<Record<string, unknown>>; readonly known: readonly string[] },
): Problem[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) =>
      problem("config-unknown-key", `"${pathText([...path, key])}" is not a key of the configuration`, {
        where: text.keyPlace([...path, key]),
        facts: [["known here", known.filter((each) => each !== "$schema").join(", ")]],
        next: suggestKey(key, known),
      }),
    );
}

/** The list of known keys is among the facts already. */
function suggestKey(key: string, known: readonly string[]): string {
  const isRootOnly = Object.hasOwn(ROOT_ENTRIES, key) && known.length === Object.keys(PROJECT_ENTRIES).length;
  if (isRootOnly) return "Move it to the configuration at the root of the workspace.";
  const sentence = suggest(key, known, "keys");
  return sentence.startsWith("Did") ? sentence : "Remove it, or write one of the known keys.";
}

function wrongValues(text: ConfigText, issues: readonly v.BaseIssue<unknown>[]): Problem[] {
  return issues.flatMap((issue) => {
    // Unknown keys are all found by `strayParts`; valibot stops at the first.
    if (issue.type === "strict_object" && issue.expected === "never") return [];
    const path = (issue.path ?? []).map((item) => item.key as string | number);
    const expected = expectation(issue);
    const isPhrase = NOUN_PHRASE.test(expected);
    if (isPhrase) return [wrongValue(text, path, { expected, received: issue.input })];
    return [refusedValue(text, path, { sentence: asSentence(expected), received: issue.input })];
  });
}

/** What completes "must be …"; owners of sections may write sentences instead. */
const NOUN_PHRASE = /^(?:an? |the |one of |true or false|["'(\d])/;

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  Object: "an object",
  Array: "a list",
};

/** An issue's own words, or for one without any what it expected. */
function expectation({ message, expected, received }: v.BaseIssue<unknown>): string {
  if (expected === null || !message.endsWith(`Expected ${expected} but received ${received}`)) return message;
  const options = expected.replace(/^\((.*)\)$/, "$1").split(" | ");
  return options.map((each) => KINDS[each] ?? each).join(" or ");
}

function asSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!]$/.test(words) ? "" : "."}`;
}

/** A value that its owner refuses in a sentence, which says what to write. */
function refusedValue(
  text: ConfigText,
  path: ValuePath,
  { sentence, received }: { readonly sentence: string; readonly received: unknown },
): Problem {
  return problem("config-wrong-value", `"${pathText(path)}" cannot be ${shown(received)}`, {
    where: text.valuePlace(path),
    next: sentence,
  });
}

function wrongValue(
  text: ConfigText,
  path: ValuePath,
  { expected, received }: { readonly expected: string; readonly received: unknown },
): Problem {
  const subject = path.length === 0 ? `The configuration ${text.file}` : `"${pathText(path)}"`;
  return problem("config-wrong-value", `${subject} must be ${expected}`, {
    where: text.valuePlace(path),
    facts: [
      ["expected", expected],
      ["received", shown(received)],
    ],
    next: path.length === 0 ? "Write an object with the key tasks." : `Change the value of ${pathText(path)}.`,
  });
}

/** What was received: its kind, with the value when it is short. */
function shown(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "function") return "a function";
  const json = JSON.stringify(value) ?? String(value);
  return `${typeof value === "string" ? "the text" : `the ${typeof value}`} ${json.length > 60 ? `${json.slice(0, 57)}…` : json}`;
}
