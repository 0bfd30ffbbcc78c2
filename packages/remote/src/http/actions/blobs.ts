/**
 * Blobs behind the signed addresses of GitHub Actions: sent whole or in blocks, as to Azure's storage; fetched whole or
 * in ranges.
 *
 * Source: Azure's REST description of Put Blob, Put Block, Put Block List and Get Blob.
 */
import type { OutgoingHttpHeaders } from "node:http";
import type { Digest } from "@kahn/core";
import { randomHex } from "@kahn/core";
import type { BlobReader, BlobReceiver } from "../../store/server-store.ts";
import { answerBlob } from "../exchange/blob-answer.ts";
import { bodyBytes, storeBody } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { answer, isRead, onlyMethods } from "../exchange/exchange.ts";
import { HttpRefusal, stored } from "../exchange/http-refusal.ts";
import type { ActionsState } from "./cache.ts";
import type { ActionsUpload, PartOutcome } from "./uploads.ts";

const PIECE_BYTES = 512 * 1024;

/** Answers a request. @throws HttpRefusal */
export async function serveActionsBlob(exchange: Exchange, state: ActionsState, text: string): Promise<void> {
  onlyMethods(exchange, "GET", "HEAD", "PUT");
  const query = new URLSearchParams(exchange.query);
  const grant = state.tokens.read({ text, signature: query.get("sig") ?? "" });
  if (grant === undefined) throw new HttpRefusal("forbidden", "this address is not signed by this server, or is over");
  if (isRead(exchange.request)) {
    if (grant.kind !== "download") throw new HttpRefusal("forbidden", "this address is for sending");
    const range = exchange.request.headers["x-ms-range"];
    const headers = azureHeaders(exchange);
    return await answerBlob(exchange, grant.digest, typeof range === "string" ? { headers, range } : { headers });
  }
  if (grant.kind !== "upload") throw new HttpRefusal("forbidden", "this address is for fetching");
  const upload = state.uploads.byId(grant.id);
  if (upload === undefined) throw new HttpRefusal("missing", "this upload is over");
  await take(exchange, { state, upload, query });
  answer(exchange, 201, { headers: azureHeaders(exchange) });
}

interface Taking {
  readonly state: ActionsState;
  readonly upload: ActionsUpload;
  readonly query: URLSearchParams;
}

async function take(exchange: Exchange, { state, upload, query }: Taking): Promise<void> {
  switch (query.get("comp")) {
    case null:
      return mustBeTaken(state.uploads.setWhole(upload, await storeBody(exchange)));
    case "block": {
      const name = query.get("blockid") ?? "";
      if (name === "" || name.length > 128) throw new HttpRefusal("malformed", "blockid names no block");
      return mustBeTaken(state.uploads.addBlock(upload, name, await storeBody(exchange)));
    }
    case "blocklist": {
      const list = blockNames((await bodyBytes(exchange, exchange.services.limits.jsonMaxBytes)).toString("utf8"));
      const digests = list.map((name) => upload.blocks.get(name)?.digest);
      if (digests.includes(undefined)) throw new HttpRefusal("malformed", "the list names a block that has not come");
      return mustBeTaken(state.uploads.setWhole(upload, await joined(exchange, digests as readonly Digest[])));
    }
    default:
      throw new HttpRefusal("malformed", `comp=${query.get("comp")} is not answered here`);
  }
}

function mustBeTaken(outcome: PartOutcome): void {
  if (outcome === "over") throw new HttpRefusal("missing", "this upload is over");
  if (outcome === "crowded") {
    throw new HttpRefusal("full", "unfinished uploads hold too many blocks or too much of the store; try again later");
  }
}

/** The names in a block list. It is simple enough to be read without a parser of XML: it holds base64 and nothing else. */
function blockNames(xml: string): readonly string[] {
  return Array.from(xml.matchAll(/<(Latest|Uncommitted|Committed)>([\w+/=-]{1,128})<\/\1>/g), (match) => match[2]!);
}

/** One blob of many. */
async function joined({ services }: Exchange, digests: readonly Digest[]): Promise<Digest> {
  const { blobs } = services.store;
  const whole = stored(await blobs.receive("sha256"));
  try {
    for (const digest of digests) {
      const block = stored(await blobs.open(digest));
      if (block === undefined) throw new HttpRefusal("trouble", `the block ${digest} is gone`);
      await append(whole, block).finally(() => block.close());
    }
    return stored(await whole.commit());
  } catch (error) {
    whole.abort();
    throw error;
  }
}

async function append(whole: BlobReceiver, block: BlobReader): Promise<void> {
  for (let at = 0; at < block.sizeBytes; ) {
    const piece = stored(await block.read(at, Math.min(PIECE_BYTES, block.sizeBytes - at)));
    if (piece.byteLength === 0) throw new HttpRefusal("trouble", "a block ended early");
    stored(await whole.write(piece));
    at += piece.byteLength;
  }
}

function azureHeaders({ request, services }: Exchange): OutgoingHttpHeaders {
  const version = request.headers["x-ms-version"];
  return {
    "x-ms-request-id": randomHex(services.random, 32),
    "x-ms-version": typeof version === "string" && /^[\d-]{1,20}$/.test(version) ? version : "2024-11-04",
    "x-ms-blob-type": "BlockBlob",
    "x-ms-request-server-encrypted": "false",
    "last-modified": new Date(services.clock.nowMs()).toUTCString(),
    ...(request.method === "PUT" ? { etag: `"${randomHex(services.random, 16)}"` } : {}),
  };
}
