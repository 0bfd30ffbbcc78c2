/** What the checks came to, for people, for documents and for programs. */
import { SECTIONS } from "./catalogue.ts";
import type { Check } from "./check.ts";
import type { CheckOutcome } from "./runner.ts";
import { isConformant } from "./runner.ts";

const SIGNS = { passed: "pass", failed: "FAIL", skipped: "skip" } as const;

/** How many came to what. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of the failed ones, those that bind. */
  readonly failedMust: number;
}

/** Counts. */
export function tallyOf(outcomes: readonly CheckOutcome[]): Tally {
  const count = (kind: string) => outcomes.filter(({ verdict }) => verdict.kind === kind).length;
  const failedMust = outcomes.filter(
    ({ check, verdict }) => verdict.kind === "failed" && check.level === "must",
  ).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped"), failedMust };
}

/** One line of a check, and the reason below it. */
export function outcomeText({ check, verdict }: CheckOutcome): string {
  const line = `${SIGNS[verdict.kind]}  ${check.section}  ${check.level.padEnd(8)}  ${check.name}`;
  if (verdict.kind === "passed") return `${line}\n`;
  const obligation = verdict.kind === "failed" ? `        ${check.obligation}\n` : "";
  return `${line}\n${obligation}        ${verdict.why}\n`;
}

/** The table at the end, by section. */
export function tallyText(outcomes: readonly CheckOutcome[]): string {
  const rows = sectionsOf(outcomes).map(([section, own]) => {
    const { passed, failed, skipped } = tallyOf(own);
    const numbers = [passed, failed, skipped].map((number) => `${number}`.padStart(6)).join(" ");
    return `  ${section} ${(SECTIONS[section] ?? "").padEnd(28)} ${numbers}\n`;
  });
  const { passed, failed, skipped, failedMust } = tallyOf(outcomes);
  const total = `  ${"all".padEnd(32)} ${[passed, failed, skipped].map((number) => `${number}`.padStart(6)).join(" ")}\n`;
  const verdict = isConformant(outcomes)
    ? `Every obligation that was checked is met${skipped === 0 ? "." : `; ${skipped} of ${outcomes.length} were not checked.`}`
    : `${failedMust} obligations are not met.`;
  return `\n  ${"".padEnd(32)} passed failed skipped\n${rows.join("")}${total}\n${verdict}\n`;
}

/** For documents; nothing in it differs from run to run of the same server. */
export function markdownOf(outcomes: readonly CheckOutcome[]): string {
  const parts = sectionsOf(outcomes).map(([section, own]) => {
    const rows = own.map(({ check, verdict }) => {
      const result =
        verdict.kind === "passed" ? "pass" : `${verdict.kind === "failed" ? "**fail**" : "skip"}: ${verdict.why}`;
      return `| \`${check.name}\` | ${check.level} | ${cell(check.obligation)} | ${cell(result)} |\n`;
    });
    return `### ${section} ${SECTIONS[section] ?? ""}\n\n| Check | Level | Obligation | Result |\n| --- | --- | --- | --- |\n${rows.join("")}`;
  });
  const { passed, failed, skipped } = tallyOf(outcomes);
  return `${passed} passed, ${failed} failed, ${skipped} skipped.\n\n${parts.join("\n")}`;
}

/** One line of JSON for each check, and one for the whole. */
export function jsonOf(outcomes: readonly CheckOutcome[]): string {
  const lines = outcomes.map(({ check: { name, section, level, obligation }, verdict }) => {
    const why = verdict.kind === "passed" ? {} : { why: verdict.why };
    return { kind: "check", name, section, level, obligation, result: verdict.kind, ...why };
  });
  const end = { kind: "end", conformant: isConformant(outcomes), ...tallyOf(outcomes) };
  return [...lines, end].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** For `--list`. */
export function listText(checks: readonly Check[]): string {
  return checks
    .map(({ section, level, name, obligation }) => `${section}  ${level.padEnd(8)}  ${name}\n        ${obligation}\n`)
    .join("");
}

function sectionsOf(outcomes: readonly CheckOutcome[]): readonly (readonly [string, readonly CheckOutcome[]])[] {
  const numbers = [...new Set(outcomes.map(({ check }) => check.section))];
  return numbers.map((number) => [number, outcomes.filter(({ check }) => check.section === number)]);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
