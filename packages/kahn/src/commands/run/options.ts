/** The options of `kahn run`. */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import type { GraphFormat, OutputMode } from "@kahn/report";
import type { OptionSpec, ParsedArguments } from "../../cli/arguments.ts";
import { type CacheOption, parseCacheOption } from "../../session/run/cache-choice.ts";
import type { RemoteExec } from "../../session/run/store-set.ts";

/** What was asked for. */
export interface RunOptions {
  readonly tasks: readonly string[];
  /** Selectors of `-p`; empty: as the folder says. */
  readonly projects: readonly string[];
  /** `undefined`: everything; else the base to compare with ("" for the default branch). */
  readonly affected: string | undefined;
  readonly passedArguments: readonly string[];
  readonly concurrency: number | undefined;
  readonly failFast: boolean;
  readonly force: boolean;
  /** `undefined`: as configured. */
  readonly cache: CacheOption | undefined;
  readonly remoteExec: RemoteExec;
  readonly dry: boolean;
  readonly graph: GraphFormat | undefined;
  readonly output: OutputMode | undefined;
  readonly json: boolean;
}

const FORMATS = ["json", "dot", "mermaid", "html"] as const;
const MODES = ["live", "grouped", "errors", "none"] as const;

/** Which caches count. */
export const CACHE_OPTION: OptionSpec = {
  name: "cache",
  value: "WHERE:MODE",
  help: "which caches count, such as local:rw,remote:r; MODE is rw, r or off (default: as configured)",
};

/** Where tasks run. */
export const REMOTE_EXEC_OPTION: OptionSpec = {
  name: "remote-exec",
  value: "HOW",
  optional: true,
  choices: ["only", "race"],
  help: "run tasks on the server of the remote cache, each with nothing but its inputs; HOW is only (default), or race: also here, and the first success counts",
};

/** The table of options. */
export const RUN_OPTIONS: readonly OptionSpec[] = [
  {
    name: "project",
    short: "p",
    value: "SELECTOR",
    help: "only these projects: name, @scope/*, ./folder, web... , ...lib, !name; repeatable",
  },
  {
    name: "affected",
    value: "BASE",
    optional: true,
    help: "only projects that changed since BASE (default: the default branch), and their dependents",
  },
  {
    name: "concurrency",
    short: "c",
    value: "N",
    help: "how many tasks may run at once (default: as configured, or one per processor)",
  },
  { name: "fail-fast", help: "after a failure start nothing more (default: go on with what does not depend on it)" },
  { name: "force", short: "f", help: "run also what is cached; results are stored all the same" },
  CACHE_OPTION,
  REMOTE_EXEC_OPTION,
  { name: "dry", help: "say what would run and why, and run nothing" },
  {
    name: "graph",
    value: "FORMAT",
    optional: true,
    choices: FORMATS,
    help: "print the graph and run nothing; FORMAT is json (default), dot, mermaid or html",
  },
  {
    name: "output",
    short: "o",
    value: "MODE",
    choices: MODES,
    help: "what tasks print: grouped when each has ended (default), live as it comes, errors of those that fail, none",
  },
  {
    name: "json",
    help: "one event per line; the last is run.finished with the counts, or the only one run.refused with the problems",
  },
];

/** Reads the options. */
export function readRunOptions(given: ParsedArguments): Result<RunOptions, Problem> {
  const text = given.value("concurrency");
  const concurrency = text === undefined ? undefined : Number(text);
  if (concurrency !== undefined && (!Number.isInteger(concurrency) || concurrency < 1)) {
    return err(
      problem("option-value", `--concurrency cannot be "${text}"`, { next: "Give a whole number from 1 on." }),
    );
  }
  const cacheText = given.value("cache");
  const cache = cacheText === undefined ? ok(undefined) : parseCacheOption(cacheText);
  if (!cache.ok) return cache;
  return ok({
    tasks: given.positionals,
    projects: given.values("project"),
    affected: given.value("affected"),
    passedArguments: given.rest,
    concurrency,
    failFast: given.has("fail-fast"),
    force: given.has("force"),
    cache: cache.value,
    remoteExec: given.has("remote-exec") ? ((given.value("remote-exec") || "only") as RemoteExec) : "off",
    dry: given.has("dry"),
    graph: given.has("graph") ? ((given.value("graph") || "json") as GraphFormat) : undefined,
    output: given.value("output") as OutputMode | undefined,
    json: given.has("json"),
  });
}
