/** The files of one project: its manifest and its own configuration. */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { ok, problem } from "@kahn/core";
import type { ConfigPart } from "../config/config-part.ts";
import type { ProjectConfig } from "../config/config-types.ts";
import type { ProjectConfigurationOptions } from "../config/configuration.ts";
import { readProjectConfiguration } from "../config/configuration.ts";
import type { Manifest } from "./manifest.ts";
import { positionsIn, readManifest } from "./manifest.ts";

/** A project folder with what its files say. */
export interface ProjectFiles {
  readonly name: string;
  /** Workspace-relative; empty for the root. */
  readonly directory: string;
  readonly manifest: Manifest | undefined;
  readonly part: ConfigPart<ProjectConfig> | undefined;
}

/** Reads a project's manifest and its own configuration. */
export function readProjectFiles(
  options: Omit<ProjectConfigurationOptions, "manifest">,
): Result<ProjectFiles, readonly Problem[]> {
  const { reader, root, directory, source } = options;
  const file = `${directory}/package.json`;
  const text = reader.readText(`${root}/${file}`);
  const manifest = text === undefined ? undefined : readManifest(file, text);
  if (manifest?.ok === false) return manifest;
  const part = readProjectConfiguration({ reader, root, directory, manifest: manifest?.value, source });
  if (!part.ok) return part;
  return ok({ name: manifest?.value.name ?? directory, directory, manifest: manifest?.value, part: part.value });
}

/** A problem for each project whose name another one has. */
export function duplicateNames(files: readonly ProjectFiles[]): Problem[] {
  const first = new Map<string, ProjectFiles>();
  const problems: Problem[] = [];
  for (const each of files) {
    const other = first.get(each.name);
    if (other === undefined) first.set(each.name, each);
    else {
      const [one, two] = [fileOf(other), fileOf(each)];
      problems.push(
        problem("project-duplicate-name", `Two projects are named "${each.name}": ${one} and ${two}`, {
          where: namePlace(each),
          next: `Rename one of them, or leave one out of the project globs ("!${each.directory}").`,
        }),
      );
    }
  }
  return problems;
}

function fileOf(files: ProjectFiles): string {
  return files.manifest?.file ?? files.directory;
}

function namePlace({ directory, manifest }: ProjectFiles): SourcePlace {
  return manifest === undefined ? { file: directory } : positionsIn(manifest.file, manifest.text).valuePlace(["name"]);
}
