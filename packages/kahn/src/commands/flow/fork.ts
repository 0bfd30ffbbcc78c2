/** `kahn flow fork`: a new run that shares the past of another. */
import { err, ok, type Problem, ProblemError, problem, type Result } from "@kahn/core";
import { countText, painter } from "@kahn/report";
import { type FlowRun, type ForkOptions, history } from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import { engineOptions, followOptions, followRun, pastOf, refuseRun, runProblems } from "./follow.ts";
import { DIR_OPTION, FILE_OPTION, FOLLOW_OPTIONS, JSON_OPTION, parseJson, sessionFor } from "./options.ts";
import { readStep } from "./show.ts";

/** The command. */
export const flowFork: Command = {
  name: "flow fork",
  usage: "flow fork RUN [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [
    { name: "at", value: "STEP", help: "the last step that is shared, as flow show numbers them (default: all)" },
    {
      name: "from",
      value: "VISIT",
      help: "instead of --at: make this visit again (draft#2), or the last one of a node",
    },
    { name: "set", value: "KEY=JSON", help: "a value that the state holds instead; repeatable" },
    { name: "goto", value: "NODE", help: "the node where it goes on (default: where the run stood)" },
    { name: "id", value: "RUN", help: "the id of the new run (default: a fresh one)" },
    { name: "run", help: "execute it at once" },
    ...FOLLOW_OPTIONS,
    FILE_OPTION,
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
Makes a new run with the past of RUN up to STEP, changed as you say. RUN is not touched. The fork is executed by
kahn flow resume, or at once with --run.`,
  examples: [
    ["kahn flow fork last --from gather --run", "the last visit of gather again, and what came after it"],
    ["kahn flow fork 01JH --at 3 --set 'topic=\"boats\"' --goto draft", "with another topic, from draft on"],
  ],
  async run(host, given) {
    const follow = followOptions(host, given);
    if (!follow.ok) return refuseRun(host, given, [follow.problem]);
    const opened = await sessionFor(host, given, { command: `fork ${given.positionals[0]}` });
    if (!opened.ok) return refuseRun(host, given, opened.problem);
    const session = opened.value;
    session.open(engineOptions(host, follow.value));
    const run = session.find(given.positionals[0]!);
    if (!run.ok) return refuseRun(host, given, [run.problem]);
    const entries = history(run.value, session.look());
    const summary = session.summary(run.value);
    if (!entries.ok) return refuseRun(host, given, [entries.problem]);
    if (!summary.ok) return refuseRun(host, given, [summary.problem]);
    const options = readFork(given, entries.value.at(-1)!.seq);
    if (!options.ok) return refuseRun(host, given, [options.problem]);
    const graph = await session.graphOf(summary.value);
    if (!graph.ok) return refuseRun(host, given, graph.problem);
    try {
      const id = await session.flow.prepareFork(run.value, graph.value, options.value);
      const past = pastOf(id, session);
      const steps = past.filter(({ type }) => type === "node.committed").length;
      if (given.has("json")) {
        host.stdout.write(`${JSON.stringify({ kind: "flow.forked", run: id, parent: run.value, steps })}\n`);
      } else {
        const paint = painter(host.stdout.colour);
        const taken = `${countText(steps, "step")} taken over`;
        host.stdout.write(`${paint("✔ forked", "green")} ${run.value} as ${id}: ${taken}\n`);
        if (!given.has("run")) host.stdout.write(`to execute it: kahn flow resume ${id}${session.dirOption()}\n`);
      }
      if (!given.has("run")) return EXIT.done;
      const handle = (await session.flow.resume(id, graph.value, { mode: "compatible" })) as unknown as FlowRun;
      return await followRun(handle, { session, graph: graph.value, options: follow.value, past });
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return refuse(host, runProblems(error, session, { run: run.value, made: given.value("id") }));
    }
  },
};

function readFork(given: ParsedArguments, last: number): Result<ForkOptions, Problem> {
  const [at, goto, id] = [given.value("at"), given.value("goto"), given.value("id")];
  const from = given.value("from");
  if (from !== undefined && at !== undefined) {
    return err(
      problem("arguments-count", "--at and --from both say where the fork begins", { next: "Give one of them." }),
    );
  }
  const step = at === undefined ? ok(undefined) : readStep(at, last, "--at");
  if (!step.ok) return step;
  const set: Record<string, unknown> = {};
  for (const each of given.values("set")) {
    const equals = each.indexOf("=");
    if (equals < 1)
      return err(
        problem("option-value", `--set is KEY=JSON, not "${each}"`, { next: `For example --set 'topic="boats"'.` }),
      );
    const value = parseJson(each.slice(equals + 1), `--set ${each.slice(0, equals)}`);
    if (!value.ok) return value;
    set[each.slice(0, equals)] = value.value;
  }
  return ok({
    set,
    ...(step.value === undefined ? {} : { at: step.value }),
    ...(from === undefined ? {} : { from }),
    ...(goto === undefined ? {} : { goto }),
    ...(id === undefined ? {} : { id }),
  });
}
