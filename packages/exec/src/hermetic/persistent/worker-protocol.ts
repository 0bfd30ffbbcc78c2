/**
 * The protocol between us and a persistent worker, apart from its bytes.
 *
 * Owns:   the messages, and their form as JSON, one object a line. The form as delimited protobuf messages is `remote`'s,
 *         which has the codecs.
 * Source: worker_protocol.proto of Bazel, `WorkRequest` and `WorkResponse`.
 */
import { err, ok, type Problem, problem, type Result } from "@kahn/core";

/** One input file of a piece of work. */
export interface WorkInput {
  /** Relative to the worker's directory, or to `sandboxDir`. */
  readonly path: string;
  /** The hex hash as text, in bytes: what Bazel sends. */
  readonly digest: Uint8Array;
}

/** One piece of work. */
export interface WorkRequest {
  readonly arguments: readonly string[];
  readonly inputs: readonly WorkInput[];
  /** 0 for a worker that does one thing at a time. */
  readonly requestId: number;
  /** True: the earlier request of this id is not wanted any more. */
  readonly cancel: boolean;
  /** Where the inputs are and the outputs go, relative to the worker's directory; empty for that itself. */
  readonly sandboxDir: string;
}

/** What became of it. */
export interface WorkResponse {
  readonly requestId: number;
  readonly exitCode: number;
  /** What a command would have printed. */
  readonly output: string;
  readonly wasCancelled: boolean;
}

/** Bytes that are no response. */
export type ProtocolProblem = Problem<"worker-protocol-failed">;

/** Takes a worker's bytes as they come. */
export interface WorkDecoder {
  /** The responses that these bytes complete. After a problem it is not used again. */
  push(bytes: Uint8Array): Result<readonly WorkResponse[], ProtocolProblem>;
}

/** A form of the messages. */
export interface WorkerProtocol {
  readonly name: "proto" | "json";
  encode(request: WorkRequest): Uint8Array;
  decoder(): WorkDecoder;
}

/** More than this before the end of a response is a worker that does not speak the protocol. */
export const RESPONSE_MAX_BYTES = 64 * 1024 * 1024;

/** One JSON object a line. */
export const jsonWorkerProtocol: WorkerProtocol = {
  name: "json",
  encode: ({ arguments: argv, inputs, requestId, cancel, sandboxDir }) =>
    Buffer.from(
      `${JSON.stringify({
        arguments: argv,
        inputs: inputs.map(({ path, digest }) => ({ path, digest: Buffer.from(digest).toString("base64") })),
        ...(requestId === 0 ? {} : { requestId }),
        ...(cancel ? { cancel } : {}),
        ...(sandboxDir === "" ? {} : { sandboxDir }),
      })}\n`,
    ),
  decoder: () => new JsonDecoder(),
};

class JsonDecoder implements WorkDecoder {
  readonly #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  push(bytes: Uint8Array): Result<readonly WorkResponse[], ProtocolProblem> {
    this.#parts.push(bytes);
    this.#sizeBytes += bytes.byteLength;
    if (!bytes.includes(NEWLINE)) {
      return this.#sizeBytes > RESPONSE_MAX_BYTES ? notResponse("a response that does not end") : ok([]);
    }
    // Cut as bytes: a character may come in two parts.
    const whole = Buffer.concat(this.#parts);
    const end = whole.lastIndexOf(NEWLINE);
    const rest = whole.subarray(end + 1);
    this.#parts.splice(0, this.#parts.length, rest);
    this.#sizeBytes = rest.byteLength;
    const responses: WorkResponse[] = [];
    for (const line of whole.subarray(0, end).toString().split("\n")) {
      if (line.trim() === "") continue;
      const response = responseOf(line);
      if (response === undefined) return notResponse(JSON.stringify(line.slice(0, 200)));
      responses.push(response);
    }
    return ok(responses);
  }
}

const NEWLINE = 10;

function responseOf(line: string): WorkResponse | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { exitCode = 0, output = "", requestId = 0, wasCancelled = false } = value as Partial<Record<string, unknown>>;
  if (!Number.isInteger(exitCode) || !Number.isInteger(requestId)) return undefined;
  if (typeof output !== "string" || typeof wasCancelled !== "boolean") return undefined;
  return { exitCode: exitCode as number, requestId: requestId as number, output, wasCancelled };
}

/** A worker said something that is no response. */
export function notResponse(what: string): { readonly ok: false; readonly problem: ProtocolProblem } {
  return err(
    problem("worker-protocol-failed", `a persistent worker answered with ${what}`, {
      next: "Let it print only responses on its standard output, in the protocol that the action names.",
    }),
  );
}
