/**
 * What an action prints on a server, while it runs there.
 *
 * Owns:      reading the logs that an execution names, and going on where a connection broke.
 * Invariant: bytes are shown in order for each stream, none of them twice, and all of them once `rest` resolves, also
 *            where the server has no logs, or has some that never end.
 * Source:    `stdout_stream_name` and `stderr_stream_name` of ExecuteOperationMetadata; Read of LogStream.
 */
import { sleep } from "@kahn/core";
import { methodOf, StatusCode, StatusError } from "../../grpc/index.ts";
import { ByteStreamMethods } from "../../proto/generated/bytestream.ts";
import type { ExecuteOperationMetadata } from "../../proto/generated/remote-execution.ts";
import type { RemoteServer } from "../calls/remote-server.ts";

const READ = methodOf("server-streaming", ByteStreamMethods.read);

/** One of the two. */
export type StreamName = "stdout" | "stderr";

/** What takes the bytes. */
export type OnOutput = (stream: StreamName, bytes: Uint8Array) => void;

interface Log {
  readonly resourceName: string;
  readonly ended: Promise<void>;
  /** `broken`: worth another attempt. */
  state: "reading" | "ended" | "broken";
  cancel(): void;
}

/** The output of one execution. Close it. */
export class LiveOutput {
  readonly #server: RemoteServer;
  readonly #onOutput: OnOutput;
  readonly #logs = new Map<StreamName, Log>();
  readonly #shownBytes = { stdout: 0, stderr: 0 };
  #isClosed = false;

  constructor(server: RemoteServer, onOutput: OnOutput) {
    this.#server = server;
    this.#onOutput = onOutput;
  }

  /** Begins to read logs that are named. Those of an execution that began anew are not read: the result has the rest. */
  follow({ stdoutStreamName, stderrStreamName }: ExecuteOperationMetadata): void {
    this.#begin("stdout", stdoutStreamName);
    this.#begin("stderr", stderrStreamName);
  }

  /** Waits for the end of a log, and shows what it did not have. @param whole all that was printed, where it is known. */
  async rest(stream: StreamName, whole: Uint8Array | undefined): Promise<void> {
    const log = this.#logs.get(stream);
    if (log?.state === "reading") {
      const late = new AbortController();
      await Promise.race([log.ended, sleep(this.#server.clock, this.#server.deadlines.tailMs, late.signal)]);
      late.abort();
      log.cancel();
    }
    this.#logs.delete(stream);
    if (whole !== undefined && whole.byteLength > this.#shownBytes[stream]) {
      this.#show(stream, whole.subarray(this.#shownBytes[stream]));
    }
  }

  /** Stops reading. */
  close(): void {
    this.#isClosed = true;
    for (const log of this.#logs.values()) log.cancel();
  }

  #begin(stream: StreamName, resourceName: string): void {
    const known = this.#logs.get(stream);
    const goesOn = known?.state === "broken" && known.resourceName === resourceName;
    if (resourceName === "" || this.#isClosed || (known !== undefined && !goesOn)) return;
    const call = this.#server.channel.read(READ, { resourceName, readOffset: this.#shownBytes[stream] });
    let isLeft = false;
    const pump = async (): Promise<Log["state"]> => {
      try {
        for await (const { data } of call.messages) if (!isLeft) this.#show(stream, data);
      } catch (error) {
        // What a log does not give, the result does.
        if (!(error instanceof StatusError)) throw error;
      }
      return (await call.status).code === StatusCode.unavailable ? "broken" : "ended";
    };
    const log: Log = {
      resourceName,
      state: "reading",
      ended: pump().then((state) => {
        log.state = state;
      }),
      cancel: () => {
        isLeft = true;
        call.cancel();
      },
    };
    this.#logs.set(stream, log);
  }

  #show(stream: StreamName, bytes: Uint8Array): void {
    if (this.#isClosed || bytes.byteLength === 0) return;
    this.#shownBytes[stream] += bytes.byteLength;
    this.#onOutput(stream, bytes);
  }
}
