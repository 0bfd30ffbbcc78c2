/**
 * Turborepo's remote cache, API v8: status, artifacts, the question for many, events, and preflight.
 *
 * Note:   the tenant is the team, by `teamId`, else `slug`; it is the last part of the instance name. Tags are opaque:
 *         what a client signed it gets back, and checks itself.
 * Source: Turborepo's OpenAPI description, and turbo 1.13 and 2.11 as they behave.
 */
import type { OutgoingHttpHeaders } from "node:http";
import { digestSizeBytes } from "@kahn/core";
import type { NamedEntry } from "../../store/server-store.ts";
import { answerBlob } from "../exchange/blob-answer.ts";
import { bodyBytes, discardBody } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { answer, answerJson, isRead, onlyMethods, permitted } from "../exchange/exchange.ts";
import { HttpRefusal, MISSING } from "../exchange/http-refusal.ts";
import { parseJson } from "../exchange/json-body.ts";
import type { ValuePlace } from "../exchange/named-values.ts";
import { findIn, findValue, takeValue } from "../exchange/named-values.ts";
import type { TurborepoCall } from "../exchange/route.ts";

const PREFLIGHT: OutgoingHttpHeaders = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, HEAD, PUT, POST, OPTIONS",
  "access-control-allow-headers":
    "Authorization, Content-Type, User-Agent, x-artifact-duration, x-artifact-tag, x-artifact-sha, x-artifact-dirty-hash, x-artifact-client-ci, x-artifact-client-interactive",
  "access-control-max-age": "86400",
};

/** Facts that come with an artifact, and go back with it: name of the fact, name of the header. */
const FACTS = [
  ["duration", "x-artifact-duration"],
  ["tag", "x-artifact-tag"],
  ["sha", "x-artifact-sha"],
  ["dirtyHash", "x-artifact-dirty-hash"],
] as const;

const FACT_MAX = 600;
const HASHES_MAX = 10_000;

/** Answers a request. @throws HttpRefusal */
export async function serveTurborepo(exchange: Exchange, prefix: string, call: TurborepoCall): Promise<void> {
  if (exchange.request.method === "OPTIONS") return answer(exchange, 200, { headers: PREFLIGHT });
  const place: ValuePlace = { protocol: "turborepo", instance: teamInstance(exchange, prefix) };
  switch (call.kind) {
    case "status":
      onlyMethods(exchange, "GET", "HEAD");
      permitted(exchange, "ac.read", place.instance);
      return answerJson(exchange, { status: "enabled" });
    case "events":
      onlyMethods(exchange, "POST");
      permitted(exchange, "ac.read", place.instance);
      await discardBody(exchange, exchange.services.limits.jsonMaxBytes);
      return answer(exchange, 200);
    case "query":
      onlyMethods(exchange, "POST");
      return await answerQuery(exchange, place);
    case "artifact":
      onlyMethods(exchange, "GET", "HEAD", "PUT");
      return isRead(exchange.request)
        ? await answerArtifact(exchange, place, call.hash)
        : await takeArtifact(exchange, place, call.hash);
  }
}

async function answerArtifact(exchange: Exchange, place: ValuePlace, hash: string): Promise<void> {
  const entry = await findValue(exchange, place, hash);
  if (entry === undefined) throw MISSING;
  const headers: OutgoingHttpHeaders = {};
  for (const [fact, header] of FACTS) if (entry.facts[fact] !== undefined) headers[header] = entry.facts[fact];
  await answerBlob(exchange, entry.digest, { headers });
}

async function takeArtifact(exchange: Exchange, place: ValuePlace, hash: string): Promise<void> {
  const where = { place, scope: permitted(exchange, "ac.write", place.instance) };
  const facts: Record<string, string> = {};
  for (const [fact, header] of FACTS) {
    const value = exchange.request.headers[header];
    if (typeof value !== "string" || value === "") continue;
    // It goes out again as a header, so it must be one.
    if (value.length > FACT_MAX || !/^[\x20-\x7e]*$/.test(value)) {
      throw new HttpRefusal("malformed", `${header} is too long or not ASCII`);
    }
    facts[fact] = value;
  }
  await takeValue(exchange, where, { name: hash, facts });
  const urls = [exchange.request.url];
  answer(exchange, 202, { headers: { "content-type": "application/json" }, body: JSON.stringify({ urls }) });
}

async function answerQuery(exchange: Exchange, place: ValuePlace): Promise<void> {
  const where = { place, scope: permitted(exchange, "ac.read", place.instance) };
  const body = parseJson(await bodyBytes(exchange, exchange.services.limits.jsonMaxBytes));
  const hashes = typeof body === "object" && body !== null && "hashes" in body ? body.hashes : undefined;
  if (!Array.isArray(hashes) || hashes.length > HASHES_MAX || !hashes.every((hash) => typeof hash === "string")) {
    throw new HttpRefusal("malformed", `send {"hashes": [...]} with at most ${HASHES_MAX} texts`);
  }
  // A null prototype: "__proto__" is a text like another.
  const answers: Record<string, unknown> = Object.create(null);
  for (const hash of hashes as readonly string[]) {
    const entry = await findIn(exchange, where, hash);
    answers[hash] = entry === undefined ? null : described(entry);
  }
  answerJson(exchange, answers);
}

function described({ digest, facts }: NamedEntry): unknown {
  const { duration, tag } = facts;
  const taskDurationMs = Number(duration);
  return {
    size: digestSizeBytes(digest),
    taskDurationMs: Number.isFinite(taskDurationMs) ? taskDurationMs : 0,
    ...(tag === undefined ? {} : { tag }),
  };
}

function teamInstance({ query }: Exchange, prefix: string): string {
  if (query === "") return prefix;
  // What turbo sends, but for teams with an id.
  if (/^slug=[\w-]+$/.test(query)) return joined(prefix, query.slice(5));
  const parameters = new URLSearchParams(query);
  const team = parameters.get("teamId") || parameters.get("slug") || parameters.get("team") || "";
  if (team === "") return prefix;
  if (team.includes("/")) throw new HttpRefusal("malformed", "a team has no slash in its name");
  return joined(prefix, team);
}

function joined(prefix: string, team: string): string {
  return prefix === "" ? team : `${prefix}/${team}`;
}
