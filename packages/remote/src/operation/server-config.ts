/**
 * From options, environment and file to a server's configuration.
 *
 * Owns:      precedence: options over environment over file over defaults, and naming the source of what is wrong.
 * Never:     reads a file or the environment: it is given both.
 * Invariant: every mistake is told at once, each with the place or the name of what says it.
 */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { closestName, err, ok, problem } from "@kahn/core";
import type { ConfigDocument, ConfigSource } from "./config-document.ts";
import { parseConfigDocument } from "./config-document.ts";
import type { Amiss } from "./config-meaning.ts";
import { checkAccess, checkStore } from "./config-meaning.ts";
import { rightParts } from "./right-parts.ts";
import type { ServerConfig } from "./server-settings.ts";
import { SERVER_SETTINGS } from "./server-settings.ts";
import type { Kind, Reading, SettingPath } from "./setting-kinds.ts";
import { isRecord } from "./setting-kinds.ts";

/** What a configuration is made from. */
export interface ConfigSources {
  readonly file?: ConfigSource;
  /** Variables that begin with `KAHN_SERVE_` count; the others are not looked at. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Values by dotted key, such as `store.maxSize`; text is read as an environment variable's is. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A setting that has no parts, or a list, or a part of each of its entries. */
export interface SettingReference {
  /** Such as `store.maxSize`, or `access.tokens[].name`. */
  readonly key: string;
  /** What may be written, such as `"none" or "read" or "all"`. */
  readonly expected: string;
  /** `required` where the section or entry that it is a part of is given; the others may always be left out. */
  readonly need: "required" | "optional";
  /** Such as `KAHN_SERVE_STORE_MAX_SIZE`; `undefined` for what only a file can say. */
  readonly variable: string | undefined;
  readonly standard: string | undefined;
  readonly description: string;
}

const PREFIX = "KAHN_SERVE_";

/**
 * Makes the configuration.
 *
 * @returns or all mistakes: `serve-config-syntax`, `serve-config-value`, `serve-config-unknown`.
 */
export async function resolveServerConfig(sources: ConfigSources): Promise<Result<ServerConfig, readonly Problem[]>> {
  const { problems, rest } = await readServerConfig(sources);
  return rest === undefined || problems.length > 0 ? err(problems) : ok(rest);
}

/** A configuration as far as it is right. */
export interface ReadConfig {
  /** Those of `resolveServerConfig`. */
  readonly problems: readonly Problem[];
  /** As if what is wrong were not written; `undefined` where that leaves nothing. */
  readonly rest: ServerConfig | undefined;
}

/** Makes what can be made of the configuration, for who looks further than the first round of mistakes. */
export async function readServerConfig(sources: ConfigSources): Promise<ReadConfig> {
  const document = sources.file === undefined ? undefined : await parseConfigDocument(sources.file);
  if (document !== undefined && !document.ok) return { problems: document.problem, rest: undefined };
  const layers = new Layers(document?.value);
  for (const [name, value] of Object.entries(sources.environment ?? {})) {
    if (name.startsWith(PREFIX) && value !== undefined && value !== "") layers.addVariable(name, value);
  }
  for (const [key, value] of Object.entries(sources.options ?? {})) {
    if (value !== undefined) layers.addOption(key, value);
  }
  const config = SERVER_SETTINGS.read(layers.value, [], layers);
  if (layers.isRight("access")) checkAccess(config, layers.amiss);
  if (layers.isRight("store")) checkStore(config, layers.section("store"), layers.amiss);
  const { problems } = layers;
  return { problems, rest: layers.isRight() ? config : rightParts(layers.value) };
}

/** The configuration that is nothing but defaults, with what is given by dotted key. @throws nothing: see `Result` */
export function defaultServerConfig(
  options: Readonly<Record<string, unknown>> = {},
): Promise<Result<ServerConfig, readonly Problem[]>> {
  return resolveServerConfig({ options });
}

/** Every setting, in the order of the table; those of each entry of a list have `[]` in their keys, and follow it. */
export function settingReferences(): readonly SettingReference[] {
  const references: SettingReference[] = [];
  const visit = (kind: Kind<unknown>, prefix: string): void => {
    for (const [name, each] of Object.entries(kind.entries ?? {})) {
      const key = `${prefix}${name}`;
      if (each.entries !== undefined) visit(each, `${key}.`);
      else {
        references.push(referenceOf(key, each));
        if (each.item !== undefined) visit(each.item, `${key}[].`);
      }
    }
  };
  visit(SERVER_SETTINGS, "");
  return references;
}

/** The settings that stand by themselves: lists count as a whole. */
export function wholeSettings(): readonly SettingReference[] {
  return settingReferences().filter(({ key }) => !key.includes("[]"));
}

function referenceOf(key: string, { expected, standard, need, description = "", fromText }: Kind<unknown>) {
  const variable = fromText === undefined || key.includes("[]") ? undefined : variableName(key.split("."));
  const isRequired = standard === undefined && need === undefined;
  return { key, expected, need: isRequired ? "required" : "optional", variable, standard, description } as const;
}

function variableName(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join("_");
}

/** The sources laid over each other, each value with where it came from. */
class Layers implements Reading {
  readonly #document: ConfigDocument | undefined;
  /** Text that names the source, by dotted key, of what is not from the file. */
  readonly #origins = new Map<string, string>();
  readonly #problems: Problem[] = [];
  /** Where something has not the form that it must have. */
  readonly #wrong: SettingPath[] = [];
  #value: unknown;

