/**
 * A turbo.json, read as it stands.
 *
 * Owns:      the translation of turbo's keys to Kahn's, and one warning for each key that has no counterpart.
 * Invariant: positions still lead to the turbo.json; a key that only concerns turbo's own output is ignored silently.
 * Source:    turbo's schema, version 2, and `pipeline` of version 1.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem, warning } from "@kahn/core";
import type { ConfigPart } from "./config-part.ts";
import type { ConfigText, ValuePath } from "./config-text.ts";
import { pathText } from "./config-text.ts";
import type { KahnConfig, ProjectConfig, TaskConfig } from "./config-types.ts";
import { INHERIT } from "./task-entry.ts";

/** Keys that say how turbo itself shows or starts things. */
const SILENT_ROOT = new Set([
  "$schema",
  "ui",
  "daemon",
  "noUpdateNotifier",
  "dangerouslyDisablePackageManagerCheck",
  "extends",
]);
const SILENT_TASK = new Set(["extends", "outputLogs", "outputMode"]);
const TASK_KEYS = new Set([
  ..."description dependsOn env passThroughEnv outputs inputs cache persistent interactive with".split(" "),
]);
const NAMED_ROOT = new Set([
  ..."tasks pipeline globalDependencies globalEnv globalPassThroughEnv concurrency cacheDir cacheMaxAge cacheMaxSize tags".split(
    " ",
  ),
]);

/** Kahn's field names where positions are looked up, by turbo's. */
const TURBO_FIELD: Readonly<Record<string, string>> = {
  passEnv: "passThroughEnv",
  validates: "with",
  globalInputs: "globalDependencies",
  globalPassEnv: "globalPassThroughEnv",
};

/** Translates the turbo.json at the root. */
export function readTurboRoot(text: ConfigText): Result<ConfigPart<KahnConfig>, readonly Problem[]> {
  const reading = new TurboReading(text);
  const value = text.value as Readonly<Record<string, unknown>>;
  reading.warnUnsupported([], (key) => NAMED_ROOT.has(key) || SILENT_ROOT.has(key));
  const config: KahnConfig = {
    ...reading.concurrency(value.concurrency),
    cache: reading.cache(value),
    globalEnv: reading.variables(["globalEnv"]),
    globalPassEnv: reading.variables(["globalPassThroughEnv"]),
    globalInputs: reading.globs(["globalDependencies"]) ?? [],
    tasks: reading.tasks(),
  };
  return reading.finish(config, (key) => key.includes("#"));
}

/** Translates the turbo.json of a package, which extends the root's. */
export function readTurboProject(text: ConfigText): Result<ConfigPart<ProjectConfig>, readonly Problem[]> {
  const reading = new TurboReading(text);
  reading.warnUnsupported([], (key) => ["tasks", "pipeline", "tags"].includes(key) || SILENT_ROOT.has(key));
  const parents = reading.texts(["extends"]) ?? [];
  if (parents.some((each) => each !== "//")) reading.warn("extends", ["extends"], "from another package");
  const config: ProjectConfig = { tags: reading.texts(["tags"]) ?? [], tasks: reading.tasks() };
  return reading.finish(config, () => false);
}

class TurboReading {
  readonly #text: ConfigText;
  readonly #tasksKey: "tasks" | "pipeline";
  readonly #problems: Problem[] = [];
  readonly #warnings = new Map<string, Problem>();
  readonly #removed: string[] = [];
  readonly #standalone = new Set<string>();

  constructor(text: ConfigText) {
    this.#text = text;
    this.#tasksKey = Object.hasOwn(text.value as object, "tasks") ? "tasks" : "pipeline";
  }

