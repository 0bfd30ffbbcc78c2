/** `kahn run`: runs tasks. */
import { err, ok, type Problem, ProblemError, problem, type Result, type RunStatus } from "@kahn/core";
import { JsonReporter } from "@kahn/report";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import type { Host } from "../cli/host.ts";
import { performRun } from "../session/run/perform.ts";
import { planRequest } from "../session/run/plan.ts";
import { openSession } from "../session/workspace-session.ts";
import { RUN_OPTIONS, type RunOptions, readRunOptions } from "./run/options.ts";
import { runRequestOf } from "./run/view.ts";

/** The command. */
export const run: Command = {
  usage: "run TASK… [OPTIONS] [-- ARGS]",
  positionalsMin: 0,
  positionalsMax: Number.POSITIVE_INFINITY,
  rest: true,
  options: RUN_OPTIONS,
  description: `
Runs each TASK in every project that has it, and before it everything it depends on. A task that kahn.jsonc (or a
turbo.json) lets be cached, and whose inputs, command, environment, tools and dependencies are what they were, is not
run again: its files and its output come back from the cache. All others run each time.

TASK is a script of package.json or a task of kahn.jsonc ("build"), one project's ("web#build") or one of the
workspace root ("//#build"). In a project's folder, a bare TASK means that project. ARGS go to the tasks that are named
here, and not to those they depend on. Ctrl-C ends what runs; once more kills it.`,
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
    const done = await attempt(host, options.value);
    if (done.ok) return done.value;
    if (options.value.json) new JsonReporter(host.stdout).refused(done.problem);
    return refuse(host, done.problem);
  },
};

/** @returns the exit code, or why nothing was run. */
async function attempt(host: Host, options: RunOptions): Promise<Result<number, readonly Problem[]>> {
  try {
    const session = await openSession(host);
    if (!session.ok) return session;
    const planned = await planRequest(session.value, options);
    if (!planned.ok) return planned;
    if (options.graph !== undefined) {
      const { printGraph } = await import("./run/graph-view.ts");
      return ok(printGraph(session.value, planned.value, options.graph));
    }
    if (options.dry) {
      const { printForecast } = await import("./run/dry.ts");
      return await printForecast(session.value, planned.value, options);
    }
    const outcome = await performRun(session.value, planned.value, runRequestOf(session.value, options));
    return outcome.ok ? ok(exitCodeOf(outcome.value.status)) : outcome;
  } catch (cause) {
    // A cache that cannot be opened, for example.
    if (cause instanceof ProblemError) return err(cause.problems);
    throw cause;
  }
}

function exitCodeOf(status: RunStatus): number {
  switch (status) {
    case "succeeded":
      return EXIT.done;
    case "cancelled":
      return EXIT.cancelled;
    case "failed":
    case "errored":
      return EXIT.failed;
  }
}
