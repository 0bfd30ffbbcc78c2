/**
 * Key records: what a cache key was made of, in a form that two of them can be compared and a person can read.
 *
 * Owns:      the record, and the comparison that explains a miss.
 * Never:     holds the value of a variable that looks secret; such a value is kept as a short digest.
 * Invariant: two actions have equal digests if and only if their records compare as equal (schema version included).
 */
import {
  canonicalJson,
  type Digest,
  digestHash,
  digestOf,
  type InputEntry,
  type Json,
  type MissReason,
  type ResolvedAction,
} from "@kahn/core";

/** Version of the key's canonical record. A change here makes every older result a miss. */
export const KEY_SCHEMA = 1;

/** The parts of one key. Lists are in the order in which they are shown. */
export interface KeyRecord {
  readonly schema: number;
  readonly isolation: "declared" | "hermetic";
  readonly arguments: readonly string[];
  readonly passedArguments: readonly string[];
  readonly directory: string;
  /** Name and shown value; `null` marks a declared variable that was absent. */
  readonly env: readonly (readonly [name: string, value: string | null])[];
  /** Path and content: a hash with `x` appended for executables, or `-> target`. */
  readonly inputs: readonly (readonly [path: string, content: string])[];
  /** Nodes and passed-through projects with their closure. */
  readonly dependencies: readonly (readonly [label: string, closure: string])[];
  readonly outputGlobs: readonly string[];
  readonly external: readonly (readonly [name: string, digest: string])[];
  readonly tools: readonly (readonly [name: string, digest: string])[];
  readonly platform: string;
  /** The server that runs it; left out: this machine. */
  readonly server?: string;
}

const SECRET_NAME = /SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|(^|_)KEY($|_)|APIKEY|_PASS$|^PASS/i;

