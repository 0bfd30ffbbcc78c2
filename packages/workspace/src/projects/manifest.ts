/**
 * package.json of one project.
 *
 * Owns:  reading it, what npm exports of it as variables, and the lines its scripts are on.
 * Never: fails on fields that only other tools read.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { ConfigText } from "../config/config-text.ts";
import { moduleText, readJsonText } from "../config/config-text.ts";

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
export function readManifest(file: string, text: string): Result<Manifest, readonly Problem[]> {
  let value: unknown;
  try {
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch {
    // The parser that knows lines and columns is slower, so it only sees files that are broken.
    return err(syntaxProblems(file, text));
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

function syntaxProblems(file: string, text: string): readonly Problem[] {
  const parsed = readJsonText(file, text, "json");
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
    const path = bad === "" ? [field] : [field, bad];
    const where = positionsIn(file, text).valuePlace(path);
    const what = bad === "" ? "must be an object of texts" : `"${bad}" must be a text`;
    problems.push(
      problem("manifest-bad-field", `"${field}" of ${file}: ${what}`, { where, next: "Correct the file." }),
    );
  }
  return problems;
}

/** Positions in a manifest whose JSON is valid. */
export function positionsIn(file: string, text: string): ConfigText {
  const read = readJsonText(file, text, "json");
  return read.ok ? read.value : moduleText(file, undefined);
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
