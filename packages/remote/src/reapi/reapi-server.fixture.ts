/** A server of the cache services on loopback, and a client of ours for it. */
import assert from "node:assert/strict";
import type { Clock, Digest, PieceHashers, Result } from "@kahn/core";
import { digestOf, digestSizeBytes } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import type { CallOptions, Interceptor, Status } from "../grpc/index.ts";
import { Channel, GrpcServer, methodOf, parseTarget } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { printBlobName, printUploadName } from "../names/resource-name.ts";
import { openPort } from "../port/index.ts";
import type { Init } from "../proto/codec.ts";
import { ByteStreamMethods, type WriteRequest } from "../proto/generated/bytestream.ts";
import { FetchMethods, PushMethods } from "../proto/generated/remote-asset.ts";
import {
  ActionCacheMethods,
  CapabilitiesMethods,
  ContentAddressableStorageMethods,
} from "../proto/generated/remote-execution.ts";
import { LogStreamServiceMethods } from "../proto/generated/remote-logstream.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { MemoryServerStore } from "./memory-server-store.fixture.ts";
import { memoryServerStore } from "./memory-server-store.fixture.ts";
import type { ReapiOptions, ReapiServices } from "./services.ts";
import { reapiServices } from "./services.ts";
import { STORED_ZSTD } from "./stored-zstd.fixture.ts";

const cas = ContentAddressableStorageMethods;

/** Every method, with its kind in its type. */
export const METHODS = {
  capabilities: methodOf("unary", CapabilitiesMethods.getCapabilities),
  findMissing: methodOf("unary", cas.findMissingBlobs),
  batchUpdate: methodOf("unary", cas.batchUpdateBlobs),
  batchRead: methodOf("unary", cas.batchReadBlobs),
  getTree: methodOf("server-streaming", cas.getTree),
  split: methodOf("unary", cas.splitBlob),
  splice: methodOf("unary", cas.spliceBlob),
  chunkMapping: methodOf("server-streaming", cas.getChunkMapping),
  registerMapping: methodOf("client-streaming", cas.registerChunkMapping),
  getAction: methodOf("unary", ActionCacheMethods.getActionResult),
  updateAction: methodOf("unary", ActionCacheMethods.updateActionResult),
  read: methodOf("server-streaming", ByteStreamMethods.read),
  write: methodOf("client-streaming", ByteStreamMethods.write),
  writeStatus: methodOf("unary", ByteStreamMethods.queryWriteStatus),
  createLog: methodOf("unary", LogStreamServiceMethods.createLogStream),
  fetchBlob: methodOf("unary", FetchMethods.fetchBlob),
  fetchDirectory: methodOf("unary", FetchMethods.fetchDirectory),
  pushBlob: methodOf("unary", PushMethods.pushBlob),
  pushDirectory: methodOf("unary", PushMethods.pushDirectory),
} as const;

/** A running server with its client. */
export interface ReapiServer<Store extends ServerStore = MemoryServerStore> {
  readonly store: Store;
  readonly services: ReapiServices;
  readonly channel: Channel;
  readonly target: string;
  /** What handlers threw that was no status: to be empty. */
  readonly faults: unknown[];
  /** Calls that are open there. */
  calls(): number;
  close(): Promise<void>;
}

/** What a test may want otherwise. */
export interface ReapiServerOptions extends Partial<Omit<ReapiOptions, "store" | "zstd">> {
  readonly store?: MemoryServerStore;
  readonly interceptors?: readonly Interceptor[];
  readonly memory?: Pick<PieceHashers, "lend" | "takeBack">;
  /** Default: frames without compression. */
  readonly zstd?: ReapiOptions["zstd"] | "none";
}

/** Starts one. */
export async function startReapi(options: ReapiServerOptions = {}): Promise<ReapiServer> {
  return await startReapiOn(options.store ?? memoryServerStore(), options);
}

