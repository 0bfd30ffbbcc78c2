/** `kahn why`: why a task would run, or what its cached result rests on; for digests, see `action/why.ts`. */

import { type Problem, problem } from "@kahn/core";
import type { KeyRecord, NodeForecast } from "@kahn/exec";
import { durationText, missText, type Paint, painter } from "@kahn/report";
import type { OptionSpec, ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { looksLikeDigest } from "../session/action/name.ts";
import { cacheSection } from "../session/cache-limits.ts";
import { lastRanThere, type RanThere } from "../session/remote/ran-there.ts";
import { SERVER_OPTIONS, type ServerOption, serverMeant, serverOption } from "../session/remote/server-choice.ts";
import { parseCacheOption } from "../session/run/cache-choice.ts";
import { forecastRun } from "../session/run/forecast.ts";
import { planRequest } from "../session/run/plan.ts";
import { openSession, type WorkspaceSession } from "../session/workspace-session.ts";
import { forecastLine, forecastRecord } from "./run/dry.ts";
import { CACHE_OPTION, REMOTE_EXEC_OPTION, readRunOptions } from "./run/options.ts";

/** Options that say what a run would be; of an action they say nothing. */
const TASK_OPTIONS: readonly OptionSpec[] = [
  { name: "project", short: "p", value: "SELECTOR", help: "of a task: only these projects; repeatable" },
  { ...CACHE_OPTION, help: `of a task: ${CACHE_OPTION.help}` },
  { ...REMOTE_EXEC_OPTION, help: "of a task: as a run with --remote-exec would find it" },
];

/** The command. */
export const why: Command = {
  usage: "why TASK|DIGEST [DIGEST] [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 2,
  options: [
    ...TASK_OPTIONS,
    ...SERVER_OPTIONS,
    { name: "json", help: "one JSON line per task; of actions one JSON object" },
    { name: "all", help: "also show every part of the key, or every difference" },
  ],
  description: `
Compares the key that TASK has now with the keys of its last results, and names each part that differs. When a
dependency would run, it says so and why, because TASK's own key rests on what that makes. Runs nothing. A result that
only the remote cache has is named with its address; one that a server made counts for runs with --remote-exec.

With the DIGEST of an action of a server (or of the local cache) it shows what that is; with two, why the result of one
does not serve the other: command, variables, platform, outputs and every input that differs. DIGEST is
sha256:HASH/SIZE, HASH/SIZE or HASH.`,
  examples: [
    ["kahn why web#build", "one task"],
    ["kahn why test", "the task of every project"],
    ["kahn why web#build --all", "with command, inputs, variables, tools and dependencies"],
    ["kahn why DIGEST DIGEST --remote grpc://host:9092", "why two invocations share no result"],
  ],
  async run(host, given) {
    const misplaced = misplacedOption(given);
    if (misplaced !== undefined) return refuse(host, [misplaced]);
    if (given.positionals.some(looksLikeDigest)) {
      const { whyAction } = await import("./action/why.ts");
      return await whyAction(host, given);
    }
    if (given.positionals.length > 1) return refuse(host, [oneTask()]);
    const options = readRunOptions(given);
    if (!options.ok) return refuse(host, [options.problem]);
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    const planned = await planRequest(session.value, options.value);
    if (!planned.ok) return refuse(host, planned.problem);
    const { cache, force, remoteExec } = options.value;
    const { provider } = planned.value;
    const named = serverOption(given);
    const explained = await forecastRun(session.value, { provider, cache, force, remoteExec, named });
    if (!explained.ok) return refuse(host, explained.problem);
    const byLabel = new Map(explained.value.map((each) => [each.planned.label, each]));
    const asked = planned.value.requested.map((label) => byLabel.get(label)!);
    if (given.has("json")) {
      for (const forecast of asked) {
        const ran = ranThere(session.value, forecast, named);
        host.stdout.write(`${JSON.stringify({ ...forecastRecord(forecast), ran })}\n`);
      }
      return EXIT.done;
    }
    const paint = painter(host.stdout.colour);
    for (const forecast of asked) {
      host.stdout.write(explanation(forecast, byLabel, paint));
      const there = ranThere(session.value, forecast, named);
      if (there !== undefined) {
        host.stdout.write(paint(`    last run by a server: ${there.where}, action ${there.action}\n`, "dim"));
      }
      if (given.has("all")) host.stdout.write(keyText(keyOf(forecast), paint));
    }
    return EXIT.done;
  },
};

/** An option that says nothing about what was asked. */
function misplacedOption(given: ParsedArguments): Problem<"option-value"> | undefined {
  const isAction = given.positionals.some(looksLikeDigest);
  const misplaced = isAction ? TASK_OPTIONS.find(({ name }) => given.has(name)) : undefined;
  if (misplaced !== undefined) {
    const next = "Leave it out, or ask about a task.";
    return problem("option-value", `--${misplaced.name} is about tasks, and not about actions`, { next });
  }
  const cache = parseCacheOption(given.value("cache") ?? "");
  if (isAction || !given.has("remote") || !cache.ok || cache.value.remote !== "off") return undefined;
  const next = "Leave one of them out.";
  return problem("option-value", "--remote names a server, and --cache keeps it from being asked", { next });
}

/** When a server last ran it; not sought where none is named. */
function ranThere(
  { model, journals, host }: WorkspaceSession,
  { planned }: NodeForecast,
  option: ServerOption,
): RanThere | undefined {
  if (serverMeant({ config: cacheSection(model), env: host.env, option }) === undefined) return undefined;
  return lastRanThere(journals, (label) => label === planned.label);
}

function oneTask(): Problem<"arguments-count"> {
  const next = "Ask about each by itself; two digests of actions are compared.";
  return problem("arguments-count", "kahn why takes one task", { next });
}

function explanation(forecast: NodeForecast, byLabel: ReadonlyMap<string, NodeForecast>, paint: Paint): string {
  const lines = [forecastLine(forecast, paint)];
  if (forecast.kind === "run")
    for (const reason of forecast.reasons.slice(1)) lines.push(`    also: ${missText(reason)}`);
  if (forecast.kind === "hit") {
    const { executionStartedAtMs: from, executionCompletedAtMs: to } = forecast.result.metadata;
    if (from !== undefined && to !== undefined) {
      lines.push(paint(`    made ${new Date(to).toISOString()} in ${durationText(to - from)}`, "dim"));
    }
  }
  if (forecast.kind === "open") {
    for (const label of forecast.below) {
      const below = byLabel.get(label);
      if (below?.kind !== "run") continue;
      lines.push(`    ${label} would run: ${below.reasons.map(missText).join("; ")}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function keyOf(forecast: NodeForecast): KeyRecord | undefined {
  if (forecast.kind === "hit") return forecast.key;
  return forecast.kind === "run" ? forecast.keyed?.key : undefined;
}

function keyText(key: KeyRecord | undefined, paint: Paint): string {
  if (key === undefined) return "";
  const lines: string[] = [];
  const section = (name: string, items: readonly string[]) => {
    for (const [index, item] of items.entries()) {
      lines.push(`    ${paint((index === 0 ? name : "").padEnd(13), "dim")}${item}`);
    }
  };
  const short = (text: string) => text.replace(/^sha256:/, "").slice(0, 12);
  section("command", [[...key.arguments, ...key.passedArguments].join(" ")]);
  section("directory", [key.directory === "" ? "." : key.directory]);
  section(
    "env",
    key.env.map(([name, value]) => `${name}=${value ?? "(absent)"}`),
  );
  section(
    "inputs",
    key.inputs.map(([path, content]) => `${short(content)} ${path}`),
  );
  section(
    "dependencies",
    key.dependencies.map(([label, closure]) => `${short(closure)} ${label}`),
  );
  section("outputs", key.outputGlobs);
  section(
    "external",
    key.external.map(([name, digest]) => `${short(digest)} ${name}`),
  );
  section(
    "tools",
    key.tools.map(([name, digest]) => `${short(digest)} ${name}`),
  );
  section("platform", [key.platform]);
  if (key.server !== undefined) section("run by", [key.server]);
  return `${lines.join("\n")}\n`;
}
