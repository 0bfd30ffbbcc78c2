/** Findings as a person reads them: under the package that can mend them, each with its remedy. */
import type { Finding } from "./rule.ts";

/** Sorted by package, file and line. */
export function render(findings: readonly (Finding & { readonly rule: string })[]): string {
  const lines: string[] = [];
  let group: string | undefined;
  for (const finding of [...findings].sort(byPlace)) {
    const own = groupOf(finding.path);
    if (own !== group) lines.push("", own);
    group = own;
    const place = finding.line === undefined ? finding.path : `${finding.path}:${finding.line}`;
    lines.push(`  ${place}  [${finding.rule}] ${finding.message}`, `      ${finding.instead}`);
  }
  return lines.join("\n").trimStart();
}

function groupOf(path: string): string {
  return /^packages\/[^/]+/.exec(path)?.[0] ?? (path.includes("/") ? path.split("/")[0]! : "repository");
}

function byPlace(a: Finding, b: Finding): number {
  const order = (finding: Finding): string => `${groupOf(finding.path)} ${finding.path}`;
  if (order(a) !== order(b)) return order(a) < order(b) ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0);
}
