/**
 * package.json of one project.
 *
 * Owns:  reading it, what npm exports of it as variables, and the lines its scripts are on.
 * Never: fails on fields that only other tools read.
 */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { readJsonText } from "../config/config-text.ts";

/** The fields of a package.json that Kahn uses. */
export interface Manifest {
  /** Workspace-relative path of the file. */
  readonly file: string;
  readonly text: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly scripts: Readonly<Record<string, string>>;
  /** Dependencies of all four kinds with their specifiers, as written. */
  readonly dependencies: readonly (readonly [name: string, specifier: string])[];
  /** The whole value, for fields that few files have. */
  readonly value: Readonly<Record<string, unknown>>;
}

const DEPENDENCY_FIELDS = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] as const;

/** Reads a manifest. Problems: `manifest-syntax` with its line, `manifest-bad-field`. */
export async function readManifest(file: string, text: string): Promise<Result<Manifest, readonly Problem[]>> {
  let value: unknown;
  try {
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch {
    // The parser that knows lines and columns costs 15 ms to load, so it only sees files that are broken.
    return err(await syntaxProblems(file, text));
  }
  if (!isRecord(value)) {
    return err([problem("manifest-bad-field", `${file} must be an object`, { where: { file } })]);
  }
  const problems = [...stringProblem(file, value, "name"), ...recordProblems(file, text, value)];
  if (problems.length > 0) return err(problems);
  const dependencies: [string, string][] = [];
  for (const field of DEPENDENCY_FIELDS) {
    const record = value[field];
    if (isRecord(record)) dependencies.push(...(Object.entries(record) as [string, string][]));
  }
  return ok({
    file,
    text,
    name: value.name as string | undefined,
    version: typeof value.version === "string" ? value.version : undefined,
    scripts: stringsOf(value.scripts),
    dependencies,
    value,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stringsOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

async function syntaxProblems(file: string, text: string): Promise<readonly Problem[]> {
  const parsed = await readJsonText(file, text, "json");
  const next = "Correct the file and run again.";
  if (parsed.ok) return [problem("manifest-syntax", `${file} is not valid JSON`, { where: { file }, next })];
  return parsed.problem.map((each) => ({ ...each, code: "manifest-syntax" }));
}

function stringProblem(file: string, value: Record<string, unknown>, field: "name"): Problem[] {
  const found = value[field];
  if (found === undefined) return [];
  const what =
    typeof found !== "string" ? "must be a text" : /^$|[#\s]/.test(found) ? `"${found}" is not a package name` : "";
  if (what === "") return [];
  const next = "Write a name as npm allows it: no spaces and no #.";
  return [problem("manifest-bad-field", `"${field}" of ${file}: ${what}`, { where: { file }, next })];
}

function recordProblems(file: string, text: string, value: Record<string, unknown>): Problem[] {
  const problems: Problem[] = [];
  for (const field of ["scripts", ...DEPENDENCY_FIELDS]) {
    const record = value[field];
    if (record === undefined) continue;
    const bad = isRecord(record) ? Object.entries(record).find(([, each]) => typeof each !== "string")?.[0] : "";
    if (bad === undefined) continue;
    const where = bad === "" ? { file } : (memberPlaces(file, text, field).get(bad) ?? { file });
    const what = bad === "" ? "must be an object of texts" : `"${bad}" must be a text`;
    problems.push(
      problem("manifest-bad-field", `"${field}" of ${file}: ${what}`, { where, next: "Correct the file." }),
    );
  }
  return problems;
}

/**
 * The variables that npm exports of a manifest: name, version, config, engines and bin, flattened.
 *
 * Source: npm/rfcs#183; lists become `_0`, `_1`; false and null become empty.
 */
export function manifestEnv(manifest: Manifest): Record<string, string> {
  const env: Record<string, string> = {};
  const { name, version, config, engines, bin } = manifest.value;
  const unscoped = (manifest.name ?? "").replace(/^@[^/]*\//, "");
  flatten(
    "npm_package_",
    { name, version, config, engines, bin: typeof bin === "string" ? { [unscoped]: bin } : bin },
    env,
  );
  return env;
}

function flatten(prefix: string, value: object, env: Record<string, string>): void {
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    if (member === null || member === false) env[prefix + key] = "";
    else if (typeof member === "object") flatten(`${prefix}${key}_`, member as object, env);
    else env[prefix + key] = String(member);
  }
}

/**
 * Places of the members of one top-level object of a valid JSON text: where each script was written.
 *
 * A scan and not a parse: it runs over every manifest of the workspace, and the text is known to be valid.
 */
export function memberPlaces(file: string, text: string, field: string): Map<string, SourcePlace> {
  const places = new Map<string, SourcePlace>();
  let depth = 0;
  let line = 1;
  let lineStart = 0;
  let inField = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x0a) {
      line++;
      lineStart = at + 1;
    } else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      depth--;
      if (inField && depth === 1) return places;
    } else if (code === 0x22) {
      const end = endOfString(text, at);
      if (isKey(text, end)) {
        if (depth === 1) inField = text.slice(at + 1, end) === field;
        else if (depth === 2 && inField) {
          const written = text.slice(at, end + 1);
          const place = {
            file,
            line,
            column: at - lineStart + 1,
            text: lineAt(text, lineStart),
            length: written.length,
          };
          places.set(JSON.parse(written) as string, place);
        }
      }
      at = end;
    }
  }
  return places;
}

/** Index of the quote that ends the string starting at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (text.charCodeAt(at) <= 0x20) at++;
  return text.charCodeAt(at) === 0x3a;
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\n", start);
  return text.slice(start, end === -1 ? text.length : end).replace(/\r$/, "");
}
