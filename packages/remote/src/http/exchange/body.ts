/**
 * Bodies of requests: read at the pace of the store, bounded, and long ones stored without ever being held as a whole.
 *
 * Invariant: a body that ends early, is too slow, too long or not what it was said to be leaves nothing behind. What is in
 *            memory for a request is one chunk, and what is counted by its `HeldBytes`: of a blob up to `GATHERED_BYTES`, of
 *            a body at `/ac/` up to `actionResultMaxBytes`, of JSON up to `jsonMaxBytes`.
 */
import type { IncomingMessage } from "node:http";
import type { Digest, DigestFunction, Result, Timer } from "@kahn/core";
import { digestOfParts } from "@kahn/core";
import type { ZstdProblem } from "../../reapi/wire/zstd-port.ts";
import type { ServerStoreProblem } from "../../store/server-store.ts";
import type { Exchange } from "./exchange.ts";
import { ClientGone, HttpRefusal, stored } from "./http-refusal.ts";

/** Shorter bodies are stored in one call. */
export const GATHERED_BYTES = 128 * 1024;

/** What a body is said to be. */
export interface ExpectedBlob {
  readonly fn: DigestFunction;
  readonly hash: string;
}

/** Takes bytes; what it answers is waited for before more are read. */
export type BodyReader = (chunk: Buffer) => Promise<void> | undefined;

/** The length that the client announced; `undefined` for a chunked body. */
export function announcedLength(request: IncomingMessage): number | undefined {
  const text = request.headers["content-length"];
  if (text === undefined) return undefined;
  // Over HTTP/1.1 Node has refused all others; over HTTP/2 nobody has.
  if (!/^\d{1,15}$/.test(text)) throw new HttpRefusal("malformed", "content-length is no number");
  return Number(text);
}

