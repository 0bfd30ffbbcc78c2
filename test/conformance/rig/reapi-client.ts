/**
 * A client of the Remote Execution API that shares nothing with the server: grpc-js, and protobufjs on the .proto files.
 *
 * Owns:      connections; `close` lets go of them.
 */
import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

const SOURCES = join(import.meta.dirname, "../../../packages/remote/src/proto/sources");

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(SOURCES, target);
root.loadSync([
  "build/bazel/remote/execution/v2/remote_execution.proto",
  "google/bytestream/bytestream.proto",
  "google/rpc/error_details.proto",
]);

const V2 = "build.bazel.remote.execution.v2";

/** A digest as messages have it. */
export interface Digest {
  readonly hash: string;
  readonly sizeBytes: number;
}

/** A message with whatever fields it has. */
export type Message = Readonly<Record<string, unknown>>;

/** What `Execute` answered. */
export interface Executed {
  readonly status?: { readonly code: number; readonly message: string };
  readonly cachedResult?: boolean;
  readonly result?: {
    readonly exitCode: number;
    readonly stdoutRaw: Buffer;
    readonly stderrRaw: Buffer;
    readonly outputFiles?: readonly { readonly path: string; readonly digest: Digest }[];
  };
}

/** A file or folder of an action's input tree. */
export type Tree = { readonly [name: string]: string | Uint8Array | Tree };

/** An action to run. */
export interface ActionOptions {
  readonly inputs?: Tree;
  /** Paths. */
  readonly outputs?: readonly string[];
  readonly instance?: string;
  /** Makes it another action, though everything else is the same. */
  readonly salt?: string;
  readonly timeoutSeconds?: number;
}

/** The digest of bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return { hash: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
}

/** Bytes of a message. */
export function encode(type: string, message: Message): Buffer {
  const found = root.lookupType(type.includes(".") ? type : `${V2}.${type}`);
  return Buffer.from(found.encode(found.fromObject(message)).finish());
}

/** A message of bytes; 64-bit numbers as numbers. */
export function decode<T>(type: string, bytes: Uint8Array): T {
  const found = root.lookupType(type.includes(".") ? type : `${V2}.${type}`);
  return found.toObject(found.decode(bytes), { longs: Number, bytes: Buffer, defaults: true }) as T;
}

/** The client. Calls throw grpc-js's errors, whose `code` is the status. */
export class ReapiClient {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();

