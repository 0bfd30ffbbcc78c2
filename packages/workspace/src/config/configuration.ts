/**
 * A workspace's configuration, whichever tool it was written for, in one form.
 *
 * Owns:  choosing between Kahn's files, a turbo.json and nothing; checking the shape.
 * Never: reads task entries: see `task-entry.ts`.
 */
import type { ConfigSection, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { Manifest } from "../projects/manifest.ts";
import type { SourceReader } from "../source-reader.ts";
import { checkProjectConfig, checkRootConfig, defaultSections, isRecord } from "./check-config.ts";
import type { ConfigPart } from "./config-part.ts";
import type { ConfigText } from "./config-text.ts";
import { readJsonText } from "./config-text.ts";
import type { KahnConfig, ProjectConfig } from "./config-types.ts";
import type { ImportModule } from "./read-config.ts";
import { readProjectConfig, readRootConfig } from "./read-config.ts";
import { readTurboProject, readTurboRoot } from "./turbo-config.ts";

/** The root's configuration. */
export interface RootConfiguration {
  readonly source: "kahn" | "turbo" | "none";
  /** `undefined`: there is none. */
  readonly part: ConfigPart<KahnConfig> | undefined;
  readonly sections: Readonly<Record<string, unknown>>;
}

/** What the root's configuration is read with. */
export interface ConfigurationOptions {
  readonly reader: SourceReader;
  /** Absolute. */
  readonly root: string;
  readonly manifest: Manifest | undefined;
  readonly importModule: ImportModule;
  readonly sections: readonly ConfigSection<unknown>[];
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** Reads the root's configuration: a Kahn file, else `"kahn"` of package.json, else turbo.json. */
export async function readRootConfiguration(
  options: ConfigurationOptions,
): Promise<Result<RootConfiguration, readonly Problem[]>> {
  const { reader, root, manifest, sections } = options;
  const found = await readRootConfig(reader, root, options.importModule);
  if (!found.ok) return found;
  const inManifest = manifest?.value.kahn !== undefined ? manifest : undefined;
  if (found.value !== undefined && inManifest !== undefined) return err([ambiguous(found.value.file, inManifest.file)]);
  const text = found.value ?? (inManifest && manifestSection(inManifest));
  if (text !== undefined) {
    const checked = checkRootConfig(text, sections);
    if (!checked.ok) return checked;
    const part = { config: checked.value.config, text, standalone: NO_KEYS, removed: [], warnings: [] };
    return ok({ source: "kahn", part, sections: checked.value.sections });
  }
  const turbo = readTurboText(reader, root, "");
  if (turbo === undefined) return ok({ source: "none", part: undefined, sections: defaultSections(sections) });
  if (!turbo.ok) return turbo;
  const part = readTurboRoot(turbo.value);
  return part.ok ? ok({ source: "turbo", part: part.value, sections: defaultSections(sections) }) : part;
}

/** What a project's own configuration is read with. */
export interface ProjectConfigurationOptions {
  readonly reader: SourceReader;
  /** Absolute. */
  readonly root: string;
  /** Workspace-relative; not empty. */
  readonly directory: string;
  readonly manifest: Manifest | undefined;
  readonly source: RootConfiguration["source"];
}

/** Reads a project's own configuration; `undefined` when it has none. */
export function readProjectConfiguration(
  options: ProjectConfigurationOptions,
): Result<ConfigPart<ProjectConfig> | undefined, readonly Problem[]> {
  const { reader, root, directory, manifest } = options;
  if (options.source === "turbo") {
    const turbo = readTurboText(reader, `${root}/${directory}`, `${directory}/`);
    if (turbo === undefined) return ok(undefined);
    return turbo.ok ? readTurboProject(turbo.value) : turbo;
  }
  const own = readProjectConfig(reader, `${root}/${directory}`, `${directory}/`);
  if (!own.ok) return own;
  const inManifest = manifest?.value.kahn !== undefined ? manifest : undefined;
  if (own.value !== undefined && inManifest !== undefined) return err([ambiguous(own.value.file, inManifest.file)]);
  const text = own.value ?? (inManifest && manifestSection(inManifest));
  if (text === undefined) return ok(undefined);
  const checked = checkProjectConfig(text);
  if (!checked.ok) return checked;
  return ok({ config: checked.value, text, standalone: NO_KEYS, removed: [], warnings: [] });
}

function ambiguous(file: string, manifest: string): Problem {
  return problem("config-ambiguous", `There is more than one configuration: ${file} and "kahn" in ${manifest}`, {
    where: { file: manifest },
    next: "Keep one of them.",
  });
}

/** The key `kahn` of a package.json, with positions in that file. */
function manifestSection(manifest: Manifest): ConfigText {
  const whole = readJsonText(manifest.file, manifest.text, "json");
  const text = whole.ok ? whole.value : undefined;
  const where = { file: manifest.file };
  return {
    file: manifest.file,
    value: manifest.value.kahn,
    valuePlace: (path) => text?.valuePlace(["kahn", ...path]) ?? where,
    keyPlace: (path) => text?.keyPlace(["kahn", ...path]) ?? where,
  };
}

function readTurboText(
  reader: SourceReader,
  directory: string,
  prefix: string,
): Result<ConfigText, readonly Problem[]> | undefined {
  for (const name of ["turbo.json", "turbo.jsonc"]) {
    const text = reader.readText(`${directory}/${name}`);
    if (text === undefined) continue;
    const read = readJsonText(prefix + name, text, "jsonc");
    if (!read.ok || isRecord(read.value.value)) return read;
    const where = read.value.valuePlace([]);
    return err([
      problem("config-wrong-value", `${prefix + name} must be an object`, { where, next: "Correct the file." }),
    ]);
  }
  return undefined;
}
