// Written by tools/protos.mjs from grpc/health/v1/health.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `grpc.health.v1.HealthListRequest` */
export interface HealthListRequest {
}
export const HealthListRequest: Codec<HealthListRequest> = /* @__PURE__ */ codec("grpc.health.v1.HealthListRequest", writeHealthListRequest, readHealthListRequest);

export function writeHealthListRequest(_writer: WireWriter, _message: Init<HealthListRequest>): void {
}

export function readHealthListRequest(reader: WireReader): HealthListRequest {
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    reader.skip();
  }
  return {};
}

/** `grpc.health.v1.HealthListResponse` */
export interface HealthListResponse {
  readonly statuses: ReadonlyMap<string, HealthCheckResponse>;
}
export const HealthListResponse: Codec<HealthListResponse> = /* @__PURE__ */ codec("grpc.health.v1.HealthListResponse", writeHealthListResponse, readHealthListResponse);

export function writeHealthListResponse(writer: WireWriter, message: Init<HealthListResponse>): void {
  if (message.statuses !== undefined) for (const [key, value] of [...message.statuses].reverse()) {
    const start = writer.length;
    const length = writer.length;
    writeHealthCheckResponse(writer, value);
    writer.close(18, length);
    writer.string(10, key);
    writer.close(10, start);
  }
}

export function readHealthListResponse(reader: WireReader): HealthListResponse {
  const statuses = new Map<string, HealthCheckResponse>();
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("statuses");
          let key = "";
          let value: HealthCheckResponse | undefined;
          for (let inner = reader.next(); inner !== 0; inner = reader.next()) {
            switch (inner) {
              case 10:
                key = reader.string("key");
                break;
              case 18:
                {
                  const outer = reader.enter("value");
                  value = readHealthCheckResponse(reader);
                  reader.leave(outer);
                }
                break;
              default:
                reader.skip();
            }
          }
          reader.leave(outer);
          statuses.set(key, value ?? readHealthCheckResponse(new WireReader(NO_BYTES)));
        }
        break;
      default:
        reader.skip();
    }
  }
  return { statuses };
}

/** `grpc.health.v1.HealthCheckRequest` */
export interface HealthCheckRequest {
  readonly service: string;
}
export const HealthCheckRequest: Codec<HealthCheckRequest> = /* @__PURE__ */ codec("grpc.health.v1.HealthCheckRequest", writeHealthCheckRequest, readHealthCheckRequest);

export function writeHealthCheckRequest(writer: WireWriter, message: Init<HealthCheckRequest>): void {
  if (message.service) writer.string(10, message.service);
}

export function readHealthCheckRequest(reader: WireReader): HealthCheckRequest {
  let service = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        service = reader.string("service");
        break;
      default:
        reader.skip();
    }
  }
  return { service };
}

/** `grpc.health.v1.HealthCheckResponse` */
export interface HealthCheckResponse {
  readonly status: HealthCheckResponseServingStatus;
}
export const HealthCheckResponse: Codec<HealthCheckResponse> = /* @__PURE__ */ codec("grpc.health.v1.HealthCheckResponse", writeHealthCheckResponse, readHealthCheckResponse);

export function writeHealthCheckResponse(writer: WireWriter, message: Init<HealthCheckResponse>): void {
  if (message.status) writer.int32(8, message.status);
}

export function readHealthCheckResponse(reader: WireReader): HealthCheckResponse {
  let status: HealthCheckResponseServingStatus = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        status = reader.int32("status");
        break;
      default:
        reader.skip();
    }
  }
  return { status };
}

/** Values of `grpc.health.v1.HealthCheckResponse.ServingStatus`; a newer sender may have others. */
export const HealthCheckResponseServingStatus = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
} as const;
export type HealthCheckResponseServingStatus = number;

/** Methods of `grpc.health.v1.Health`; each is a `Method` of ../codec.ts. */
export const HealthMethods = {
  check: {
    path: "/grpc.health.v1.Health/Check",
    request: HealthCheckRequest,
    response: HealthCheckResponse,
    requestStream: false,
    responseStream: false,
  },
  watch: {
    path: "/grpc.health.v1.Health/Watch",
    request: HealthCheckRequest,
    response: HealthCheckResponse,
    requestStream: false,
    responseStream: true,
  },
  list: {
    path: "/grpc.health.v1.Health/List",
    request: HealthListRequest,
    response: HealthListResponse,
    requestStream: false,
    responseStream: false,
  },
} as const;
