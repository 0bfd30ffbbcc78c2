/** `kahn why DIGEST [DIGEST]`: what an action is, or why the result of one does not serve the other. */
import type { ActionResult, Problem, Result } from "@kahn/core";
import { shownValue } from "@kahn/exec";
import {
  ACTION_PARTS,
  type ActionDifference,
  compareActions,
  countInputs,
  type InputCounts,
  type StoredAction,
} from "@kahn/remote/look";
import { countText, shellWord, sizeText } from "@kahn/report";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { EXIT, refuse } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import type { ActionPlace } from "../../session/action/place.ts";
import { actionSummary, outputLines, sideText } from "./text.ts";
import { differingLines } from "./text-difference.ts";
import { withActions } from "./with-actions.ts";

/** Differences of one part that are shown without `--all`. */
const SHOWN_MAX = 10;

/** Runs the command for digests. */
export async function whyAction(host: Host, given: ParsedArguments): Promise<number> {
  return await withActions(host, given, async ({ place, first, second }) => {
    const told = await (second === undefined
      ? tellAction(host, { place, action: first, given })
      : tellDifference(host, { place, first, second, given }));
    return told.ok ? EXIT.done : refuse(host, [told.problem]);
  });
}

interface Told {
  readonly place: ActionPlace;
  readonly given: ParsedArguments;
}

async function tellAction(
  host: Host,
  { place, action, given }: Told & { readonly action: StoredAction },
): Promise<Result<void, Problem>> {
  const inputs = await countInputs(place.blobs, action.inputRoot);
  if (!inputs.ok) return inputs;
  const result = await place.recorded(action.digest);
  const text = given.has("json")
    ? `${JSON.stringify(actionRecord(action, inputs.value, result))}\n`
    : actionText(action, inputs.value, { result, all: given.has("all") });
  host.stdout.write(text);
  return { ok: true, value: undefined };
}

function actionRecord(action: StoredAction, inputs: InputCounts, result: ActionResult | undefined) {
  const { digest, commandDigest, inputRoot, command, platform, timeoutMs, doNotCache, salt } = action;
  return {
    ...{ digest, command: commandDigest, inputRoot },
    arguments: command.arguments,
    environment: command.environment.map(({ name, value }) => ({ name, value: shownValue(name, value) })),
    workingDirectory: command.workingDirectory,
    outputs: declaredOutputs(action),
    ...{ platform, timeoutMs, doNotCache },
    salt: Buffer.from(salt).toString("hex"),
    inputs,
    result: result === undefined ? null : resultRecord(result),
  };
}

function resultRecord({ exitCode, outputFiles, outputDirectories, outputSymlinks, metadata }: ActionResult) {
  return { exitCode, outputs: [...outputFiles, ...outputDirectories, ...outputSymlinks], worker: metadata.worker };
}

function declaredOutputs({ command }: StoredAction): readonly string[] {
  const { outputPaths, outputFiles = [], outputDirectories = [] } = command;
  return outputPaths.length > 0 ? outputPaths : [...outputFiles, ...outputDirectories];
}

function actionText(
  action: StoredAction,
  inputs: InputCounts,
  { result, all }: { readonly result: ActionResult | undefined; readonly all: boolean },
): string {
  const { command, platform, timeoutMs, doNotCache, salt } = action;
  const lines = actionSummary(action);
  const section = (name: string, items: readonly string[]) => {
    const shown = all || items.length <= SHOWN_MAX ? items : [...items.slice(0, SHOWN_MAX), moreText(items.length)];
    for (const [index, item] of shown.entries()) lines.push(`${(index === 0 ? name : "").padEnd(12)}${item}`);
  };
  section(
    "env",
    command.environment.map(({ name, value }) => `${name}=${shownValue(name, value)}`),
  );
  section(
    "platform",
    platform.map(({ name, value }) => `${name}=${value}`),
  );
  section("inputs", [inputsText(inputs)]);
  section("outputs", declaredOutputs(action));
  if (timeoutMs !== undefined) section("timeout", [`${timeoutMs} ms`]);
  if (salt.byteLength > 0) section("salt", [Buffer.from(salt).toString("hex")]);
  if (doNotCache) section("caching", ["not to be cached"]);
  section("result", [result === undefined ? "none is recorded" : `exit code ${result.exitCode}`]);
  if (result !== undefined) lines.push(...outputLines(result, all ? Number.POSITIVE_INFINITY : SHOWN_MAX));
  return `${lines.join("\n")}\n`;
}

