/** LogStream, and what ByteStream does with logs: create, append, read as they grow. */
import type { MessageReader, Registration, SendingCall } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import type { LogStreamName } from "../../names/resource-name.ts";
import type { Init } from "../../proto/codec.ts";
import type { ReadRequest, ReadResponse, WriteRequest } from "../../proto/generated/bytestream.ts";
import { LogStreamServiceMethods } from "../../proto/generated/remote-logstream.ts";
import { invalidArgument } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { permitted } from "../requests/service-context.ts";
import { readRange } from "./byte-stream-read.ts";
import type { LogStream, LogStreams } from "./log-streams.ts";

/** The LogStream service. */
export function logStreamService(context: ServiceContext, logs: LogStreams): Registration[] {
  return [
    serve(methodOf("unary", LogStreamServiceMethods.createLogStream), (request, call) => {
      const parent = permitted(context, call, { what: "cas.write", instance: request.parent });
      if (parent.split("/").includes("logstreams")) throw invalidArgument(`${parent} cannot be the parent of a log`);
      const log = logs.create(parent);
      return { name: log.name, writeResourceName: log.writeName };
    }),
  ];
}

/** Sends a log from an offset on, until it is final. */
export async function readLog(
  logs: LogStreams,
  call: SendingCall<Init<ReadResponse>>,
  { name, request }: { readonly name: LogStreamName; readonly request: ReadRequest },
): Promise<void> {
  const log = found(logs, name);
  const { from, to } = readRange(request, log.isFinal ? log.sizeBytes : undefined);
  for (let offset = from; offset < to; ) {
    for (const data of log.slice(offset, to)) {
      await call.send({ data });
      offset += data.length;
    }
    // The log may have grown while something was sent.
    if (offset < Math.min(to, log.sizeBytes)) continue;
    if (log.isFinal || call.isCancelled) return;
    if (offset < to) await log.changed(call.signal);
  }
}

/** One call that writes a log. */
export interface LogWrite {
  readonly logs: LogStreams;
  readonly name: LogStreamName;
  readonly resourceName: string;
  readonly first: WriteRequest;
  readonly rest: MessageReader<WriteRequest>;
}

/** Appends to a log. @returns `committed_size`. @throws StatusError */
export async function writeLog({ logs, name, resourceName, first, rest }: LogWrite): Promise<number> {
  const log = found(logs, name);
  const accept = (message: WriteRequest): boolean => {
    if (message.resourceName !== "" && message.resourceName !== resourceName) {
      throw invalidArgument(`resource_name changed to ${message.resourceName.slice(0, 200)}`);
    }
    append(log, message);
    logs.touch(log);
    if (message.finishWrite) log.finalize();
    return message.finishWrite;
  };
  if (accept(first)) return log.sizeBytes;
  rest.giveBack(first.data);
  for await (const message of rest) {
    if (accept(message)) break;
    rest.giveBack(message.data);
  }
  return log.sizeBytes;
}

function append(log: LogStream, message: WriteRequest): void {
  if (message.writeOffset !== log.sizeBytes) {
    throw invalidArgument(
      `write_offset is ${message.writeOffset}, but ${log.sizeBytes} bytes of the log are committed`,
    );
  }
  if (log.append(message.data)) return;
  if (log.isFinal) throw new StatusError(StatusCode.failedPrecondition, `the log ${log.name} is final`);
  throw new StatusError(StatusCode.resourceExhausted, `the log ${log.name} would get too long`);
}

/** The state of a log for `QueryWriteStatus`. */
export function logWriteStatus(logs: LogStreams, name: LogStreamName): { committedSize: number; complete: boolean } {
  const log = found(logs, name);
  return { committedSize: log.sizeBytes, complete: log.isFinal };
}

function found(logs: LogStreams, name: LogStreamName): LogStream {
  const log = logs.find(name);
  if (log !== undefined) return log;
  throw new StatusError(StatusCode.notFound, `there is no log ${name.id}, or it is another's`);
}
