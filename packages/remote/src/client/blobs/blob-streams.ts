/**
 * One blob in one stream: ByteStream Read and Write, resumed where they broke.
 *
 * Owns:      what is left to transfer after a failure, and the limit on time without progress.
 * Invariant: a read goes on at the byte where the last attempt ended, also when it is compressed; a plain write goes on
 *            where the server says, a compressed one begins anew, and is sent plain when that did not help.
 */
import type { Digest, Result } from "@kahn/core";
import { digestSizeBytes, err, ok, randomHex } from "@kahn/core";
import type { ClientCall, Status } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError } from "../../grpc/index.ts";
import { printBlobName, printUploadName } from "../../names/resource-name.ts";
import {
  ByteStreamMethods,
  type ReadResponse,
  WriteRequest,
  type WriteResponse,
} from "../../proto/generated/bytestream.ts";
import type { Zstd, ZstdDecompressor } from "../../store/zstd.ts";
import { isTransient } from "../calls/call-trouble.ts";
import type { RemoteServer } from "../calls/remote-server.ts";
import type { BlobSink, BlobSource } from "./blob-ends.ts";

const READ = methodOf("server-streaming", ByteStreamMethods.read);
const QUERY = methodOf("unary", ByteStreamMethods.queryWriteStatus);
const WRITE = {
  ...methodOf("client-streaming", ByteStreamMethods.write),
  request: { encode: WriteRequest.encodeParts, decode: WriteRequest.decode },
};

/** Bytes of a message that we send: servers differ, and all take this much. */
const PIECE_BYTES = 1 << 20;
/** The same after a connection broke: what cuts connections may cut them before a larger one is through. */
const CAREFUL_PIECE_BYTES = 64 << 10;
/** Uncompressed bytes of one frame. */
const FRAME_BYTES = 256 << 10;

/** What came of a read. */
export type ReadOutcome = "done" | "missing" | "corrupt";

/** Reads a blob into a sink, which is finished or aborted afterwards. */
export async function readBlob(
  server: RemoteServer,
  { digest, sink, zstd }: { readonly digest: Digest; readonly sink: BlobSink; readonly zstd: Zstd | undefined },
): Promise<Result<ReadOutcome, Status>> {
  const resourceName = printBlobName({
    instance: server.instance,
    digest,
    compressor: zstd === undefined ? "identity" : "zstd",
  });
  const attempt = async (): Promise<Result<ReadOutcome, Status>> => {
    // A stream that broke after its last byte has nothing left to ask for.
    if (sink.receivedBytes === digestSizeBytes(digest)) return ok("done");
    const call = server.channel.read(READ, { resourceName, readOffset: sink.receivedBytes });
    return await receive(server, call, { sink, decompressor: zstd?.decompressor() });
  };
  const read = await server.attempts(attempt, { progress: () => sink.receivedBytes });
  if (read.ok && read.value === "done") return ok(sink.finish() ? "done" : "corrupt");
  sink.abort();
  if (!read.ok && read.problem.code === StatusCode.notFound) return ok("missing");
  return read;
}

async function receive(
  server: RemoteServer,
  call: ClientCall<ReadResponse, unknown>,
  { sink, decompressor }: { readonly sink: BlobSink; readonly decompressor: ZstdDecompressor | undefined },
): Promise<Result<ReadOutcome, Status>> {
  const watch = new StallWatch(server, call);
  try {
    for await (const { data } of call.messages) {
      watch.progress();
      if (!take(data, sink, decompressor)) {
        call.cancel();
        return ok("corrupt");
      }
    }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  } finally {
    watch.stop();
  }
  const status = watch.judge(await call.status);
  return status.code === StatusCode.ok ? ok("done") : err(status);
}

/** False when the bytes are not those of the blob. */
function take(data: Uint8Array, sink: BlobSink, decompressor: ZstdDecompressor | undefined): boolean {
  if (decompressor === undefined) return sink.write(data);
  for (const piece of decompressor.push(data)) {
    if (piece === "malformed" || !sink.write(piece)) return false;
  }
  return true;
}

/** A compressed upload begins anew each time, a plain one goes on: after so many attempts that is more. */
const COMPRESSED_ATTEMPTS_MAX = 2;