  constructor(document: ConfigDocument | undefined) {
    this.#document = document;
    const value = document?.value;
    this.#value = value === undefined || value === null ? {} : structuredClone(value);
  }

  get value(): unknown {
    return this.#value;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  addVariable(name: string, value: string): void {
    const known = wholeSettings().filter(({ variable }) => variable !== undefined);
    const setting = known.find(({ variable }) => variable === name);
    if (setting === undefined) {
      const closest = closestName(
        name.slice(PREFIX.length),
        known.map(({ variable }) => variable!.slice(PREFIX.length)),
      );
      const next = closest === undefined ? "Remove it." : `Did you mean ${PREFIX}${closest}?`;
      this.#problems.push(problem("serve-config-unknown", `the variable ${name} is no setting`, { next }));
      return;
    }
    this.#put(setting.key, value, `the variable ${name}`);
  }

  addOption(key: string, value: unknown): void {
    if (wholeSettings().every((setting) => setting.key !== key)) {
      const known = wholeSettings().map((setting) => setting.key);
      const closest = closestName(key, known);
      const next = closest === undefined ? "Remove it." : `Did you mean ${closest}?`;
      this.#problems.push(problem("serve-config-unknown", `${key} is no setting`, { next }));
      return;
    }
    this.#put(key, value, "the command line");
  }

  /** Whether every value there, or everywhere, has the form that it must have. */
  isRight(section?: string): boolean {
    return this.#wrong.every(([first]) => section !== undefined && first !== undefined && first !== section);
  }

  /** As it was written. */
  section(name: string): Readonly<Record<string, unknown>> {
    const written = isRecord(this.#value) ? this.#value[name] : undefined;
    return isRecord(written) ? written : {};
  }

  readonly amiss: Amiss = (path, what, next) => {
    const origin = this.#originOf(path);
    const message = `${pathText(path)} ${what}${origin === undefined ? "" : `, in ${origin}`}`;
    this.#problems.push(problem("serve-config-value", message, { ...this.#where(path), next }));
  };

  wrong(path: SettingPath, expected: string, received: unknown): void {
    this.#wrong.push(path);
    const name = pathText(path);
    const subject = path.length === 0 ? "the configuration" : name;
    const what = received === undefined ? `${subject} is missing; it must be` : `${subject} must be`;
    const origin = this.#originOf(path);
    const message = `${what} ${expected}${origin === undefined ? "" : `, in ${origin}`}`;
    // The value itself is not shown where it may be a secret.
    const facts = received === undefined ? [] : ([["received", shown(name, received)]] as const);
    this.#problems.push(
      problem("serve-config-value", message, { ...this.#where(path), facts, next: `Write ${expected}.` }),
    );
  }

  unknown(path: SettingPath, known: readonly string[], closest: string | undefined): void {
    this.#wrong.push(path);
    const next = closest === undefined ? "Remove it, or write one of the known keys." : `Did you mean ${closest}?`;
    const facts = [["known here", known.join(", ")]] as const;
    this.#problems.push(
      problem("serve-config-unknown", `${pathText(path)} is no setting`, { ...this.#where(path), facts, next }),
    );
  }

  #put(key: string, value: unknown, origin: string): void {
    const path = key.split(".");
    const kind = kindAt(path);
    const read = typeof value === "string" && kind?.fromText !== undefined ? kind.fromText(value) : value;
    if (!isRecord(this.#value)) return;
    let at = this.#value as Record<string, unknown>;
    for (const part of path.slice(0, -1)) {
      // Wrong in the file: it is told there.
      if (at[part] !== undefined && at[part] !== null && !isRecord(at[part])) return;
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[path.at(-1)!] = read;
    this.#origins.set(key, origin);
  }

  #originOf(path: SettingPath): string | undefined {
    const keys = path.filter((part) => typeof part === "string");
    return this.#origins.get(keys.join("."));
  }

  #where(path: SettingPath): { readonly where?: SourcePlace } {
    if (this.#document === undefined || this.#originOf(path) !== undefined) return {};
    return { where: this.#document.placeOf(path) };
  }
}

function kindAt(path: readonly string[]): Kind<unknown> | undefined {
  let kind: Kind<unknown> | undefined = SERVER_SETTINGS;
  for (const part of path) kind = kind?.entries?.[part];
  return kind;
}

function pathText(path: SettingPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );
}

function shown(name: string, value: unknown): string {
  if (/hash|token|key|password/i.test(name)) return "not shown";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
