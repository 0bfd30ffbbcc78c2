/**
 * Bazel's HTTP cache, `/ac/` and `/cas/`: also what moon speaks (action results in JSON), and ccache (anything).
 *
 * Note:      an action is known here by its hash alone, so results that came over HTTP are kept under that hash and size
 *            0; one that came over gRPC is found as well when its Action is in the store.
 * Invariant: what is below `/cas/` has the hash that it is asked by. What is below `/ac/` is given back as it came: an
 *            action result is complete besides, other bodies are kept apart and mean nothing.
 */
import type { DigestFunction } from "@kahn/core";
import { digestOfParts } from "@kahn/core";
import type { ActionScope, StoredResult } from "../../store/server-store.ts";
import { answerBlob } from "../exchange/blob-answer.ts";
import { bodyBytes, gatherBody, storeBody } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { answer, answerJson, isRead, onlyMethods, permitted } from "../exchange/exchange.ts";
import { HttpRefusal, MISSING, stored } from "../exchange/http-refusal.ts";
import { parseJsonObject } from "../exchange/json-body.ts";
import type { ScopedPlace } from "../exchange/named-values.ts";
import { findIn, namespaceOf, nameValue } from "../exchange/named-values.ts";
import { actionResultFromJson, actionResultToJson } from "./action-result-json.ts";
import { binaryKind, refuseUnfit } from "./action-result-kind.ts";

/** What a path below `/ac/` or `/cas/` names. */
export interface HashedName {
  readonly instance: string;
  readonly fn: DigestFunction;
  readonly hash: string;
}

/** Answers a request below `/cas/`. @throws HttpRefusal */
export async function serveBlob(exchange: Exchange, { instance, fn, hash }: HashedName): Promise<void> {
  onlyMethods(exchange, "GET", "HEAD", "PUT");
  if (!isRead(exchange.request)) {
    permitted(exchange, "cas.write", instance);
    await storeBody(exchange, { fn, hash });
    return answer(exchange, 200);
  }
  permitted(exchange, "cas.read", instance);
  const digest = stored(await exchange.services.store.blobs.find(fn, hash));
  if (digest === undefined) throw MISSING;
  await answerBlob(exchange, digest, { mayPack: true });
}

/** Answers a request below `/ac/`. @throws HttpRefusal */
export async function serveActionResult(exchange: Exchange, name: HashedName): Promise<void> {
  onlyMethods(exchange, "GET", "HEAD", "PUT");
  if (isRead(exchange.request)) await answerActionResult(exchange, name);
  else await takeActionResult(exchange, name);
}

async function answerActionResult(exchange: Exchange, name: HashedName): Promise<void> {
  const scope = permitted(exchange, "ac.read", name.instance);
  const { actions } = exchange.services.store;
  const kept = stored(await actions.get(scope, keyOf(name)));
  if (kept !== undefined) return sendResult(exchange, kept);
  const opaque = await findIn(exchange, opaquePlace(name, scope), opaqueName(name));
  if (opaque !== undefined) return await answerBlob(exchange, opaque.digest, { mayPack: true });
  const result = await resultOfGrpc(exchange, name, scope);
  if (result === undefined) throw MISSING;
  sendResult(exchange, result);
}

async function resultOfGrpc(
  exchange: Exchange,
  { fn, hash }: HashedName,
  scope: ActionScope,
): Promise<StoredResult | undefined> {
  const { actions, blobs } = exchange.services.store;
  const action = stored(await blobs.find(fn, hash));
  return action === undefined ? undefined : stored(await actions.get(scope, action));
}

function sendResult(exchange: Exchange, { bytes }: StoredResult): void {
  const vary = { vary: "accept" };
  if (likesJson(exchange)) answerJson(exchange, actionResultToJson(bytes), vary);
  else answer(exchange, 200, { headers: { "content-type": "application/octet-stream", ...vary }, body: bytes });
}

async function takeActionResult(exchange: Exchange, name: HashedName): Promise<void> {
  const scope = permitted(exchange, "ac.write", name.instance);
  const { limits } = exchange.services;
  if (isJson(exchange)) {
    const bytes = actionResultFromJson(parseJsonObject(await bodyBytes(exchange, limits.jsonMaxBytes)));
    refuseUnfit(bytes, name.fn);
    return await keepResult(exchange, { name, scope }, bytes);
  }
  const body = await gatherBody(exchange, limits.actionResultMaxBytes);
  if (body.kind === "bytes" && binaryKind(body.bytes, name.fn) === "action-result") {
    refuseUnfit(body.bytes, name.fn);
    return await keepResult(exchange, { name, scope }, body.bytes);
  }
  await nameValue(exchange, opaquePlace(name, scope), { name: opaqueName(name), value: body });
  // What was put last counts, of whatever kind it was before.
  stored(await exchange.services.store.actions.forget(scope, keyOf(name)));
  answer(exchange, 200);
}

interface ScopedName {
  readonly name: HashedName;
  readonly scope: ActionScope;
}

async function keepResult(exchange: Exchange, { name, scope }: ScopedName, bytes: Uint8Array): Promise<void> {
  const { actions, entries } = exchange.services.store;
  stored(await actions.put(scope, keyOf(name), bytes));
  const where = opaquePlace(name, scope);
  stored(await entries.forget(namespaceOf(where.place, where.scope), opaqueName(name)));
  answer(exchange, 200);
}

function keyOf({ fn, hash }: HashedName) {
  const digest = digestOfParts(fn, hash, 0);
  if (digest === undefined) throw new HttpRefusal("malformed", `${hash} is no hash`);
  return digest;
}

function opaquePlace({ instance }: HashedName, scope: ActionScope): ScopedPlace {
  return { place: { protocol: "ac", instance }, scope };
}

function opaqueName({ fn, hash }: HashedName): string {
  return `${fn}:${hash}`;
}

function isJson({ request }: Exchange): boolean {
  return /^application\/json\b/i.test(request.headers["content-type"] ?? "");
}

function likesJson({ request }: Exchange): boolean {
  return /\bapplication\/json\b/i.test(request.headers.accept ?? "");
}