/** Sends a blob. The server verifies it, and answers early when it has it already. */
export async function writeBlob(
  server: RemoteServer,
  { digest, source, zstd }: { readonly digest: Digest; readonly source: BlobSource; readonly zstd: Zstd | undefined },
): Promise<Result<void, Status>> {
  const nameOf = (compressor: "identity" | "zstd") =>
    printUploadName({ instance: server.instance, upload: uploadId(server), digest, compressor, metadata: "" });
  const plainName = nameOf("identity");
  let committedBytes = 0;
  let pieceBytes = PIECE_BYTES;
  const plain = async (): Promise<Result<void, Status>> => {
    const sending = { resourceName: plainName, source, offset: committedBytes, zstd: undefined, pieceBytes };
    const sent = await send(server, sending);
    // What an earlier attempt had on its way may have arrived after the server was asked where to go on.
    const isOffsetStale = !sent.ok && sent.problem.code === StatusCode.invalidArgument && committedBytes > 0;
    const isWorthAsking = isOffsetStale || (!sent.ok && isTransient(sent.problem));
    if (sent.ok || !isWorthAsking || sent.problem.code === StatusCode.deadlineExceeded) return sent;
    pieceBytes = CAREFUL_PIECE_BYTES;
    const status = await server.channel.unary(
      QUERY,
      { resourceName: plainName },
      { timeoutMs: server.deadlines.unaryMs },
    );
    if (status.ok && status.value.complete) return ok(undefined);
    // A server that forgot the upload, or cannot say, gets it from the start.
    committedBytes = status.ok && status.value.committedSize <= source.sizeBytes ? status.value.committedSize : 0;
    return isOffsetStale ? err({ ...sent.problem, code: StatusCode.unavailable }) : sent;
  };
  return await server.attempts(
    (attempt) =>
      zstd === undefined || attempt > COMPRESSED_ATTEMPTS_MAX
        ? plain()
        : send(server, { resourceName: nameOf("zstd"), source, offset: 0, zstd, pieceBytes: FRAME_BYTES }),
    { progress: () => committedBytes },
  );
}

interface Sending {
  readonly resourceName: string;
  readonly source: BlobSource;
  readonly offset: number;
  readonly zstd: Zstd | undefined;
  readonly pieceBytes: number;
}

async function send(server: RemoteServer, sending: Sending): Promise<Result<void, Status>> {
  const { resourceName, source, zstd } = sending;
  const call = server.channel.call(WRITE);
  const watch = new StallWatch(server, call);
  let isSettled = false;
  void call.status.then(() => {
    isSettled = true;
  });
  let readAt = sending.offset;
  let writeOffset = sending.offset;
  do {
    const plain = await source.read(readAt, sending.pieceBytes);
    readAt += plain.byteLength;
    const finishWrite = readAt >= source.sizeBytes || plain.byteLength === 0;
    const data = zstd === undefined ? plain : await zstd.compress(plain);
    const isFirst = writeOffset === sending.offset;
    await call.send({ ...(isFirst ? { resourceName } : {}), writeOffset, data, finishWrite });
    writeOffset += data.byteLength;
    watch.progress();
    if (finishWrite) break;
    // The server has the blob, or refuses it: the answer tells.
  } while (!isSettled);
  call.end();
  return judgeWrite(watch, await finished(call, watch), { source, writeOffset, isPlain: zstd === undefined });
}

async function finished(call: ClientCall<WriteResponse, unknown>, watch: StallWatch) {
  try {
    return await call.answer();
  } finally {
    watch.stop();
  }
}

function judgeWrite(
  watch: StallWatch,
  answer: Result<WriteResponse, Status>,
  {
    source,
    writeOffset,
    isPlain,
  }: { readonly source: BlobSource; readonly writeOffset: number; readonly isPlain: boolean },
): Result<void, Status> {
  if (!answer.ok) return err(watch.judge(answer.problem));
  const { committedSize } = answer.value;
  // -1: a compressed blob that was there already. Others count the bytes of either form.
  const isWhole =
    committedSize === source.sizeBytes || (!isPlain && (committedSize === -1 || committedSize === writeOffset));
  if (isWhole) return ok(undefined);
  const message = `only ${committedSize} of ${source.sizeBytes} bytes were taken`;
  return err({ code: StatusCode.unavailable, message });
}

/** As servers want it: a UUID. */
function uploadId({ random }: RemoteServer): string {
  const hex = randomHex(random, 32);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Gives up a call that makes no progress. */
class StallWatch {
  readonly #server: RemoteServer;
  readonly #cancel: () => void;
  #timer: { cancel(): void };
  #lastMs: number;
  #isStalled = false;

  constructor(server: RemoteServer, call: { cancel(): void }) {
    this.#server = server;
    this.#cancel = () => call.cancel();
    this.#lastMs = server.clock.monotonicMs();
    this.#timer = this.#set(server.deadlines.stallMs);
  }

  /** Something moved. */
  progress(): void {
    this.#lastMs = this.#server.clock.monotonicMs();
  }

  stop(): void {
    this.#timer.cancel();
  }

  /** The status of the call; of one that was given up here, why. */
  judge(status: Status): Status {
    if (!this.#isStalled) return status;
    const message = `nothing moved for ${this.#server.deadlines.stallMs} ms`;
    return { code: StatusCode.deadlineExceeded, message };
  }

  // One timer that looks again, and not one for each message.
  #set(delayMs: number): { cancel(): void } {
    return this.#server.clock.setTimer(delayMs, () => {
      const leftMs = this.#lastMs + this.#server.deadlines.stallMs - this.#server.clock.monotonicMs();
      if (leftMs > 0) {
        this.#timer = this.#set(leftMs);
        return;
      }
      this.#isStalled = true;
      this.#cancel();
    });
  }
}
