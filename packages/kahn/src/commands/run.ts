/** `kahn run`: runs tasks. */
import { problem } from "@kahn/core";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { performRun } from "../session/perform-run.ts";
import { planRequest } from "../session/plan-request.ts";
import { openSession } from "../session/workspace-session.ts";
import { RUN_OPTIONS, readRunOptions } from "./run-options.ts";
import { runRequestOf } from "./run-view.ts";

/** The command. */
export const run: Command = {
  usage: "run TASK… [OPTIONS] [-- ARGS]",
  positionalsMin: 0,
  positionalsMax: Number.POSITIVE_INFINITY,
  rest: true,
  options: RUN_OPTIONS,
  description: `
Runs each TASK in every project that has it, and before it everything it depends on. A task whose inputs,
command, environment, tools and dependencies are what they were is not run again: its files and its output
come back from the cache.

TASK is a script of package.json or a task of kahn.jsonc ("build"), one project's ("web#build") or one of the
workspace root ("//#build"). In a project's folder, a bare TASK means that project.`,
  examples: [
    ["kahn run build test", "in every project, in the right order"],
    ["kahn run test -p web", "in one project, with what it needs"],
    ["kahn run test -p 'web...'", "in web and in everything web depends on"],
    ["kahn run build --dry", "say what would run, and why"],
    ["kahn run test -- --bail", "pass arguments on to the tests"],
  ],
  async run(host, given) {
    if (given.positionals.length === 0) {
      return refuse(host, [
        problem("arguments-count", "no task was named", {
          next: "kahn run build, for example; kahn ls shows all tasks.",
        }),
      ]);
    }
    const options = readRunOptions(given);
    if (!options.ok) return refuse(host, [options.problem]);
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    const planned = await planRequest(session.value, options.value);
    if (!planned.ok) return refuse(host, planned.problem);
    if (options.value.graph !== undefined) {
      const { printGraph } = await import("./run-graph-view.ts");
      return printGraph(session.value, planned.value, options.value.graph);
    }
    if (options.value.dry) {
      const { printForecast } = await import("./run-dry.ts");
      return printForecast(session.value, planned.value, options.value);
    }
    const outcome = await performRun(session.value, planned.value, runRequestOf(session.value, options.value));
    if (!outcome.ok) return refuse(host, outcome.problem);
    switch (outcome.value.status) {
      case "succeeded":
        return EXIT.done;
      case "cancelled":
        return EXIT.cancelled;
      case "failed":
      case "errored":
        return EXIT.failed;
    }
  },
};
