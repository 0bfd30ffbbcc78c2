/** How actions and their results are shown. */
import { type ActionResult, type Digest, digestHash, digestSizeBytes, parseDigest } from "@kahn/core";
import type { StoredAction } from "@kahn/remote/look";
import { shellWord, sizeText } from "@kahn/report";

/** What an action runs, a line each. */
export function actionSummary({ digest, command }: StoredAction): string[] {
  return [
    `action      ${digest}`,
    `command     ${command.arguments.map(shellWord).join(" ")}`,
    `directory   ${command.workingDirectory === "" ? "." : command.workingDirectory}`,
  ];
}

/** The outputs of a result, a line each; those beyond the first few are counted. */
export function outputLines(result: ActionResult, linesMax = 20): string[] {
  const lines = [
    ...result.outputFiles.map(({ path, digest, executable }) => {
      return `  ${path}  ${shortDigest(digest)}${executable ? ", executable" : ""}`;
    }),
    ...result.outputDirectories.map(({ path, tree }) => `  ${path}/  tree ${shortDigest(tree)}`),
    ...result.outputSymlinks.map(({ path, target }) => `  ${path} -> ${target}`),
  ];
  if (lines.length <= linesMax) return lines;
  return [...lines.slice(0, linesMax), `  and ${lines.length - linesMax} more`];
}

/** The first digits, and the size. */
export function shortDigest(digest: Digest): string {
  return `${digestHash(digest).slice(0, 12)} (${sizeText(digestSizeBytes(digest))})`;
}

/** A side of a difference: digests in it are shortened, long values cut. */
export function sideText(side: string | undefined): string {
  if (side === undefined) return "(none)";
  const [first = "", ...rest] = side.split(" ");
  const digest = parseDigest(first);
  if (digest.ok) return [shortDigest(digest.value), ...rest].join(" ");
  return side.length > 200 ? `${side.slice(0, 200)}…` : side;
}
