/**
 * `kahn replay`: runs an action more than once and says where the results differ.
 *
 * Invariant: what is compared was run, not taken from a cache; only the recorded result is what somebody else had run.
 */
import { type ActionResult, type BlobStore, err, ok, type Problem, problem, type Result } from "@kahn/core";
import { compareResults, type ResultDifference } from "@kahn/exec";
import { executeAction, hermeticRequestOf, type StoredAction } from "@kahn/remote/look";
import { countText, painter } from "@kahn/report";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import type { Host } from "../cli/host.ts";
import {
  type ActionBench,
  openActionBench,
  runProblem,
  tellSandbox,
  withStoredStreams,
} from "../session/action/bench.ts";
import type { ActionPlace } from "../session/action/place.ts";
import { executionRefused } from "../session/remote/client.ts";
import { SERVER_OPTIONS } from "../session/remote/server-choice.ts";
import { actionSummary, sideText } from "./action/text.ts";
import { differingLines } from "./action/text-difference.ts";
import { untilSignal, withActions } from "./action/with-actions.ts";

const TIMES_MAX = 100;

/** The command. */
export const replay: Command = {
  usage: "replay DIGEST [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [
    ...SERVER_OPTIONS,
    { name: "times", value: "N", help: `how often it is run, 2 to ${TIMES_MAX} (default: 2)` },
    { name: "remote-exec", help: "run it on the server, and not here" },
    { name: "json", help: "one JSON object" },
  ],
  description: `
Runs an action more than once with nothing but its inputs, each time in a fresh folder and without any cache, and
compares exit code, output and every file it makes. When a result is recorded, that is compared, too. Ends with 0 when
all are equal and with 1 when not, and then names each path. Small texts are shown line by line. Nothing is recorded: a
server (--remote-exec) runs a copy of the action that says so (\`do_not_cache\`).`,
  examples: [
    ["kahn replay DIGEST --remote grpc://host:9092", "twice, here"],
    ["kahn replay DIGEST --times 5", "what is seldom different takes more runs"],
    ["kahn replay DIGEST --remote-exec", "twice, on the server"],
  ],
  async run(host, given) {
    const times = timesOf(given);
    if (!times.ok) return refuse(host, [times.problem]);
    const wish = { times: times.value, there: given.has("remote-exec"), isJson: given.has("json") };
    return await withActions(host, given, async ({ place, fn, first: action }) => {
      const bench = openActionBench(host, place);
      try {
        return await untilSignal(host, (signal) => compareRuns({ host, place, bench, action, fn, signal }, wish));
      } finally {
        await bench.close();
      }
    });
  },
};

interface Replay {
  readonly host: Host;
  readonly place: ActionPlace;
  readonly bench: ActionBench;
  readonly action: StoredAction;
  readonly fn: Parameters<typeof withStoredStreams>[1];
  readonly signal: AbortSignal;
}

interface ReplayWish {
  readonly times: number;
  readonly there: boolean;
  readonly isJson: boolean;
}

/** One comparison with the first run. */
interface Comparison {
  readonly with: string;
  readonly differences: readonly ShownDifference[];
}

interface ShownDifference extends ResultDifference {
  /** Of small texts. */
  readonly lines?: readonly string[];
}

function timesOf(given: ParsedArguments): Result<number, Problem> {
  const text = given.value("times") ?? "2";
  const times = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (times >= 2 && times <= TIMES_MAX) return ok(times);
  return err(
    problem("option-value", `--times cannot be "${text}"`, { next: `Write a number from 2 to ${TIMES_MAX}.` }),
  );
}