/** Reads a body to its end, as it was sent. @throws HttpRefusal when it is too slow, ClientGone when it breaks off. */
export function readBody(exchange: Exchange, take: BodyReader): Promise<void> {
  const { request, services } = exchange;
  const { clock, limits, received } = services;
  return new Promise((resolve, reject) => {
    let timer: Timer;
    let windowBytes = 0;
    let taking: Promise<void> | undefined;
    const end = (finish: () => void) => {
      timer.cancel();
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      finish();
    };
    const fail = (error: unknown) => end(() => reject(error));
    const onData = (chunk: Buffer) => {
      windowBytes += chunk.length;
      received(request, chunk.length);
      try {
        taking = take(chunk);
      } catch (error) {
        return fail(error);
      }
      if (taking === undefined) return;
      request.pause();
      taking.then(() => {
        taking = undefined;
        request.resume();
      }, fail);
    };
    const onEnd = () => end(resolve);
    const onClose = () => fail(new ClientGone("the body broke off"));
    const watch = () => {
      timer = clock.setTimer(limits.paceMs, () => {
        // Not the client's fault while the store is busy.
        if (taking === undefined && windowBytes < limits.paceMinBytes) {
          return fail(new HttpRefusal("slow", `less than ${limits.paceMinBytes} bytes came in ${limits.paceMs} ms`));
        }
        windowBytes = 0;
        watch();
      });
    };
    watch();
    if (request.destroyed && !request.readableEnded) return onClose();
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

/** The whole body, for small ones. @throws HttpRefusal `too-large` */
export async function bodyBytes(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  const announced = announcedLength(exchange.request);
  if (announced !== undefined && announced > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  const body = decoded(exchange, maxBytes, (chunk) => {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    exchange.held.take(chunk.length);
    chunks.push(chunk);
    return undefined;
  });
  try {
    await readBody(exchange, body.take);
    await body.end();
  } finally {
    body.close();
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Reads a body that nobody needs, as it was sent, and keeps nothing of it. @throws HttpRefusal `too-large` */
export async function discardBody(exchange: Exchange, maxBytes: number): Promise<void> {
  let size = 0;
  await readBody(exchange, (chunk) => {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    return undefined;
  });
}

/** A body that has been read: all of it, or stored because it was longer. */
export type GatheredBody =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "stored"; readonly digest: Digest };

/**
 * Reads a body; stores it when it is longer than `gatherBytes`.
 *
 * @param expected what it must be: only a body that is stored here is checked against it.
 * @throws HttpRefusal
 */
export async function gatherBody(
  exchange: Exchange,
  gatherBytes: number,
  expected?: ExpectedBlob,
): Promise<GatheredBody> {
  const { blobs } = exchange.services.store;
  const isEncoded = encodingOf(exchange.request) !== "identity";
  const announced = isEncoded ? undefined : announcedLength(exchange.request);
  if (announced !== undefined && announced > blobs.maxBlobBytes) throw tooLarge(blobs.maxBlobBytes);
  const sink = new StoringSink(exchange, { gatherBytes, expected, announced });
  const body = decoded(exchange, blobs.maxBlobBytes, (chunk) => sink.take(chunk));
  try {
    await readBody(exchange, body.take);
    await body.end();
    return await sink.end();
  } catch (error) {
    sink.abort();
    throw error;
  } finally {
    body.close();
  }
}

/** Stores a body. @returns its digest, by SHA-256 unless something else is expected. @throws HttpRefusal */
export async function storeBody(exchange: Exchange, expected?: ExpectedBlob): Promise<Digest> {
  const body = await gatherBody(exchange, GATHERED_BYTES, expected);
  return body.kind === "stored" ? body.digest : await storeBytes(exchange, body.bytes, expected);
}

/** Stores bytes that are in memory. @throws HttpRefusal */
export async function storeBytes(exchange: Exchange, bytes: Uint8Array, expected?: ExpectedBlob): Promise<Digest> {
  const { blobs } = exchange.services.store;
  if (expected === undefined) return stored(await blobs.add("sha256", bytes));
  const digest = digestOfParts(expected.fn, expected.hash, bytes.byteLength);
  if (digest === undefined) throw new HttpRefusal("malformed", "that is no hash");
  // The store hashes what it is given, so a wrong promise ends here.
  stored(await blobs.write(digest, bytes));
  return digest;
}

interface Upload {
  write(bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>>;
  commit(): Promise<Digest>;
  abort(): void;
}

interface SinkOptions {
  readonly gatherBytes: number;
  readonly expected: ExpectedBlob | undefined;
  readonly announced: number | undefined;
}

/** Gathers a little; what is more goes to the store. */
class StoringSink {
  readonly #exchange: Exchange;
  readonly #options: SinkOptions;
  #gathered: Buffer[] = [];
  #size = 0;
  #upload: Upload | undefined;
  #isOver = false;

  constructor(exchange: Exchange, options: SinkOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  take(chunk: Buffer): Promise<void> | undefined {
    this.#size += chunk.length;
    const { maxBlobBytes } = this.#exchange.services.store.blobs;
    if (this.#size > maxBlobBytes) throw tooLarge(maxBlobBytes);
    if (this.#upload !== undefined) return this.#write(this.#upload, chunk);
    this.#exchange.held.take(chunk.length);
    this.#gathered.push(chunk);
    return this.#size <= this.#options.gatherBytes ? undefined : this.#spill();
  }

  async end(): Promise<GatheredBody> {
    if (this.#upload !== undefined) return { kind: "stored", digest: await this.#upload.commit() };
    return { kind: "bytes", bytes: this.#gathered.length === 1 ? this.#gathered[0]! : Buffer.concat(this.#gathered) };
  }

  abort(): void {
    this.#isOver = true;
    this.#upload?.abort();
  }

  async #spill(): Promise<void> {
    const upload = await this.#open();
    // The body broke off meanwhile.
    if (this.#isOver) return upload.abort();
    this.#upload = upload;
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const chunk of gathered) await this.#write(upload, chunk);
    this.#exchange.held.giveBack();
  }

  async #write(upload: Upload, chunk: Buffer): Promise<void> {
    stored(await upload.write(chunk));
  }

  async #open(): Promise<Upload> {
    const { blobs } = this.#exchange.services.store;
    const { expected, announced } = this.#options;
    if (expected === undefined || announced === undefined) {
      const receiver = stored(await blobs.receive(expected?.fn ?? "sha256"));
      return {
        write: (bytes) => receiver.write(bytes),
        commit: async () => stored(await receiver.commit(expected?.hash)),
        abort: () => receiver.abort(),
      };
    }
    const digest = digestOfParts(expected.fn, expected.hash, announced);
    if (digest === undefined) throw new HttpRefusal("malformed", "that is no hash");
    const writer = stored(await blobs.create(digest));
    if (writer === "present") return PRESENT(digest);
    return {
      write: (bytes) => writer.write(bytes),
      commit: async () => {
        stored(await writer.commit());
        return digest;
      },
      abort: () => writer.abort(),
    };
  }
}

/** The blob is there; the client sends it nevertheless, and is let finish. */
const PRESENT = (digest: Digest): Upload => ({
  write: async () => ({ ok: true, value: undefined }),
  commit: async () => digest,
  abort: () => undefined,
});

interface DecodedBody {
  readonly take: BodyReader;
  end(): Promise<void>;
  close(): void;
}

/** Undoes the encoding of a body. */
function decoded({ request, services }: Exchange, maxBytes: number, take: BodyReader): DecodedBody {
  const encoding = encodingOf(request);
  if (encoding === "identity") return { take, end: async () => undefined, close: () => undefined };
  if (encoding !== "zstd" || services.zstd === undefined) {
    throw new HttpRefusal("encoding-unknown", `bodies encoded as ${encoding} are not taken here; send it as it is`);
  }
  const stream = services.zstd.decompressor(maxBytes);
  const check = (result: Result<void, ZstdProblem>) => {
    if (result.ok) return;
    const kind = result.problem.code === "zstd-too-large" ? "too-large" : "malformed";
    throw new HttpRefusal(kind, result.problem.message);
  };
  return {
    // A piece is the decompressor's again afterwards, and may be gathered here.
    take: async (chunk) => check(await stream.push(chunk, async (piece) => await take(Buffer.from(piece)))),
    end: async () => check(stream.end()),
    close: () => stream.close(),
  };
}

function encodingOf({ headers }: IncomingMessage): string {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  return encoding === "" ? "identity" : encoding;
}

function tooLarge(maxBytes: number): HttpRefusal {
  return new HttpRefusal("too-large", `more than the ${maxBytes} bytes that are taken at most`);
}
