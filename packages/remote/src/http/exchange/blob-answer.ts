/**
 * Answers that are a blob: whole or a range of it, as it is or packed with zstd, only its head, or only that it has not
 * changed.
 *
 * Invariant: read at the pace of the client, a piece at a time; an answer that cannot be finished is cut off, so that
 *            nobody takes it for whole.
 */
import type { OutgoingHttpHeaders } from "node:http";
import type { Digest } from "@kahn/core";
import { digestHash, digestSizeBytes } from "@kahn/core";
import { BlobPieces } from "../../reapi/streams/blob-pieces.ts";
import type { ByteRange } from "./byte-range.ts";
import { parseRange } from "./byte-range.ts";
import type { Exchange } from "./exchange.ts";
import { answer } from "./exchange.ts";
import { ClientGone, HttpRefusal, stored } from "./http-refusal.ts";

/** Smaller blobs are read, verified and sent in one go; the store verifies larger ones now and then as they go by. */
const WHOLE_BYTES = 64 << 10;
/** Smaller ones are not worth packing. */
const PACKED_MIN_BYTES = 1024;

/** How a blob is sent. */
export interface BlobAnswer {
  readonly type?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Packs it for clients that like it; not for protocols whose values are packed already. */
  readonly mayPack?: boolean;
  /** Where a client may ask for a range by another name. */
  readonly range?: string | undefined;
}

/** Sends a blob. @throws HttpRefusal `missing` when it is gone. */
export async function answerBlob(exchange: Exchange, digest: Digest, options: BlobAnswer = {}): Promise<void> {
  const { request } = exchange;
  const { headers: asked } = request;
  const sizeBytes = digestSizeBytes(digest);
  const { mayPack = false, range: header = asked.range } = options;
  const hash = digestHash(digest);
  const ranged = asked["if-range"] === undefined || asked["if-range"] === `"${hash}"` ? header : undefined;
  const range = request.method === "GET" ? parseRange(ranged, sizeBytes) : parseRange(undefined, sizeBytes);
  const isPacked = mayPack && range.kind === "all" && isPackable(exchange, sizeBytes);
  const etag = isPacked ? `"${hash}-zstd"` : `"${hash}"`;
  const headers: OutgoingHttpHeaders = {
    "content-type": options.type ?? "application/octet-stream",
    etag,
    "accept-ranges": "bytes",
    ...(mayPack ? { vary: "accept-encoding" } : {}),
    ...options.headers,
  };
  if (matches(asked["if-none-match"], hash)) return unchanged(exchange, headers);
  if (range.kind === "impossible") {
    const message = `the range ${header} is not in ${sizeBytes} bytes`;
    throw new HttpRefusal("range-impossible", message, { "content-range": `bytes */${sizeBytes}` });
  }
  if (isPacked) headers["content-encoding"] = "zstd";
  if (request.method === "HEAD") return head(exchange, headers, isPacked ? undefined : sizeBytes);
  if (sizeBytes <= WHOLE_BYTES && range.kind === "all") return await sendWhole(exchange, digest, headers);
  await sendPieces(exchange, digest, { headers, range, isPacked });
}

function unchanged({ response }: Exchange, headers: OutgoingHttpHeaders): void {
  response.writeHead(304, headers).end();
}

function head({ response }: Exchange, headers: OutgoingHttpHeaders, sizeBytes: number | undefined): void {
  response.writeHead(200, sizeBytes === undefined ? headers : { ...headers, "content-length": sizeBytes }).end();
}

async function sendWhole(exchange: Exchange, digest: Digest, headers: OutgoingHttpHeaders): Promise<void> {
  const { store, zstd } = exchange.services;
  const bytes = stored(await store.blobs.read(digest));
  if (bytes === undefined) throw gone(digest);
  const isPacked = headers["content-encoding"] !== undefined && zstd !== undefined;
  answer(exchange, 200, { headers, body: isPacked ? await zstd.compress(bytes) : bytes });
}

interface Pieces {
  readonly headers: OutgoingHttpHeaders;
  readonly range: Exclude<ByteRange, { readonly kind: "impossible" }>;
  readonly isPacked: boolean;
}

async function sendPieces(exchange: Exchange, digest: Digest, pieces: Pieces): Promise<void> {
  const { store } = exchange.services;
  const reader = stored(await store.blobs.open(digest));
  if (reader === undefined) throw gone(digest);
  const { range } = pieces;
  const from = range.kind === "part" ? range.start : 0;
  const to = range.kind === "part" ? from + range.lengthBytes : reader.sizeBytes;
  const { inMemory } = reader;
  const part = range.kind === "part" ? { "content-range": `bytes ${from}-${to - 1}/${reader.sizeBytes}` } : {};
  const headers = { ...pieces.headers, ...part };
  if (inMemory !== undefined && !pieces.isPacked) {
    const status = range.kind === "part" ? 206 : 200;
    return answer(exchange, status, { headers, body: inMemory.subarray(from, to) });
  }
  const blob = new BlobPieces(reader, { from, to, buffers: exchange.services.buffers });
  try {
    await pump(exchange, blob, { ...pieces, lengthBytes: to - from, headers });
  } finally {
    await blob.close();
  }
}

async function pump(
  exchange: Exchange,
  blob: BlobPieces,
  { headers, range, isPacked, lengthBytes }: Pieces & { readonly lengthBytes: number },
): Promise<void> {
  const { response, services } = exchange;
  let leftBytes = lengthBytes;
  for (let piece = await blob.next(); piece !== undefined; piece = await blob.next()) {
    // The first piece is read before anything is said: a blob that cannot be read is then only missing.
    const bytes = stored(piece.bytes);
    if (!response.headersSent) {
      const length = isPacked ? {} : { "content-length": lengthBytes };
      response.writeHead(range.kind === "part" ? 206 : 200, { ...headers, ...length });
    }
    leftBytes -= bytes.byteLength;
    const isLast = leftBytes === 0;
    if (bytes.byteLength === 0) throw new HttpRefusal("trouble", "a blob ended before its size");
    await send(exchange, isPacked ? await services.zstd!.compress(bytes) : bytes, isLast);
    piece.done();
  }
}

/** Resolves when the bytes have left. @throws ClientGone when they cannot, or are not taken in time. */
function send({ response, services }: Exchange, bytes: Uint8Array, isLast: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (isSent: boolean) => {
      timer.cancel();
      response.off("close", onClose);
      if (isSent) resolve();
      else reject(new ClientGone("the client left before the end"));
    };
    const onClose = () => end(false);
    const timer = services.clock.setTimer(services.limits.paceMs, () => response.destroy());
    if (response.destroyed) return onClose();
    response.once("close", onClose);
    const sent = (error?: Error | null) => end(error === undefined || error === null);
    if (isLast) response.end(bytes, () => end(true));
    else response.write(bytes, sent);
  });
}

function isPackable({ request, services }: Exchange, sizeBytes: number): boolean {
  if (services.zstd === undefined || sizeBytes < PACKED_MIN_BYTES) return false;
  const accepted = request.headers["accept-encoding"];
  return (
    typeof accepted === "string" && /(?:^|,)\s*zstd\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)/i.test(accepted)
  );
}

function matches(header: string | undefined, hash: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((each) => /^(?:W\/)?"([^"]*?)(?:-zstd)?"$/.exec(each.trim())?.[1] === hash);
}

function gone(digest: Digest): HttpRefusal {
  return new HttpRefusal("missing", `${digest} is not here`);
}
