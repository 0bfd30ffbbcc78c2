/**
 * Graphs from files: evaluates a program and takes the graph that it exports.
 *
 * Owns:      `FILE#name`, and finding `kahn/flow` for a file that has no Kahn installed beside it.
 * Invariant: a file is evaluated once in a process, so that modules it shares with others are shared.
 *
 * What Node can import, with a `kahn/flow` that it finds, it imports; the rest goes through jiti, which turns TypeScript
 * into JavaScript and takes `kahn/flow` from this very Kahn. A graph is a plain object, so one whose functions come from
 * another copy of the package runs as well.
 */
import { createRequire } from "node:module";
import { basename, extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { err, type FileSystem, ok, type Problem, ProblemError, problem, type Result } from "@kahn/core";
import type { FlowGraph } from "@kahn/workflow";
import { bundledFile } from "../bundled-file.ts";

/** Where a graph is. */
export interface GraphPlace {
  /** Absolute. */
  readonly file: string;
  /** `default` unless named. */
  readonly export: string;
}

/** What loading takes. */
export interface GraphLoader {
  readonly fs: FileSystem;
  /** Absolute path of a folder for transpiled files; nobody else may write there. */
  readonly cacheDirectory: string;
}

const EXTENSIONS = [".ts", ".mts", ".cts", ".mjs", ".js", ".cjs"];

/** Reads `FILE` or `FILE#name`, relative to a folder. */
export function parseGraphPlace(text: string, directory: string): GraphPlace {
  const at = text.lastIndexOf("#");
  const [path, name] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, ""];
  return {
    file: path.startsWith("/") ? path : new URL(encodePath(path), `${pathToFileURL(directory).href}/`).pathname,
    export: name === "" ? "default" : name,
  };
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The graph at a place; problems name the file. */
export async function loadGraph(
  place: GraphPlace,
  loader: GraphLoader,
): Promise<Result<FlowGraph, readonly Problem[]>> {
  const { file } = place;
  if (loader.fs.lstat(file) === undefined) return err([fileMissing(file)]);
  if (!EXTENSIONS.includes(extname(file))) return err([notProgram(file)]);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await evaluate(file, loader)) as Readonly<Record<string, unknown>>;
    const found = module[place.export];
    if (found === undefined) return err([exportMissing(place, module)]);
    const graph = typeof found === "function" ? await found() : found;
    return isGraph(graph) ? ok(graph) : err([notGraph(place, graph)]);
  } catch (thrown) {
    if (isProblemError(thrown)) return err(thrown.problems.map((each) => ({ where: { file }, ...each })));
    return err([evaluationFailed(file, thrown)]);
  }
}

async function evaluate(file: string, loader: GraphLoader): Promise<unknown> {
  const isTypeScript = /\.[mc]?ts$/.test(file);
  if (!isTypeScript && findsFlow(file)) {
    try {
      return await import(pathToFileURL(file).href);
    } catch (error) {
      // A `.js` file with imports in a package that does not say what its files are: jiti understands it.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return importWithJiti(file, loader);
}

function findsFlow(file: string): boolean {
  try {
    return createRequire(file).resolve("kahn/flow") !== "";
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

async function importWithJiti(file: string, { fs, cacheDirectory }: GraphLoader): Promise<unknown> {
  const { createJiti } = await import("jiti").catch((cause: unknown) => {
    const next = "Install it (npm i jiti), or write the graph in .mjs beside an installed Kahn.";
    throw new ProblemError(problem("flow-file-failed", `${file} needs the package jiti to be read`, { next }), {
      cause,
    });
  });
  const jiti = createJiti(file, { fsCache: cacheDirectory, interopDefault: false, alias: ownEntries(fs) });
  return jiti.import(file);
}

/** The entries of this very Kahn, by the names that programs import them by. */
function ownEntries(fs: FileSystem): Record<string, string> {
  const entries: Record<string, string> = {};
  for (const name of ["flow", "flow-langgraph"]) {
    const path = bundledFile(fs, `${name}.mjs`, fileURLToPath(import.meta.url));
    if (path !== undefined) entries[`kahn/${name.replace("-", "/")}`] = path;
  }
  return entries;
}

/** By its shape: it may come from another copy of the package. */
function isGraph(value: unknown): value is FlowGraph {
  if (typeof value !== "object" || value === null) return false;
  const graph = value as Partial<FlowGraph>;
  return typeof graph.id === "string" && graph.nodes instanceof Map && typeof graph.structure === "object";
}

function isProblemError(thrown: unknown): thrown is ProblemError {
  return thrown instanceof Error && thrown.name === "ProblemError" && "problems" in thrown;
}

function fileMissing(file: string): Problem {
  return problem("flow-file-missing", `there is no file ${file}`, {
    next: "Mend the path; if the graph of a run has moved, name it with --file.",
  });
}

function notProgram(file: string): Problem {
  return problem("flow-file-kind", `${basename(file)} is no program that can export a graph`, {
    facts: [["kinds", EXTENSIONS.join(" ")]],
    next: "Name a TypeScript or JavaScript file whose default export is a graph.",
  });
}

function exportMissing({ file, export: name }: GraphPlace, module: Readonly<Record<string, unknown>>): Problem {
  const graphs = Object.keys(module).filter((each) => isGraph(module[each]));
  const hint = graphs[0] === undefined ? "export default defineGraph(…)" : undefined;
  return problem(
    "flow-export-missing",
    name === "default" ? `${file} has no default export` : `${file} exports nothing named "${name}"`,
    {
      facts: graphs.length === 0 ? [] : [["graphs", graphs.join(", ")]],
      next: hint === undefined ? `Name one: ${basename(file)}#${graphs[0]}.` : `Write \`${hint}\`.`,
    },
  );
}

function notGraph({ file, export: name }: GraphPlace, value: unknown): Problem {
  const what = value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
  const isResult = typeof value === "object" && value !== null && "ok" in value;
  return problem("flow-export-no-graph", `the export "${name}" of ${file} is ${what}, not a graph`, {
    next: isResult
      ? "It is the Result of buildGraph: export its value."
      : "Export what defineGraph gives, or a function that gives it.",
  });
}

function evaluationFailed(file: string, thrown: unknown): Problem {
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message.split("\n")[0]}` : String(thrown);
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  const place = stack.split("\n").find((line) => line.includes(file));
  const [, line, column] = /:(\d+):(\d+)\)?$/.exec(place ?? "") ?? [];
  return problem("flow-file-failed", `${file} could not be evaluated: ${message}`, {
    where: { file, ...(line === undefined ? {} : { line: Number(line), column: Number(column) }) },
    next: "Mend the file; it is evaluated as a program before anything is run.",
  });
}
