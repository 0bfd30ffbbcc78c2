/**
 * Server logs: what is known of a run that failed and stands in none of its streams.
 *
 * Owns: which logs there are: `worker` and `sandbox` (what those said), and `server` (why we could not run it, and what
 *       to do). A run that went well has none: nobody would read them.
 */
import { loadEngine } from "@kahn/cas";
import type { Digest } from "@kahn/core";
import { digestFunction, type Problem } from "@kahn/core";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import type { LogFile } from "../../proto/generated/remote-execution.ts";
import type { Pin, ServerStore } from "../../store/server-store.ts";
import type { RunOutcome } from "../actions/action-runner.ts";

/** The texts of an outcome's logs. */
export function logTexts(outcome: RunOutcome): ReadonlyMap<string, Uint8Array> {
  const texts = new Map<string, Uint8Array>();
  if (outcome.kind === "errored") texts.set("server", Buffer.from(problemLines(outcome.problem)));
  if ("log" in outcome && outcome.log !== undefined) texts.set(outcome.log.of, outcome.log.text);
  return texts;
}

/** Stores logs; one that cannot be stored is left out. @param action any digest of the client's function. */
export async function storeLogs(
  store: ServerStore,
  action: Digest,
  texts: ReadonlyMap<string, Uint8Array>,
): Promise<{ readonly logs: ReadonlyMap<string, Init<LogFile>>; readonly pin: Pin }> {
  const engine = await loadEngine(digestFunction(action));
  const digests = [...texts].map(([name, text]) => ({ name, text, digest: engine.digest(text) }));
  const pin = store.pin(digests.map(({ digest }) => digest));
  const logs = new Map<string, Init<LogFile>>();
  for (const { name, text, digest } of digests) {
    const written = await store.blobs.write(digest, text);
    if (written.ok) logs.set(name, { digest: digestMessage(digest), humanReadable: true });
  }
  return { logs, pin };
}

function problemLines({ code, message, facts = [], next }: Problem): string {
  const lines = [`${code}: ${message}`, ...facts.map(([name, value]) => `  ${name}: ${value}`)];
  return `${[...lines, ...(next === undefined ? [] : [next])].join("\n")}\n`;
}