/** True when a variable of this name must not be shown. */
export function looksSecret(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** What may be shown of a variable's value; equal for equal values, different for different ones. */
export function shownValue(name: string, value: string): string {
  // 32 bits of the hash: enough to see a change, too few to search for the value.
  if (looksSecret(name)) return `(hidden ${digestHash(digestOf(value)).slice(0, 8)})`;
  return value.length <= 200 ? value : `(${value.length} characters, ${digestHash(digestOf(value)).slice(0, 16)})`;
}

/** The record of a resolved action whose requirements have these closures. */
export function keyRecordOf(
  resolved: ResolvedAction,
  closures: readonly (readonly [label: string, closure: Digest])[],
): KeyRecord {
  return {
    schema: KEY_SCHEMA,
    isolation: resolved.isolation,
    arguments: resolved.command.arguments,
    passedArguments: resolved.parts.passedArguments,
    directory: resolved.command.workingDirectory,
    env: resolved.parts.env.map(([name, value]) => [name, value === undefined ? null : shownValue(name, value)]),
    inputs: resolved.inputs.map((entry) => [entry.path, contentOf(entry)]),
    dependencies: [...closures, ...resolved.contributions],
    outputGlobs: resolved.parts.outputGlobs,
    external: resolved.parts.external,
    tools: resolved.parts.tools,
    platform: resolved.parts.platform,
    ...(resolved.parts.server === undefined ? {} : { server: resolved.parts.server }),
  };
}

function contentOf(entry: InputEntry): string {
  switch (entry.kind) {
    case "file":
      return `${digestHash(entry.digest)}${entry.executable ? "x" : ""}`;
    case "symlink":
      return `-> ${entry.target}`;
    case "directory":
      return "(empty directory)";
  }
}

/** Reads a record back; `undefined` when it is of another shape. */
export function parseKeyRecord(value: Json | undefined): KeyRecord | undefined {
  const candidate = value as unknown as KeyRecord | undefined;
  if (typeof candidate !== "object" || candidate === null) return undefined;
  const lists = [candidate.arguments, candidate.env, candidate.inputs, candidate.dependencies, candidate.tools];
  return typeof candidate.schema === "number" && lists.every(Array.isArray) ? candidate : undefined;
}

/** Says what changed between two contents of an external file; empty when it cannot tell. */
export type DescribeExternal = (name: string, before: Digest, now: Digest) => readonly string[];

/**
 * Every part in which two keys differ, the most telling first: command, own inputs, variables, tools, packages,
 * dependencies. Empty when nothing differs.
 */
export function compareKeyRecords(before: KeyRecord, now: KeyRecord, external?: DescribeExternal): MissReason[] {
  if (before.schema !== now.schema) return [{ code: "schema-changed", detail: `${before.schema} → ${now.schema}` }];
  const reasons: MissReason[] = [];
  const scalar = (code: MissReason["code"], [old, fresh]: readonly [Json, Json], detail: string) => {
    if (canonicalJson(old) !== canonicalJson(fresh)) reasons.push({ code, detail });
  };
  scalar("command-changed", [before.arguments, now.arguments], commandChange(before.arguments, now.arguments));
  scalar("command-changed", [before.directory, now.directory], changed(before.directory, now.directory));
  scalar("arguments-changed", [before.passedArguments, now.passedArguments], now.passedArguments.join(" "));
  reasons.push(...compareInputs(before, now), ...compareEnv(before, now));
  reasons.push(...comparePairs("tool-changed", before.tools, now.tools));
  reasons.push(
    ...describeExternal(comparePairs("external-changed", before.external, now.external), external, [before, now]),
  );
  reasons.push(...comparePairs("dependency-changed", before.dependencies, now.dependencies));
  scalar(
    "outputs-changed",
    [before.outputGlobs, now.outputGlobs],
    changed(list(before.outputGlobs), list(now.outputGlobs)),
  );
  scalar("platform-changed", [before.platform, now.platform], changed(before.platform, now.platform));
  const [was = "here", is = "here"] = [before.server, now.server];
  scalar("place-changed", [was, is], changed(was, is));
  scalar("platform-changed", [before.isolation, now.isolation], changed(before.isolation, now.isolation));
  return reasons;
}

function compareInputs(before: KeyRecord, now: KeyRecord): MissReason[] {
  const old = new Map(before.inputs);
  const fresh = new Map(now.inputs);
  const reasons: MissReason[] = [];
  for (const [name, content] of fresh) {
    const was = old.get(name);
    if (was === undefined) reasons.push({ code: "input-added", name });
    else if (was !== content) reasons.push({ code: "input-changed", name, ...modeDetail(was, content) });
  }
  for (const name of old.keys()) if (!fresh.has(name)) reasons.push({ code: "input-removed", name });
  return reasons;
}

function modeDetail(was: string, is: string): { detail?: string } {
  if (`${was}x` === is) return { detail: "became executable" };
  return was === `${is}x` ? { detail: "is no longer executable" } : {};
}

function compareEnv(before: KeyRecord, now: KeyRecord): MissReason[] {
  const old = new Map(before.env);
  const fresh = new Map(now.env);
  const reasons: MissReason[] = [];
  for (const [name, value] of fresh) {
    if (!old.has(name)) reasons.push({ code: "env-list-changed", name, detail: "added" });
    else if (old.get(name) !== value) {
      reasons.push({ code: "env-changed", name, detail: changed(old.get(name) ?? "(absent)", value ?? "(absent)") });
    }
  }
  for (const name of old.keys())
    if (!fresh.has(name)) reasons.push({ code: "env-list-changed", name, detail: "removed" });
  return reasons;
}

function describeExternal(
  reasons: readonly MissReason[],
  describe: DescribeExternal | undefined,
  [before, now]: readonly [KeyRecord, KeyRecord],
): readonly MissReason[] {
  if (describe === undefined) return reasons;
  return reasons.flatMap((reason): readonly MissReason[] => {
    const name = reason.name!;
    const [was, is] = [before, now].map((record) => record.external.find(([each]) => each === name)?.[1] as Digest);
    const details = was === undefined || is === undefined ? [] : describe(name, was, is);
    return details.length === 0 ? [reason] : details.map((detail) => ({ ...reason, detail }));
  });
}

function comparePairs(
  code: MissReason["code"],
  before: readonly (readonly [string, string])[],
  now: readonly (readonly [string, string])[],
): MissReason[] {
  const old = new Map(before);
  const reasons: MissReason[] = [];
  for (const [name, digest] of now) {
    const was = old.get(name);
    old.delete(name);
    if (was === undefined) reasons.push({ code, name, detail: "added" });
    else if (was !== digest) reasons.push({ code, name });
  }
  for (const name of old.keys()) reasons.push({ code, name, detail: "removed" });
  return reasons;
}

function changed(before: string, now: string): string {
  return `${before} → ${now}`;
}

/** The scripts, without their shells where those are the same. */
function commandChange(before: readonly string[], now: readonly string[]): string {
  const was = scriptOf(before);
  const is = scriptOf(now);
  if (was === undefined || is === undefined) return changed(before.join(" "), now.join(" "));
  if (was.script === is.script) return `shell ${changed(was.shell, is.shell)}`;
  return was.shell === is.shell ? changed(was.script, is.script) : changed(before.join(" "), now.join(" "));
}

function scriptOf(argv: readonly string[]): { readonly shell: string; readonly script: string } | undefined {
  const [shell, flag, script] = argv;
  if (argv.length !== 3 || flag !== "-c" || shell?.endsWith("sh") !== true) return undefined;
  return { shell, script: script! };
}

function list(globs: readonly string[]): string {
  return globs.length === 0 ? "(none)" : globs.join(", ");
}
