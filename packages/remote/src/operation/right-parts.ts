/**
 * What is right of a configuration that is not, so that the rest can be looked at in the same round.
 *
 * Invariant: the outcome was read without a mistake; a part that was wrong is as if it had not been written.
 */
import type { ServerConfig } from "./server-settings.ts";
import { SERVER_SETTINGS } from "./server-settings.ts";
import type { SettingPath } from "./setting-kinds.ts";
import { isRecord } from "./setting-kinds.ts";

/** Entries, sections and the whole: each round takes away what the one before left without a part that it needs. */
const ROUNDS_MAX = 8;

/** Takes away what is wrong. @returns `undefined` where nothing can be taken away. */
export function rightParts(written: unknown): ServerConfig | undefined {
  if (!isRecord(written)) return undefined;
  const value = structuredClone(written);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const wrong: SettingPath[] = [];
    const note = (path: SettingPath) => void wrong.push(path);
    const config = SERVER_SETTINGS.read(value, [], { wrong: note, unknown: note });
    if (wrong.length === 0) return config;
    // From the end: what goes moves only entries behind it.
    for (const path of wrong.reverse()) takeAway(value, path);
  }
  return undefined;
}

/** Removes the value, or what should have it. */
function takeAway(value: Readonly<Record<string, unknown>>, path: SettingPath): void {
  let holder: unknown;
  let last: string | number | undefined;
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) break;
    holder = at;
    last = part;
    at = (at as Record<string | number, unknown>)[part];
  }
  if (last === undefined) return;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete (holder as Record<string, unknown>)[last];
}
