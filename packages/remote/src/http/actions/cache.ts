/**
 * The cache service v2 of GitHub Actions, as `@actions/cache` and its kin speak it: three calls of Twirp in JSON, and
 * signed addresses on this port which take blobs as Azure's storage does.
 *
 * Invariant: an entry is never replaced, and readable only after it was finalized with its true size.
 * Source:    `cache.proto` of github.com/actions/toolkit; Azure's Put Blob, Put Block and Put Block List.
 */
import { digestSizeBytes } from "@kahn/core";
import type { NamedEntry } from "../../store/server-store.ts";
import { bodyBytes } from "../exchange/body.ts";
import type { Exchange, HttpServices } from "../exchange/exchange.ts";
import { answerJson, onlyMethods, permitted } from "../exchange/exchange.ts";
import { HttpRefusal } from "../exchange/http-refusal.ts";
import { parseJsonObject } from "../exchange/json-body.ts";
import type { ScopedPlace } from "../exchange/named-values.ts";
import { findIn, namespaceOf, nameValue } from "../exchange/named-values.ts";
import { ACTIONS_BLOBS } from "../exchange/route.ts";
import { ActionsIndex } from "./key-index.ts";
import type { ActionsToken } from "./tokens.ts";
import { ActionsTokens } from "./tokens.ts";
import { ActionsUploads } from "./uploads.ts";

/** The instance of GitHub Actions: its paths have no room for one. */
export const ACTIONS_INSTANCE = "github-actions";

const PLACE = { protocol: "actions", instance: ACTIONS_INSTANCE };
const INDEX_PLACE = { protocol: "actions-index", instance: ACTIONS_INSTANCE };
const KEYS_MAX = 10;
const TEXT_MAX = 512;

/** What the service keeps in memory. */
export interface ActionsState {
  readonly tokens: ActionsTokens;
  readonly uploads: ActionsUploads;
  readonly index: ActionsIndex;
}

