/** Where a workspace says which folders are its projects. */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok, problem, warning } from "@kahn/core";
import type { ConfigText } from "../config/config-text.ts";
import { placeAt } from "../config/config-text.ts";
import type { SourceReader } from "../source-reader.ts";
import type { Manifest } from "./manifest.ts";

/** Project globs as the package manager's own files give them. */
export type DeclaredGlobs = Result<readonly string[] | undefined, readonly Problem[]>;

/** Globs of `pnpm-workspace.yaml`, else of `workspaces` in package.json; `undefined`: there are no workspaces. */
export async function declaredGlobs(
  reader: SourceReader,
  root: string,
  manifest: Manifest | undefined,
): Promise<DeclaredGlobs> {
  const yaml = reader.readText(`${root}/pnpm-workspace.yaml`);
  if (yaml !== undefined) return pnpmGlobs("pnpm-workspace.yaml", yaml);
  return manifest === undefined ? ok(undefined) : manifestGlobs(manifest);
}

/** Where globs that matched nothing may have come from. */
export interface GlobOrigins {
  readonly globs: readonly string[];
  /** The configuration, when it is what names the projects. */
  readonly config: ConfigText | undefined;
  readonly reader: SourceReader;
  /** Absolute. */
  readonly root: string;
  readonly manifest: Manifest | undefined;
}

/** What to say when no project was found: nothing where no glob asks for any besides the root. */
export function emptyWorkspace(origins: GlobOrigins): Problem[] {
  const asking = origins.globs.filter((glob) => !glob.startsWith("!") && !/^[./]*$/.test(glob));
  if (asking.length === 0) return [];
  const shown = asking.map((glob) => `"${glob}"`).join(", ");
  return [
    warning("workspace-empty", `No folder with a package.json matches ${shown}`, {
      where: globsPlace(origins),
      next: "Correct the globs, or remove them if the root is all there is.",
    }),
  ];
}

function globsPlace({ config, reader, root, manifest }: GlobOrigins): SourcePlace {
  if (config !== undefined) return config.valuePlace(["projects"]);
  const yaml = reader.readText(`${root}/pnpm-workspace.yaml`);
  if (yaml !== undefined) {
    const offset = Math.max(0, yaml.search(/^packages\s*:/m));
    return placeAt("pnpm-workspace.yaml", yaml, { offset, length: "packages".length });
  }
  return manifest === undefined ? { file: "package.json" } : workspacesPlace(manifest);
}

function workspacesPlace({ file, text }: Manifest): SourcePlace {
  const line = /"workspaces"\s*:/.exec(text);
  return placeAt(file, text, { offset: line?.index ?? 0, length: '"workspaces"'.length });
}

function manifestGlobs(manifest: Manifest): DeclaredGlobs {
  const written = manifest.value.workspaces;
  if (written === undefined || written === null) return ok(undefined);
  const list = Array.isArray(written) ? (written as unknown[]) : (written as { packages?: unknown }).packages;
  if (list === undefined && typeof written === "object") return ok([]);
  if (Array.isArray(list) && list.every((each) => typeof each === "string")) return ok(list);
  return err([
    problem("manifest-bad-field", `"workspaces" of ${manifest.file} must be a list of globs`, {
      where: workspacesPlace(manifest),
      next: 'Write a list ("workspaces": ["packages/*"]) or an object with the list "packages".',
    }),
  ]);
}

async function pnpmGlobs(file: string, text: string): Promise<DeclaredGlobs> {
  const simple = simpleYamlPackages(text);
  if (simple !== undefined) return ok(simple);
  // 40 ms to load: only for files that are more than a plain list.
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    return err(
      document.errors.slice(0, 5).map((each) =>
        problem(
          "config-syntax",
          `${file} is not valid YAML: ${each.message.split("\n")[0]!.replace(/ at line .*$/, "")}`,
          {
            where: placeAt(file, text, { offset: each.pos[0], length: Math.max(1, each.pos[1] - each.pos[0]) }),
            next: "Correct the file and run again.",
          },
        ),
      ),
    );
  }
  const packages = (document.toJS() as { packages?: unknown } | null)?.packages;
  if (packages === undefined || packages === null) return ok([]);
  if (Array.isArray(packages) && packages.every((each) => typeof each === "string")) return ok(packages);
  const node = document.get("packages", true) as { range?: readonly number[] } | undefined;
  return err([
    problem("config-wrong-value", `"packages" of ${file} must be a list of globs`, {
      where: placeAt(file, text, { offset: node?.range?.[0] ?? 0 }),
      next: "Write one glob a line: - packages/*",
    }),
  ]);
}

/**
 * The list `packages` of a file whose YAML is plain enough to read line by line; `undefined` for any other file.
 * Plain: the block list stands alone under its key, every item on one line, without anchors, tags or escapes.
 */
export function simpleYamlPackages(text: string): string[] | undefined {
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => /^packages:\s*(#.*)?$/.test(line));
  if (start === -1) return undefined;
  const globs: string[] = [];
  for (const line of lines.slice(start + 1)) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const item = /^\s*-\s+(?:'([^'\\]*)'|"([^"\\]*)"|([A-Za-z0-9./][^\s'"#:{}[\],&]*))\s*(#.*)?$/.exec(line);
    if (item !== null) globs.push(item[1] ?? item[2] ?? item[3]!);
    else if (/^[A-Za-z]/.test(line)) break;
    else return undefined;
  }
  return globs;
}