function inputsText({ files, directories, symlinks, sizeBytes, unknown }: InputCounts): string {
  const parts = [`${countText(files, "file")} (${sizeText(sizeBytes)})`];
  if (symlinks > 0) parts.push(countText(symlinks, "symlink"));
  parts.push(directories === 1 ? "1 directory" : `${directories} directories`);
  if (unknown > 0) parts.push(`and what is in ${unknown} that are not there any more`);
  return parts.join(", ");
}

async function tellDifference(
  host: Host,
  { place, first, second, given }: Told & { readonly first: StoredAction; readonly second: StoredAction },
): Promise<Result<void, Problem>> {
  const compared = await compareActions(place.blobs, first, second);
  if (!compared.ok) return compared;
  const differences = compared.value.map(withoutSecrets);
  const texts = await inputTexts(place, differences, given.has("all"));
  const reason = reasonOf(differences);
  if (given.has("json")) {
    host.stdout.write(`${JSON.stringify({ first: first.digest, second: second.digest, reason, differences })}\n`);
  } else host.stdout.write(`${[reason, ...detailLines(differences, texts, given.has("all"))].join("\n")}\n`);
  return { ok: true, value: undefined };
}

/** What differs in small texts, for the inputs that are shown. */
async function inputTexts(
  place: ActionPlace,
  differences: readonly ActionDifference[],
  all: boolean,
): Promise<ReadonlyMap<ActionDifference, readonly string[]>> {
  const inputs = differences.filter(({ part }) => part === "input");
  const shown = all ? inputs : inputs.slice(0, SHOWN_MAX);
  const texts = new Map<ActionDifference, readonly string[]>();
  for (const each of shown) texts.set(each, await differingLines(place.blobs, each));
  return texts;
}

function withoutSecrets(difference: ActionDifference): ActionDifference {
  if (difference.part !== "variable") return difference;
  const { name, first, second } = difference;
  const shown = (value: string | undefined) => (value === undefined ? undefined : shownValue(name, value));
  return { ...difference, first: shown(first), second: shown(second) };
}

/** One sentence. */
function reasonOf(differences: readonly ActionDifference[]): string {
  if (differences.length === 0) return "they are the same action, and one result serves both";
  const parts = ACTION_PARTS.flatMap((part) => {
    const own = differences.filter((each) => each.part === part);
    return own.length === 0 ? [] : [partText(part, own)];
  });
  const all = parts.length === 1 ? parts[0] : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
  return `the result of one does not serve the other: ${all}`;
}

function partText(part: ActionDifference["part"], own: readonly ActionDifference[]): string {
  const [first] = own;
  switch (part) {
    case "argument":
      return own.length === 1 ? `argument ${first!.name} differs` : `${own.length} arguments differ`;
    case "variable":
    case "input":
    case "output":
      return own.length === 1 ? `${part} ${first!.name} ${howText(first!)}` : `${own.length} ${part}s differ`;
    case "platform":
      return `the platform differs (${own.map(({ name }) => name).join(", ")})`;
    case "encoding":
      return "they say the same in other bytes (the order of variables, outputs or properties)";
    default:
      return `the ${part} differs`;
  }
}

function howText({ first, second }: ActionDifference): string {
  if (first === undefined) return "is in the second only";
  if (second === undefined) return "is in the first only";
  const [one, two] = [first.replace(/ \+x$/, ""), second.replace(/ \+x$/, "")];
  return one === two ? "differs in its executable bit" : "differs";
}

function detailLines(
  differences: readonly ActionDifference[],
  texts: ReadonlyMap<ActionDifference, readonly string[]>,
  all: boolean,
): string[] {
  return ACTION_PARTS.flatMap((part) => {
    const own = differences.filter((each) => each.part === part);
    const shown = all ? own : own.slice(0, SHOWN_MAX);
    const lines = shown.flatMap((each) => [
      `  ${part}${each.name === "" ? "" : ` ${each.name}`}: ${sidesText(each)}`,
      ...(texts.get(each) ?? []).map((line) => `      ${line}`),
    ]);
    return shown.length === own.length ? lines : [...lines, `  ${part}s: ${moreText(own.length)}`];
  });
}

function sidesText({ part, first, second }: ActionDifference): string {
  const shown = (side: string | undefined) =>
    part === "argument" && side !== undefined ? sideText(shellWord(side)) : sideText(side);
  return `${shown(first)} → ${shown(second)}`;
}

function moreText(count: number): string {
  return `… and ${count - SHOWN_MAX} more; see them with --all`;
}