/** @param key signs addresses; with the same one they outlive a restart. */
export function actionsState(services: HttpServices, key: Uint8Array): ActionsState {
  return {
    tokens: new ActionsTokens(key, services.clock),
    uploads: new ActionsUploads(services),
    index: new ActionsIndex(services.store),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Answers a call. @throws HttpRefusal */
export async function serveActionsCall(exchange: Exchange, state: ActionsState, method: string): Promise<void> {
  onlyMethods(exchange, "POST");
  const call = CALLS[method];
  if (call === undefined) throw new HttpRefusal("missing", `${method} is no call of the cache service`);
  const scope = permitted(exchange, call.right, ACTIONS_INSTANCE);
  const fields = parseJsonObject(await bodyBytes(exchange, exchange.services.limits.jsonMaxBytes));
  answerJson(exchange, await call.run({ exchange, state, where: { place: PLACE, scope } }, fields));
}

interface CallContext {
  readonly exchange: Exchange;
  readonly state: ActionsState;
  readonly where: ScopedPlace;
}

interface Call {
  readonly right: "ac.read" | "ac.write";
  readonly run: (context: CallContext, fields: Fields) => Promise<unknown>;
}

const CALLS: Readonly<Record<string, Call>> = {
  __proto__: null as never,
  CreateCacheEntry: { right: "ac.write", run: createEntry },
  FinalizeCacheEntryUpload: { right: "ac.write", run: finalizeEntry },
  GetCacheEntryDownloadURL: { right: "ac.read", run: findEntry },
};

async function createEntry({ exchange, state, where }: CallContext, fields: Fields): Promise<unknown> {
  const key = textOf(fields, "key");
  const version = textOf(fields, "version");
  if ((await findIn(exchange, where, nameOf(version, key))) !== undefined) {
    return { ok: false, signed_upload_url: "", message: `there is an entry ${key} already` };
  }
  const upload = state.uploads.begin(uploadKey(where, version, key));
  if (upload === "crowded") throw new HttpRefusal("unavailable", "too many uploads are under way; try again later");
  if (upload === "taken") {
    return { ok: false, signed_upload_url: "", message: `an upload of ${key} is under way` };
  }
  return { ok: true, signed_upload_url: address(exchange, state.tokens.token({ kind: "upload", id: upload.id })) };
}

async function finalizeEntry({ exchange, state, where }: CallContext, fields: Fields): Promise<unknown> {
  const key = textOf(fields, "key");
  const version = textOf(fields, "version");
  const upload = state.uploads.byKey(uploadKey(where, version, key));
  if (upload?.whole === undefined) return { ok: false, entry_id: "0", message: `nothing was uploaded as ${key}` };
  const { digest } = upload.whole;
  const sizeBytes = Number(either(fields, "size_bytes", "sizeBytes"));
  if (sizeBytes !== digestSizeBytes(digest)) {
    state.uploads.end(upload);
    return { ok: false, entry_id: "0", message: `${sizeBytes} bytes were promised, ${digestSizeBytes(digest)} came` };
  }
  const value = { kind: "stored", digest } as const;
  const named = await nameValue(exchange, where, { name: nameOf(version, key), value, exclusive: true });
  if (named === "stored") await state.index.add({ namespace: namespaceOf(INDEX_PLACE, where.scope), version }, key);
  state.uploads.end(upload);
  // A number that fits into 53 bits; nobody asks with it.
  return { ok: named === "stored", entry_id: String(Number.parseInt(upload.id.slice(0, 12), 16)) };
}

async function findEntry(context: CallContext, fields: Fields): Promise<unknown> {
  const version = textOf(fields, "version");
  const key = textOf(fields, "key");
  const others = either(fields, "restore_keys", "restoreKeys") ?? [];
  if (!Array.isArray(others) || others.length >= KEYS_MAX || !others.every((each) => typeof each === "string")) {
    throw new HttpRefusal("malformed", `restore_keys is a list of fewer than ${KEYS_MAX} texts`);
  }
  const found =
    (await exactEntry(context, version, key)) ??
    (await entryByPrefix(context, version, [key, ...(others as string[])]));
  if (found === undefined) return { ok: false, signed_download_url: "", matched_key: "" };
  const { exchange, state } = context;
  const token = state.tokens.token({ kind: "download", digest: found.entry.digest });
  return { ok: true, signed_download_url: address(exchange, token), matched_key: found.key };
}

interface Found {
  readonly key: string;
  readonly entry: NamedEntry;
}

async function exactEntry({ exchange, where }: CallContext, version: string, key: string): Promise<Found | undefined> {
  const entry = await findIn(exchange, where, nameOf(version, key));
  return entry && { key, entry };
}

async function entryByPrefix(
  context: CallContext,
  version: string,
  prefixes: readonly string[],
): Promise<Found | undefined> {
  const { state, where } = context;
  const { instance, overlay } = where.scope;
  const layers = overlay === undefined ? [{ instance }] : [{ instance, overlay }, { instance }];
  const lists = layers.map((layer) => ({ namespace: namespaceOf(INDEX_PLACE, layer), version }));
  for (const prefix of prefixes) {
    const keys = await Promise.all(lists.map((list) => state.index.matching(list, prefix)));
    for (const key of keys.flat()) {
      const found = await exactEntry(context, version, key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function nameOf(version: string, key: string): string {
  return JSON.stringify([version, key]);
}

function uploadKey({ place, scope }: ScopedPlace, version: string, key: string): string {
  return JSON.stringify([namespaceOf(place, scope), version, key]);
}

function textOf(fields: Fields, name: string): string {
  const text = fields[name];
  if (typeof text === "string" && text !== "" && text.length <= TEXT_MAX) return text;
  throw new HttpRefusal("malformed", `${name} is not a text of 1 to ${TEXT_MAX} characters`);
}

/** Protobuf JSON has two names for a field. */
function either(fields: Fields, name: string, jsonName: string): unknown {
  return fields[name] ?? fields[jsonName];
}

/** An address on this port, as the client itself reached it. */
function address({ request, peer }: Exchange, { text, signature }: ActionsToken): string {
  const host = request.headers.host ?? (request.headers[":authority"] as string | undefined) ?? "";
  if (!/^[\w.:[\]-]{1,255}$/.test(host)) throw new HttpRefusal("malformed", "the request names no host");
  return `${peer.isEncrypted ? "https" : "http"}://${host}${ACTIONS_BLOBS}${text}?sig=${signature}`;
}
