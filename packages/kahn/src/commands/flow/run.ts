/** `kahn flow run`: starts a run of a graph and follows it. */
import { dirname } from "node:path";
import { err, newRunId, ok, type Problem, ProblemError, problem, type Result } from "@kahn/core";
import { painter, problemText } from "@kahn/report";
import { type FlowGraph, type FlowRun, keyedId } from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import type { FlowSession } from "../../session/flow/flow-session.ts";
import { type GraphPlace, parseGraphPlace } from "../../session/flow/graph-module.ts";
import { graphLabels, makeFlowDirectory } from "../../session/flow/place.ts";
import { engineOptions, followOptions, followRun, pastOf, refuseRun, runProblems } from "./follow.ts";
import { DIR_OPTION, FOLLOW_OPTIONS, JSON_OPTION, parseCount, parseJsonObject, sessionFor } from "./options.ts";

/** The command. */
export const flowRun: Command = {
  name: "flow run",
  usage: "flow run FILE[#NAME] [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 2,
  options: [
    { name: "input", value: "JSON", help: "the state at the start: an object, @FILE, or - for standard input" },
    { name: "id", value: "RUN", help: "the id of the run (default: a fresh one)" },
    { name: "key", value: "KEY", help: "starting twice with one key is one run" },
    ...FOLLOW_OPTIONS,
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
Runs the graph that FILE exports (default, or NAME) and shows what happens. At a barrier it asks, if there is a
terminal; without one it leaves the run as it is and says how to decide. Ctrl-C leaves it, too. Whatever ends the
process, kahn flow resume goes on where it stood.

Exit code 0: completed; 1: failed; 2: nothing was run; 4: waits for a decision; 130: cancelled, or left by Ctrl-C.`,
  examples: [
    ["kahn flow run release.ts", "run the graph that release.ts exports"],
    [`kahn flow run release.ts --input '{"version": "1.2.0"}'`, "with a state to start from"],
    ["kahn flow run flows.ts#nightly --key 2026-01-31", "a named export; once for this key"],
    ["kahn flow run review.ts --wait", "without a terminal: wait for `kahn flow decide`"],
  ],
  async run(host, given) {
    const prepared = await prepare(host, given);
    if (!prepared.ok) return refuseRun(host, given, prepared.problem);
    const { session, graph, options, start } = prepared.value;
    // Of a second start with one key: what the first did.
    const key = given.value("key");
    const id = key === undefined ? undefined : keyedId(graph, key);
    const before = id === undefined ? undefined : session.summary(id);
    const executedMs = before?.ok === true ? before.value.executedMs : 0;
    const past = id === undefined ? [] : pastOf(id, session);
    let run: FlowRun;
    try {
      makeFlowDirectory(session.ports, session.place);
      run = (await session.flow.start(graph, start.input, start.options)) as unknown as FlowRun;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return refuseRun(host, given, runProblems(error, session, { made: given.value("id") }));
    }
    return followRun(run, { session, graph, options, past, executedMs });
  },
};

/** A second start with one key is the first run; with an id of its own it could not be. */
function readName(given: ParsedArguments): Result<undefined, Problem> {
  if (!given.has("id") || !given.has("key")) return ok(undefined);
  const next = "Give --key alone: the id follows from it; or --id alone: a second start with it is refused.";
  return err(problem("option-value", "--id and --key both name the run", { next }));
}

async function prepare(host: Host, given: ParsedArguments) {
  const options = followOptions(host, given);
  if (!options.ok) return err([options.problem]);
  const name = readName(given);
  if (!name.ok) return err([name.problem]);
  const place = parseGraphPlace(given.positionals[0]!, host.directory);
  const command = `run ${given.positionals[0]}`;
  const session = await sessionFor(host, given, { command, near: dirname(place.file) });
  if (!session.ok) return session;
  const input = await readInput(given, session.value);
  if (!input.ok) return err([input.problem]);
  const graph = await session.value.load(place);
  if (!graph.ok) return graph;
  if (!options.value.json) warnOfGraph(host, graph.value);
  session.value.open(engineOptions(host, options.value));
  const steps = parseCount(given, "max-steps");
  if (!steps.ok) return err([steps.problem]);
  const start = { input: input.value, options: startOptions(given, session.value, { place, maxSteps: steps.value }) };
  return ok({ session: session.value, graph: graph.value, options: options.value, start });
}

function startOptions(
  given: ParsedArguments,
  { place: folder, ports }: FlowSession,
  { place, maxSteps }: { readonly place: GraphPlace; readonly maxSteps: number | undefined },
) {
  const [id, key] = [given.value("id"), given.value("key")];
  return {
    labels: graphLabels(place, folder),
    ...(key === undefined ? { id: id ?? newRunId(ports.clock, ports.random) } : { key }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
  };
}

async function readInput(given: ParsedArguments, { host, ports }: FlowSession) {
  const [, extra] = given.positionals;
  if (extra !== undefined && extra !== "-") {
    return err(problem("arguments-count", "too many arguments", { facts: [["usage", `kahn ${flowRun.usage}`]] }));
  }
  const text = given.value("input") ?? extra;
  if (text === undefined) return ok({});
  const read = text === "-" ? ok(await host.readInput()) : text.startsWith("@") ? fileText(text.slice(1)) : ok(text);
  return read.ok ? parseJsonObject(read.value, "--input") : read;

  function fileText(name: string): Result<string, Problem> {
    const path = name.startsWith("/") ? name : `${host.directory}/${name}`;
    const bytes = ports.fs.readFile(path);
    if (bytes !== undefined) return ok(Buffer.from(bytes).toString("utf8"));
    return err(problem("option-value", `--input names ${path}, which is not there`, { next: "Mend the path." }));
  }
}

function warnOfGraph(host: Host, graph: FlowGraph): void {
  const paint = painter(host.stderr.colour);
  for (const each of graph.warnings) host.stderr.write(problemText(each, paint));
}