async function compareRuns(replayed: Replay, { times, there, isJson }: ReplayWish): Promise<number> {
  const { host, place, bench, action, fn } = replayed;
  const { blobs } = bench;
  const recorded = await place.recorded(action.digest);
  const runs: ActionResult[] = [];
  if (!there) await tellSandbox(host, bench);
  for (let run = 1; run <= times; run++) {
    const result = await (there ? runThere(replayed) : runHere(replayed));
    if (!result.ok) return refuse(host, [result.problem]);
    if (result.value === "cancelled") return EXIT.cancelled;
    runs.push(await withStoredStreams(blobs, fn, result.value));
  }
  const [first, ...others] = runs as [ActionResult, ...ActionResult[]];
  const compared: [string, ActionResult][] = others.map((result, index) => [`run ${index + 2}`, result]);
  if (recorded !== undefined) compared.push(["the recorded result", await withStoredStreams(blobs, fn, recorded)]);
  const comparisons: Comparison[] = [];
  for (const [name, result] of compared) {
    const found = await compareResults(blobs, first, result);
    if (found === undefined) return refuse(host, [unreadable(name)]);
    comparisons.push({ with: name, differences: await Promise.all(found.map((each) => withLines(blobs, each))) });
  }
  const isDeterministic = comparisons.every(({ differences }) => differences.length === 0);
  const where = there ? place.client!.tier.name : "here";
  if (isJson) {
    const line = { action: action.digest, where, runs: times, exitCode: first.exitCode, isDeterministic, comparisons };
    host.stdout.write(`${JSON.stringify(line)}\n`);
  } else host.stdout.write(comparisonText(host, { action, where, times, comparisons }));
  return isDeterministic ? EXIT.done : EXIT.failed;
}

async function runHere({ bench, action, signal }: Replay): Promise<Result<ActionResult | "cancelled", Problem>> {
  const outcome = await bench.runner().run(hermeticRequestOf(action), {}, signal);
  if (outcome.kind === "completed") return ok(outcome.result);
  return outcome.kind === "cancelled" ? ok("cancelled") : err(runProblem(action.digest, outcome));
}

async function runThere({ place, action, signal }: Replay): Promise<Result<ActionResult | "cancelled", Problem>> {
  const { client } = place;
  if (client === undefined) {
    const next = "Name the server with --remote.";
    return err(problem("remote-unset", "--remote-exec needs a server, and none is named", { next }));
  }
  const refused = await executionRefused(client, "Leave --remote-exec out");
  if (refused !== undefined) return err(refused);
  const { digest } = action;
  const execution = { digest, result: "apart", onOutput: () => {}, signal } as const;
  const ended = await executeAction(client.server!, { from: place.blobs, to: client.tier.blobs }, execution);
  if (!ended.ok) return ended;
  switch (ended.value.kind) {
    case "completed":
      return ok(ended.value.result);
    case "cancelled":
      return ok("cancelled");
    case "timed-out":
      return err(
        problem("action-timed-out", `${digest} did not end within its timeout`, {
          next: "Find out what it waits for.",
        }),
      );
  }
}

function unreadable(name: string): Problem<"action-incomplete"> {
  return problem("action-incomplete", `the outputs of ${name} cannot be read any more`, {
    next: "Run it again with `kahn exec`, which makes them anew.",
  });
}

/** Adds what differs in small texts. */
async function withLines(blobs: BlobStore, difference: ResultDifference): Promise<ShownDifference> {
  const lines = await differingLines(blobs, difference);
  return lines.length === 0 ? difference : { ...difference, lines };
}

interface ComparisonFacts {
  readonly action: StoredAction;
  readonly where: string;
  readonly times: number;
  readonly comparisons: readonly Comparison[];
}

function comparisonText(host: Host, { action, where, times, comparisons }: ComparisonFacts): string {
  const paint = painter(host.stdout.colour);
  const lines = [...actionSummary(action), `runs        ${times}, ${where}`];
  for (const { with: name, differences } of comparisons) {
    if (differences.length === 0) {
      lines.push(`run 1 and ${name} are equal`);
      continue;
    }
    lines.push(`run 1 and ${name} differ in ${countText(differences.length, "place")}:`);
    for (const { what, first, second, lines: texts = [] } of differences) {
      lines.push(`  ${what}: ${sideText(first)} → ${sideText(second)}`);
      for (const line of texts) lines.push(paint(`      ${line}`, "dim"));
    }
  }
  return `${lines.join("\n")}\n`;
}
