/** Where the runs of flows are kept, and how a run remembers the file of its graph. */
import { isAbsolute, join, relative } from "node:path";
import { err, ok, type Problem, type Result } from "@kahn/core";
import type { Host } from "../../cli/host.ts";
import { loadModel } from "../load-model.ts";
import { makeStateDirectory } from "../locations.ts";
import type { SystemPorts } from "../system-ports.ts";
import type { GraphPlace } from "./graph-module.ts";

/** A folder of runs. Absolute paths. */
export interface FlowPlace {
  readonly directory: string;
  /** The workspace, or the folder that stands for one. */
  readonly root: string;
  /** Whether it was named by `--dir`, so that others must name it, too. */
  readonly isNamed: boolean;
}

const BELOW_ROOT = ".kahn/state/flows";

/**
 * The folder for runs of what is in a folder: `.kahn/state/flows` of its workspace (of the nearest package.json, if that
 * is in none), of the folder itself where there is no package.json at all.
 */
export async function flowPlace(
  host: Host,
  ports: SystemPorts,
  { near, named }: { readonly near: string; readonly named: string | undefined },
): Promise<Result<FlowPlace, readonly Problem[]>> {
  const model = await loadModel({ ...host, directory: near }, ports);
  if (!model.ok && model.problem[0]?.code !== "workspace-not-found") return err(model.problem);
  const root = model.ok ? model.value.root : (ports.fs.realPath(near) ?? near);
  if (named === undefined) return ok({ directory: `${root}/${BELOW_ROOT}`, root, isNamed: false });
  return ok({ directory: isAbsolute(named) ? named : join(host.directory, named), root, isNamed: true });
}

/** Makes the folder before the first run. */
export function makeFlowDirectory({ fs }: SystemPorts, { directory, root, isNamed }: FlowPlace): void {
  if (!isNamed) makeStateDirectory(fs, { root, state: `${root}/.kahn/state` });
  fs.makeDirectory(directory);
}

/**
 * What a run keeps with its first record: where its graph is. Relative to the folder of runs if both are in one
 * workspace, so that the workspace may be moved.
 */
export function graphLabels(place: GraphPlace, { directory, root }: FlowPlace): Readonly<Record<string, string>> {
  const isInside = directory.startsWith(`${root}/`) && place.file.startsWith(`${root}/`);
  return { file: isInside ? relative(directory, place.file) : place.file, export: place.export };
}

/** The place that `graphLabels` wrote down; `undefined` for a run that a program started. */
export function graphOfLabels(labels: Readonly<Record<string, string>>, directory: string): GraphPlace | undefined {
  const { file, export: name = "default" } = labels;
  if (file === undefined) return undefined;
  return { file: isAbsolute(file) ? file : join(directory, file), export: name };
}