/** Starts one on any store. */
export async function startReapiOn<Store extends ServerStore>(
  store: Store,
  options: Omit<ReapiServerOptions, "store">,
): Promise<ReapiServer<Store>> {
  const { interceptors = [], zstd = STORED_ZSTD, memory, ...rest } = options;
  const transportClock: Clock = nodeClock();
  const faults: unknown[] = [];
  const services = reapiServices({
    clock: transportClock,
    random: nodeRandom(),
    ...rest,
    store,
    ...(zstd === "none" ? {} : { zstd }),
  });
  const grpc = new GrpcServer({
    services: services.services,
    clock: transportClock,
    interceptors,
    memory,
    onFault: (error) => void faults.push(error),
  });
  const port = await openPort({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    clock: transportClock,
    onStream: (stream, headers, peer) => grpc.accept(stream, headers, peer),
    onFault: (error) => void faults.push(error),
  });
  assert.ok(port.ok && port.value.address.kind === "tcp");
  const target = `127.0.0.1:${port.value.address.port}`;
  const parsed = parseTarget(`grpc://${target}`);
  assert.ok(parsed.ok);
  const channel = new Channel({ target: parsed.value, clock: transportClock, random: nodeRandom() });
  return {
    store,
    services,
    channel,
    target,
    faults,
    calls: () => grpc.counts().calls,
    close: async () => {
      channel.close();
      services.close();
      grpc.close();
      await port.value.close();
    },
  };
}

/** The answer, which must be one. */
export function answered<T>(result: Result<T, Status>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

/** The code of a call that must fail. */
export function codeOf(result: Result<unknown, Status>): number {
  return result.ok ? 0 : result.problem.code;
}

/** A blob and how it is called. */
export interface TestBlob {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly message: { readonly hash: string; readonly sizeBytes: number };
}

/** A blob of this text or these bytes. */
export function blobOf(content: string | Uint8Array): TestBlob {
  const bytes = Buffer.from(content as string);
  const digest = digestOf(bytes);
  return { bytes, digest, message: digestMessage(digest) };
}

/** Bytes that look random and are not: the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Puts blobs into a store. */
export async function put(store: MemoryServerStore, ...blobs: readonly TestBlob[]): Promise<void> {
  for (const { digest, bytes } of blobs) assert.ok((await store.blobs.write(digest, bytes)).ok);
}

/** All bytes of a `Read`, and how it ended. */
export async function readAll(
  { channel }: Pick<ReapiServer, "channel">,
  request: { readonly resourceName: string; readonly readOffset?: number; readonly readLimit?: number },
  options: CallOptions = {},
): Promise<{ readonly code: number; readonly bytes: Buffer; readonly messages: number }> {
  const call = channel.read(METHODS.read, request, options);
  const parts: Uint8Array[] = [];
  try {
    for await (const { data } of call.messages) parts.push(Buffer.from(data));
  } catch {
    // The status tells.
  }
  return { code: (await call.status).code, bytes: Buffer.concat(parts), messages: parts.length };
}

/** How to write. */
export interface WritePlan {
  readonly resourceName: string;
  /** Default: 0. */
  readonly offset?: number;
  /** Bytes of a message; default: 64 KiB. */
  readonly pieceBytes?: number;
  /** Default: true. */
  readonly finish?: boolean;
}

/** Uploads bytes. */
export async function writeAll(
  { channel }: Pick<ReapiServer, "channel">,
  bytes: Uint8Array,
  plan: WritePlan,
): Promise<Result<{ readonly committedSize: number }, Status>> {
  const { resourceName, offset = 0, pieceBytes = 64 << 10, finish = true } = plan;
  const call = channel.call(METHODS.write);
  let at = 0;
  do {
    const data = bytes.subarray(at, at + pieceBytes);
    const message: Init<WriteRequest> = { data, writeOffset: offset + at };
    at += data.length;
    await call.send({
      ...message,
      ...(at === data.length ? { resourceName } : {}),
      finishWrite: finish && at >= bytes.length,
    });
  } while (at < bytes.length);
  call.end();
  return await call.answer();
}

/** Names of a blob. */
export const readName = (digest: Digest, compressor: "identity" | "zstd" = "identity", instance = "") =>
  printBlobName({ instance, digest, compressor });
export const writeName = (
  digest: Digest,
  upload: string,
  compressor: "identity" | "zstd" = "identity",
  instance = "",
) => printUploadName({ instance, digest, compressor, upload, metadata: "" });

/** Sizes of blobs of a store, by digest: to see that nothing came in. */
export function contentsOf(store: MemoryServerStore): string[] {
  return [...store.blobsByDigest.keys()].map((digest) => `${digest} ${digestSizeBytes(digest)}`).sort();
}
