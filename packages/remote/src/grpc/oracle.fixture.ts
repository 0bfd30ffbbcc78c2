/** The client of @grpc/grpc-js, as the oracle of what our server answers. */
import * as grpcjs from "@grpc/grpc-js";
import type { TestServer } from "./echo.fixture.ts";

const identity = (bytes: Buffer): Buffer => bytes;

/** What a call came to. */
export interface OracleOutcome {
  readonly code: number;
  readonly message: string;
  readonly messages: readonly Buffer[];
  readonly headers: grpcjs.Metadata | undefined;
  readonly trailers: grpcjs.Metadata;
}

/** How to call. */
export interface OracleCall {
  readonly requests: readonly (Uint8Array | string)[];
  readonly metadata?: grpcjs.Metadata;
  readonly options?: grpcjs.CallOptions;
  /** Called with the running call. */
  readonly started?: (call: grpcjs.ClientDuplexStream<Buffer, Buffer>) => void;
}

/** A client of grpc-js for a test server. */
export function oracle(server: TestServer, options: grpcjs.ClientOptions = {}): Oracle {
  return new Oracle(server.target, grpcjs.credentials.createInsecure(), options);
}

/** Calls any method with raw bytes. */
export class Oracle {
  readonly client: grpcjs.Client;

  constructor(target: string, credentials: grpcjs.ChannelCredentials, options: grpcjs.ClientOptions) {
    this.client = new grpcjs.Client(target, credentials, {
      "grpc.max_receive_message_length": -1,
      // Without it, clients of one process share a connection.
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  /** Makes one call of any kind to its end. */
  call(path: string, call: OracleCall): Promise<OracleOutcome> {
    return new Promise((resolve) => {
      const messages: Buffer[] = [];
      let headers: grpcjs.Metadata | undefined;
      const metadata = call.metadata ?? new grpcjs.Metadata();
      const stream = this.client.makeBidiStreamRequest(path, identity, identity, metadata, call.options ?? {});
      stream.on("data", (message: Buffer) => messages.push(message));
      stream.on("metadata", (received: grpcjs.Metadata) => {
        headers = received;
      });
      stream.on("error", () => {});
      stream.on("status", (status: grpcjs.StatusObject) => {
        resolve({ code: status.code, message: status.details, messages, headers, trailers: status.metadata });
      });
      call.started?.(stream);
      for (const request of call.requests) stream.write(Buffer.from(request as Uint8Array));
      stream.end();
    });
  }

  close(): void {
    this.client.close();
  }
}
