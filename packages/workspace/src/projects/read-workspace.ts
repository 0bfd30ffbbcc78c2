/**
 * Reads a workspace whose root is known.
 *
 * Owns:      the order of reading, and that every problem of every file comes at once.
 * Invariant: the model it gives is complete; the reader's evidence names every path that the model rests on.
 */
import type { ConfigSection, Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ConfigText } from "../config/config-text.ts";
import type { RootConfiguration } from "../config/configuration.ts";
import { readRootConfiguration } from "../config/configuration.ts";
import { entryProblems } from "../config/entry-problems.ts";
import type { ImportModule } from "../config/read-config.ts";
import type { Project, WorkspaceModel } from "../model.ts";
import type { SourceReader } from "../source-reader.ts";
import { workspaceDependencies } from "./dependency-edges.ts";
import { manifestEnv, positionsIn, readManifest } from "./manifest.ts";
import type { FoundManager } from "./package-manager.ts";
import { findPackageManager } from "./package-manager.ts";
import { projectDirectories } from "./project-directories.ts";
import type { ProjectFiles } from "./project-files.ts";
import { duplicateNames, readProjectFiles } from "./project-files.ts";
import { declaredGlobs, emptyWorkspace } from "./project-globs.ts";
import { defineTasks } from "./task-definitions.ts";
import { readTaskTables } from "./task-tables.ts";
import { readSettings } from "./workspace-settings.ts";

/** What a workspace is read with. */
export interface ReadOptions {
  readonly reader: SourceReader;
  /** Absolute path of the root. */
  readonly root: string;
  /** What the concurrency `"auto"` means. */
  readonly processorCount: number;
  readonly importModule: ImportModule;
  /** Sections of the configuration that other packages own. */
  readonly sections: readonly ConfigSection<unknown>[];
}

/** Reads every file of a workspace and gives its model, or all its problems. */
export async function readWorkspace(options: ReadOptions): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  const { reader, root } = options;
  const problems: Problem[] = [];
  const take = <Value>(result: Result<Value, readonly Problem[]>): Value | undefined => {
    if (result.ok) return result.value;
    problems.push(...result.problem);
    return undefined;
  };
  const rootText = reader.readText(`${root}/package.json`);
  const manifest = rootText === undefined ? undefined : take(readManifest("package.json", rootText));
  const configuration = take(await readRootConfiguration({ ...options, manifest })) ?? NO_CONFIGURATION;
  const ownGlobs = configuration.part?.config.projects;
  const globs = ownGlobs ?? take(await declaredGlobs(reader, root, manifest)) ?? [];
  const files: ProjectFiles[] = [{ name: "//", directory: "", manifest, part: undefined }];
  const directories = projectDirectories(reader, root, globs);
  const config = ownGlobs === undefined ? undefined : configuration.part?.text;
  const warnings = directories.length > 0 ? [] : emptyWorkspace({ globs, config, reader, root, manifest });
  for (const directory of directories) {
    const read = take(readProjectFiles({ reader, root, directory, source: configuration.source }));
    if (read !== undefined) files.push(read);
  }
  problems.push(...duplicateNames(files));
  // Later steps would repeat in other words what is wrong so far: names that are unknown because a file is broken.
  if (problems.length > 0) return err([...problems, ...soundPartsProblems(configuration, files)]);
  return assemble({ options, configuration, files, warnings });
}

/** What is wrong within the task entries of the files that can be read, when others cannot. */
function soundPartsProblems(configuration: RootConfiguration, files: readonly ProjectFiles[]): Problem[] {
  // A turbo.json is translated, and its places are those of its own keys.
  if (configuration.source === "turbo") return [];
  const { part } = configuration;
  const pools = part === undefined ? undefined : (part.config.pools ?? {});
  const texts = [part, ...files.map((each) => each.part)].flatMap((each) => (each === undefined ? [] : [each.text]));
  return texts.flatMap((text) => entryProblems(text, pools));
}

const NO_CONFIGURATION: RootConfiguration = { source: "none", part: undefined, sections: {} };

interface Assembly {
  readonly options: ReadOptions;
  readonly configuration: RootConfiguration;
  readonly files: readonly ProjectFiles[];
  /** Of finding the files. */
  readonly warnings: readonly Problem[];
}

function assemble({ options, configuration, files, warnings }: Assembly): Result<WorkspaceModel, readonly Problem[]> {
  const { reader, root } = options;
  const { part } = configuration;
  const problems: Problem[] = [];
  const report = (found: Problem) => void problems.push(found);
  const settings = readSettings(part?.config ?? {}, {
    text: part?.text,
    sections: configuration.sections,
    processorCount: options.processorCount,
    report,
  });
  const found = findPackageManager(reader, root, files[0]!.manifest);
  const projects = makeProjects(files);
  const hasOwnTasks = files.some((each) => each.part !== undefined);
  const source = configuration.source === "none" && hasOwnTasks ? "kahn" : configuration.source;
  const tables = readTaskTables({ source, root: part, files, pools: settings.pools, report });
  const outputMode = settings.cache.outputMode === "link" ? "link" : "copy";
  const tasks = defineTasks({
    projects,
    tables,
    outputMode,
    runsHooks: found.runsHooks,
    scriptPlace: scriptPlaces(files),
    report,
  });
  const errors = problems.filter((each) => each.severity === "error");
  if (errors.length > 0) return err(errors);
  return ok({
    root,
    manager: found.manager,
    lockFile: found.lockFile,
    source,
    files: relativeFiles(reader, root),
    settings,
    projects,
    tasks,
    warnings: [
      ...warnings,
      ...managerWarnings(found),
      ...(part?.warnings ?? []),
      ...files.flatMap((each) => each.part?.warnings ?? []),
      ...problems,
    ],
  });
}

function makeProjects(files: readonly ProjectFiles[]): Project[] {
  const index = {
    byName: new Map(files.map((each) => [each.name, each.name])),
    byDirectory: new Map(files.map((each) => [each.directory, each.name])),
  };
  return files.map(({ name, directory, manifest, part }) => ({
    name,
    directory,
    manifestEnv: manifest === undefined ? {} : manifestEnv(manifest),
    scripts: manifest?.scripts ?? {},
    dependencies: manifest === undefined ? [] : workspaceDependencies(manifest, { name, directory }, index),
    tags: part?.config.tags ?? [],
  }));
}

/** Places of scripts; a manifest is read for its positions when the first of its scripts is asked for. */
function scriptPlaces(files: readonly ProjectFiles[]): (project: Project, script: string) => SourcePlace {
  const manifests = new Map(files.map((each) => [each.name, each.manifest]));
  const known = new Map<string, ConfigText>();
  return (project, script) => {
    const manifest = manifests.get(project.name);
    if (manifest === undefined) return { file: project.directory };
    const positions = known.get(project.name) ?? positionsIn(manifest.file, manifest.text);
    known.set(project.name, positions);
    return positions.keyPlace(["scripts", script]);
  };
}

function relativeFiles(reader: SourceReader, root: string): string[] {
  const prefix = `${root}/`;
  return reader.filesRead.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
}

function managerWarnings(found: FoundManager): Problem[] {
  if (found.manager !== "yarn-pnp") return [];
  return [
    {
      code: "yarn-pnp",
      severity: "warning",
      message: "This workspace uses Yarn Plug'n'Play, so scripts run through `yarn run`, which takes longer",
      where: { file: ".pnp.cjs" },
      next: "Set `nodeLinker: node-modules` in .yarnrc.yml to let Kahn run them directly.",
    },
  ];
}