  constructor(address: string, { token, tls }: { token?: string; tls?: grpc.ChannelCredentials } = {}) {
    this.#client = new grpc.Client(address, tls ?? grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      // Each client has its own connection.
      "grpc.use_local_subchannel_pool": 1,
    });
    if (token !== undefined) this.#metadata.set("authorization", `Bearer ${token}`);
  }

  /** Calls a method such as `ActionCache/GetActionResult`. */
  unary<T>(method: string, request: Message): Promise<T> {
    const { path, input, output } = methodOf(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, input, output, request, this.#metadata, (error, answer) => {
        if (error === null) resolve(answer as T);
        else reject(error);
      });
    });
  }

  /** Calls a method that answers with a stream; reads it to its end. */
  async stream<T>(method: string, request: Message): Promise<T[]> {
    const { path, input, output } = methodOf(method);
    const call = this.#client.makeServerStreamRequest(path, input, output, request, this.#metadata);
    const all: T[] = [];
    for await (const message of call) all.push(message as T);
    return all;
  }

  /** Which of these the server lacks. */
  async missing(digests: readonly Digest[], instanceName = ""): Promise<Digest[]> {
    const method = "ContentAddressableStorage/FindMissingBlobs";
    const answer = await this.unary<{ missingBlobDigests: Digest[] }>(method, { instanceName, blobDigests: digests });
    return answer.missingBlobDigests;
  }

  /** Sends small blobs in one batch; throws when one is refused. */
  async put(blobs: readonly Uint8Array[], instanceName = ""): Promise<Digest[]> {
    const requests = blobs.map((data) => ({ digest: digestOf(data), data }));
    const method = "ContentAddressableStorage/BatchUpdateBlobs";
    const { responses } = await this.unary<{ responses: { status: { code: number; message: string } | null }[] }>(
      method,
      { instanceName, requests },
    );
    const refused = responses.find(({ status }) => (status?.code ?? 0) !== 0);
    if (refused !== undefined) throw Object.assign(new Error(refused.status!.message), { code: refused.status!.code });
    return requests.map(({ digest }) => digest);
  }

  /** Sends a blob as a stream of messages, as fast as the server takes them; answers with the committed size. */
  write(digest: Digest, chunks: Iterable<Uint8Array>): Promise<number> {
    return this.#write(digest, chunks, "blobs");
  }

  /** The same of zstd frames. */
  writeCompressed(digest: Digest, chunks: Iterable<Uint8Array>): Promise<number> {
    return this.#write(digest, chunks, "compressed-blobs/zstd");
  }

  #write(digest: Digest, chunks: Iterable<Uint8Array>, kind: string): Promise<number> {
    const { path, input, output } = methodOf("google.bytestream.ByteStream/Write");
    return new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest(path, input, output, this.#metadata, (error, answer) => {
        if (error === null) resolve((answer as { committedSize: number }).committedSize);
        else reject(error);
      });
      // What is to be said about a call that broke is told by its status.
      call.on("error", () => {});
      void send(call, `uploads/${randomUUID()}/${kind}/${digest.hash}/${digest.sizeBytes}`, chunks);
    });
  }

  /** Reads a blob, piece by piece. */
  async read(digest: Digest, onPiece: (bytes: Buffer) => void = () => {}): Promise<void> {
    const { path, input, output } = methodOf("google.bytestream.ByteStream/Read");
    const request = { resourceName: `blobs/${digest.hash}/${digest.sizeBytes}` };
    const call = this.#client.makeServerStreamRequest(path, input, output, request, this.#metadata);
    for await (const message of call) onPiece((message as { data: Buffer }).data);
  }

  /** Stores an action with everything that it stands on. */
  async putAction(script: string, options: ActionOptions = {}): Promise<Digest> {
    const { inputs = {}, outputs = [], instance = "", salt = "", timeoutSeconds } = options;
    const blobs: Uint8Array[] = [];
    const inputRootDigest = addTree(inputs, blobs);
    const command = encode("Command", {
      arguments: ["/bin/sh", "-c", script],
      environmentVariables: [{ name: "PATH", value: "/usr/bin:/bin" }],
      outputPaths: outputs,
    });
    const timeout = timeoutSeconds === undefined ? {} : { timeout: { seconds: timeoutSeconds } };
    const commandDigest = digestOf(command);
    const action = encode("Action", { commandDigest, inputRootDigest, salt: Buffer.from(salt), ...timeout });
    blobs.push(command, action);
    for (let at = 0; at < blobs.length; at += 2000) await this.put(blobs.slice(at, at + 2000), instance);
    return digestOf(action);
  }

  /** Executes an action and waits for its answer. */
  async execute(actionDigest: Digest, request: Message = {}): Promise<Executed> {
    const all = await this.stream<{ done: boolean; response?: { value: Buffer } }>("Execution/Execute", {
      actionDigest,
      ...request,
    });
    const last = all.at(-1);
    if (last?.response === undefined) throw new Error("the stream ended without an answer");
    return decode<Executed>("ExecuteResponse", last.response.value);
  }

  /** Stores and executes an action. */
  async run(script: string, options: ActionOptions = {}): Promise<Executed> {
    const action = await this.putAction(script, options);
    return await this.execute(action, { instanceName: options.instance ?? "", skipCacheLookup: true });
  }

  close(): void {
    this.#client.close();
  }
}

async function send(call: grpc.ClientWritableStream<Message>, name: string, chunks: Iterable<Uint8Array>) {
  let writeOffset = 0;
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    call.once("status", () => {
      isOver = true;
      resolve();
    });
  });
  for (const data of chunks) {
    if (isOver) return;
    const isFree = call.write({ resourceName: writeOffset === 0 ? name : "", writeOffset, data });
    writeOffset += data.length;
    if (isFree) continue;
    // A call that is over never drains.
    await Promise.race([over, new Promise((resolve) => call.once("drain", resolve))]);
  }
  if (isOver) return;
  call.write({ resourceName: writeOffset === 0 ? name : "", writeOffset, finishWrite: true });
  call.end();
}

/** Adds the blobs of a tree; answers with its root. */
function addTree(tree: Tree, blobs: Uint8Array[]): Digest {
  const files: Message[] = [];
  const directories: Message[] = [];
  for (const name of Object.keys(tree).sort()) {
    const value = tree[name]!;
    if (typeof value === "string" || value instanceof Uint8Array) {
      const bytes = Buffer.from(value);
      blobs.push(bytes);
      files.push({ name, digest: digestOf(bytes) });
    } else directories.push({ name, digest: addTree(value, blobs) });
  }
  const directory = encode("Directory", { files, directories });
  blobs.push(directory);
  return digestOf(directory);
}

function methodOf(name: string) {
  const [service = "", method = ""] = name.split("/");
  const full = service.includes(".") ? service : `${V2}.${service}`;
  const found = root.lookupService(full).methods[method]!.resolve() as protobuf.Method;
  const { resolvedRequestType: request, resolvedResponseType: response } = found;
  return {
    path: `/${full}/${method}`,
    input: (message: Message) => Buffer.from(request!.encode(request!.fromObject(message)).finish()),
    output: (bytes: Buffer): unknown =>
      response!.toObject(response!.decode(bytes), { longs: Number, bytes: Buffer, defaults: true }),
  };
}
