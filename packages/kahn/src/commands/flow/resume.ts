/** `kahn flow resume`: takes a run up where its journal ends. */
import { err, ok, type Problem, ProblemError, problem, type Result } from "@kahn/core";
import { eventsOf, type FlowRun, type ResumeMode } from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import { parseGraphPlace } from "../../session/flow/graph-module.ts";
import { graphLabels } from "../../session/flow/place.ts";
import { engineOptions, followOptions, followRun, refuseRun, runProblems } from "./follow.ts";
import { DIR_OPTION, FILE_OPTION, FOLLOW_OPTIONS, JSON_OPTION, sessionFor } from "./options.ts";

const MODES = ["strict", "compatible", "migrate", "force"] as const;

/** The command. */
export const flowResume: Command = {
  name: "flow resume",
  usage: "flow resume [RUN] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 1,
  options: [
    { name: "mode", value: "MODE", choices: MODES, help: "what if the graph has changed since (default: strict)" },
    { name: "rename", value: "OLD=NEW", help: "with --mode migrate: a node that has another name now; repeatable" },
    ...FOLLOW_OPTIONS,
    FILE_OPTION,
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
Goes on where the run stands: same steps, decisions and remaining times. What its journal has as done is not done
again. A failed or cancelled run goes on where it stopped; of a completed one the result is printed. Without RUN: the
last one.

strict      the graph must be the one that the run began with (functions may differ)
compatible  whatever is open, and every key that has a value, must still be there
migrate     like compatible, with nodes renamed
force       whatever it takes`,
  examples: [
    ["kahn flow resume", "the last run"],
    ["kahn flow resume 01JH --mode compatible", "with a graph that has grown"],
    ["kahn flow resume last --max-steps 500", "a run that had reached its limit"],
  ],
  async run(host, given) {
    const prepared = await prepare(host, given);
    if (!prepared.ok) return refuseRun(host, given, prepared.problem);
    const { session, run, graph, options, resume, past, executedMs } = prepared.value;
    try {
      const handle = (await session.flow.resume(run, graph, resume)) as unknown as FlowRun;
      return await followRun(handle, { session, graph, options, past, executedMs });
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return refuseRun(host, given, runProblems(error, session, { run }));
    }
  },
};

async function prepare(host: Host, given: ParsedArguments) {
  const options = followOptions(host, given);
  if (!options.ok) return err([options.problem]);
  const mode = readMode(given);
  if (!mode.ok) return err([mode.problem]);
  const text = given.positionals[0] ?? "last";
  const opened = await sessionFor(host, given, { command: `resume ${text}` });
  if (!opened.ok) return opened;
  const session = opened.value;
  session.open(engineOptions(host, options.value));
  const run = session.find(text);
  if (!run.ok) return err([run.problem]);
  const summary = session.summary(run.value);
  if (!summary.ok) return err([summary.problem]);
  const graph = await session.graphOf(summary.value);
  if (!graph.ok) return graph;
  const past = eventsOf(run.value, session.look());
  if (!past.ok) return err([past.problem]);
  const file = given.value("file");
  const labels =
    file === undefined ? {} : { labels: graphLabels(parseGraphPlace(file, host.directory), session.place) };
  const { maxSteps } = options.value;
  const resume = { mode: mode.value, ...labels, ...(maxSteps === undefined ? {} : { maxSteps }) };
  const { executedMs } = summary.value;
  const taken = { session, run: run.value, graph: graph.value, past: past.value, executedMs };
  return ok({ ...taken, options: options.value, resume });
}

function readMode(given: ParsedArguments): Result<ResumeMode, Problem> {
  const mode = (given.value("mode") ?? "strict") as (typeof MODES)[number];
  const renames = given.values("rename");
  if (mode !== "migrate") {
    if (renames.length === 0) return ok(mode);
    return err(problem("option-value", "--rename goes with --mode migrate", { next: "Add --mode migrate." }));
  }
  const migrate: Record<string, string> = {};
  for (const rename of renames) {
    const [old, fresh, ...more] = rename.split("=");
    if (old === "" || fresh === undefined || fresh === "" || more.length > 0) {
      return err(problem("option-value", `--rename is OLD=NEW, not "${rename}"`));
    }
    migrate[old!] = fresh;
  }
  return ok({ migrate });
}