  finish<Config extends ProjectConfig>(
    config: Config,
    isStandalone: (key: string) => boolean,
  ): Result<ConfigPart<Config>, readonly Problem[]> {
    if (this.#problems.length > 0) return err(this.#problems);
    for (const key of Object.keys(config.tasks ?? {})) if (isStandalone(key)) this.#standalone.add(key);
    return ok({
      config,
      text: this.#translatedText(),
      standalone: this.#standalone,
      removed: this.#removed,
      warnings: [...this.#warnings.values()],
    });
  }

  tasks(): Record<string, TaskConfig> {
    const tasks: Record<string, TaskConfig> = {};
    for (const [key, value] of this.#record([this.#tasksKey])) {
      const path = [this.#tasksKey, key];
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        this.#wrong(path, "an object");
        continue;
      }
      const written = value as Readonly<Record<string, unknown>>;
      const isDetached = written.extends === false;
      if (isDetached && Object.keys(written).length === 1) this.#removed.push(key);
      else tasks[key] = this.#task(written, path);
      if (isDetached) this.#standalone.add(key);
    }
    return tasks;
  }

  #task(written: Readonly<Record<string, unknown>>, path: ValuePath): TaskConfig {
    this.warnUnsupported(path, (key) => TASK_KEYS.has(key) || SILENT_TASK.has(key));
    const references = this.texts([...path, "dependsOn"]);
    // Version 1 put variables among the dependencies: "$CI".
    const oldVariables = references?.filter((each) => each.startsWith("$") && each !== "$TURBO_EXTENDS$") ?? [];
    const dependsOn = references?.filter((each) => !oldVariables.includes(each)).map(inherit);
    const env = [...this.variables([...path, "env"]), ...oldVariables.map((each) => each.slice(1))];
    const inputs = this.globs([...path, "inputs"]);
    const fields = {
      description: this.#scalar<string>([...path, "description"], "string"),
      dependsOn,
      validates: this.texts([...path, "with"])?.map(inherit),
      // turbo always hashes the manifest.
      inputs:
        inputs && !inputs.includes("$default") && !inputs.includes(INHERIT) ? [...inputs, "package.json"] : inputs,
      outputs: this.globs([...path, "outputs"]),
      env: env.length > 0 || written.env !== undefined ? env : undefined,
      passEnv: written.passThroughEnv === undefined ? undefined : this.variables([...path, "passThroughEnv"]),
      cache: this.#scalar<boolean>([...path, "cache"], "boolean"),
      persistent: this.#scalar<boolean>([...path, "persistent"], "boolean"),
      interactive: this.#scalar<boolean>([...path, "interactive"], "boolean"),
    };
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  }

  /** A list of globs with turbo's words replaced. */
  globs(path: ValuePath): string[] | undefined {
    return this.texts(path)?.map((glob) =>
      glob === "$TURBO_DEFAULT$" ? "$default" : inherit(glob).replace(/^(!?)\$TURBO_ROOT\$\/?/, "$1/"),
    );
  }

  /** A list of variables without the forms that Kahn does not have. */
  variables(path: ValuePath): string[] {
    return (this.texts(path) ?? []).map(inherit).filter((name) => {
      if (name === INHERIT || /^[A-Za-z_][A-Za-z0-9_]*\*?$|^\*$/.test(name)) return true;
      this.warn(`${String(path.at(-1))}: "${name}"`, path, "which is neither a name nor a beginning of names");
      return false;
    });
  }

  texts(path: ValuePath): string[] | undefined {
    const value = this.#at(path);
    if (value === undefined || value === null) return undefined;
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
    this.#wrong(path, "a list of texts");
    return undefined;
  }

  concurrency(written: unknown): { concurrency?: number } {
    if (written === undefined) return {};
    const number = Number(written);
    if (Number.isInteger(number) && number >= 1) return { concurrency: number };
    this.warn("concurrency", ["concurrency"], `"${String(written)}"`);
    return {};
  }

  cache(value: Readonly<Record<string, unknown>>): KahnConfig["cache"] {
    const { cacheDir: dir, cacheMaxAge: maxAge, cacheMaxSize: maxSize } = value;
    const fields = { dir, maxAge, maxSize };
    return Object.fromEntries(Object.entries(fields).filter(([, each]) => typeof each === "string"));
  }

  /** Warns of each key of an object that is not known. */
  warnUnsupported(path: ValuePath, isKnown: (key: string) => boolean): void {
    const where = path.length === 0 ? "" : "of a task";
    for (const [key] of this.#record(path)) if (!isKnown(key)) this.warn(key, [...path, key], where);
  }

  warn(key: string, path: ValuePath, detail: string): void {
    if (this.#warnings.has(key)) return;
    const message = `Kahn does not use "${key}"${detail === "" ? "" : ` ${detail}`} of ${this.#text.file}`;
    const where = this.#text.keyPlace(path);
    this.#warnings.set(key, warning("turbo-unsupported", message, { where, next: "Write a kahn.jsonc: `kahn init`." }));
  }

  #at(path: ValuePath): unknown {
    return path.reduce<unknown>(
      (inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key],
      this.#text.value,
    );
  }

  #record(path: ValuePath): [string, unknown][] {
    const value = this.#at(path);
    if (value === undefined) return [];
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
    this.#wrong(path, "an object");
    return [];
  }

  #scalar<Value>(path: ValuePath, kind: "boolean" | "string"): Value | undefined {
    const value = this.#at(path);
    if (value === undefined || typeof value === kind) return value as Value | undefined;
    this.#wrong(path, kind === "boolean" ? "true or false" : "a text");
    return undefined;
  }

  #wrong(path: ValuePath, expected: string): void {
    this.#problems.push(
      problem("config-wrong-value", `"${pathText(path)}" of ${this.#text.file} must be ${expected}`, {
        where: this.#text.valuePlace(path),
        next: "Correct the value.",
      }),
    );
  }

  #translatedText(): ConfigText {
    const translate = (path: ValuePath) =>
      path.map((key, index) => {
        if (index === 0 && key === "tasks") return this.#tasksKey;
        return typeof key === "string" && index % 2 === 0 ? (TURBO_FIELD[key] ?? key) : key;
      });
    return {
      ...this.#text,
      valuePlace: (path) => this.#text.valuePlace(translate(path)),
      keyPlace: (path) => this.#text.keyPlace(translate(path)),
    };
  }
}

function inherit(written: string): string {
  return written === "$TURBO_EXTENDS$" ? INHERIT : written;
}
