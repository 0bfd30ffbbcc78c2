/** Miss reasons as sentences. */
import type { MissReason } from "@kahn/core";

/** One reason without a full stop, for example `src/index.ts changed`. */
export function missText({ code, name, detail }: MissReason): string {
  const what = name ?? "";
  const more = detail === undefined ? "" : ` (${detail})`;
  switch (code) {
    case "first-run":
      return "it has not succeeded before";
    case "not-cacheable":
      return `it is not cached${detail === undefined ? "" : `: ${detail}`}`;
    case "forced":
      return `the cache was not asked (${detail ?? "--force"})`;
    case "input-changed":
      return `input ${what} changed${more}`;
    case "input-added":
      return `${what} is a new input`;
    case "input-removed":
      return `${what} is no longer an input`;
    case "command-changed":
      return `its command changed${more}`;
    case "arguments-changed":
      return `its arguments changed${more}`;
    case "env-changed":
      return `variable ${what} changed${more}`;
    case "env-list-changed":
      return `variable ${what} was ${detail ?? "added"} in its env list`;
    case "dependency-changed":
      return detail === undefined ? `the output of ${what} changed` : `dependency ${what} was ${detail}`;
    case "external-changed":
      return detail === undefined ? `${what} changed` : `${what}: ${detail}`;
    case "tool-changed":
      return detail === undefined ? `tool ${what} changed` : `tool ${what} was ${detail}`;
    case "outputs-changed":
      return `its output globs changed${more}`;
    case "platform-changed":
      return `the platform changed${more}`;
    case "place-changed":
      return `where it runs changed${more}`;
    case "schema-changed":
      return "the key format of Kahn changed";
    case "entry-missing":
      return "no cache that was asked has its result";
    case "not-stored":
      return "its last result was not stored";
    case "entry-corrupt":
      return "its cached result was corrupt and was set aside";
    case "blob-missing":
      return `a cached file is gone${name === undefined ? "" : `: ${name}`}`;
    case "blob-corrupt":
      return `a cached file was corrupt and was set aside${name === undefined ? "" : `: ${name}`}`;
  }
}

/** The first reason, and how many more there are. */
export function missLine(reasons: readonly MissReason[]): string {
  const [first] = reasons;
  if (first === undefined) return "";
  return reasons.length === 1 ? missText(first) : `${missText(first)} and ${reasons.length - 1} more`;
}
