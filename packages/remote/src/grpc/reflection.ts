/**
 * The reflection service, `grpc.reflection.v1`: tells tools such as grpcurl what can be called.
 *
 * Owns:   an index over the files of a `FileDescriptorSet`, made at the first question.
 * Source: `grpc/reflection/v1/reflection.proto`; v1alpha has the same messages under another name.
 */
import type { DescriptorFile } from "../proto/descriptors.ts";
import { descriptorFiles } from "../proto/descriptors.ts";
import type { ServerReflectionRequest } from "../proto/generated/reflection.ts";
import { ServerReflectionMethods, type ServerReflectionResponse } from "../proto/generated/reflection.ts";
import { methodOf } from "./messages/method.ts";
import { StatusCode } from "./messages/status.ts";
import type { Registration } from "./server/call-context.ts";
import { serve } from "./server/call-context.ts";

/** What a server tells of itself. */
export interface ReflectionOptions {
  /** The serialized `FileDescriptorSet`; asked for once, at the first call. */
  readonly descriptorSet: () => Promise<Uint8Array>;
  /** Full names of the services that are served, of those in the set. */
  readonly services: readonly string[];
}

interface Index {
  readonly byName: ReadonlyMap<string, DescriptorFile>;
  readonly bySymbol: ReadonlyMap<string, DescriptorFile>;
}

type MessageResponse = ServerReflectionResponse["messageResponse"];

const METHOD = methodOf("bidirectional", ServerReflectionMethods.serverReflectionInfo);

/** The methods to serve. */
export function reflectionService(options: ReflectionOptions): readonly Registration[] {
  let index: Promise<Index> | undefined;
  return [METHOD.path, METHOD.path.replace(".v1.", ".v1alpha.")].map((path) =>
    serve({ ...METHOD, path }, async (requests, call) => {
      index ??= options.descriptorSet().then(indexOf);
      const known = await index;
      // A file is told once per stream, as its tools remember it.
      const told = new Set<string>();
      for await (const request of requests) {
        const messageResponse = answer(request, { known, told, services: options.services });
        await call.send({ validHost: request.host, originalRequest: request, messageResponse });
      }
    }),
  );
}

function indexOf(set: Uint8Array): Index {
  const files = descriptorFiles(set);
  return {
    byName: new Map(files.map((file) => [file.name, file])),
    bySymbol: new Map(files.flatMap((file) => file.symbols.map((symbol) => [symbol, file]))),
  };
}

interface Context {
  readonly known: Index;
  readonly told: Set<string>;
  readonly services: readonly string[];
}

function answer({ messageRequest }: ServerReflectionRequest, context: Context): MessageResponse {
  const { known, services } = context;
  switch (messageRequest?.kind) {
    case "listServices":
      return { kind: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return files(known.byName.get(messageRequest.value), `no file ${messageRequest.value}`, context);
    case "fileContainingSymbol":
      return files(known.bySymbol.get(messageRequest.value), `no symbol ${messageRequest.value}`, context);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return failure(StatusCode.notFound, "there are no extensions here");
    case undefined:
      return failure(StatusCode.invalidArgument, "the request asks for nothing that this server knows");
  }
}

/** A file and all it rests on, those left out that this stream has been told. */
function files(file: DescriptorFile | undefined, otherwise: string, { known, told }: Context): MessageResponse {
  if (file === undefined) return failure(StatusCode.notFound, otherwise);
  const found: Uint8Array[] = [file.bytes];
  const pending = [...file.dependencies];
  told.add(file.name);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const dependency = known.byName.get(name);
    if (dependency === undefined || told.has(name)) continue;
    told.add(name);
    found.push(dependency.bytes);
    pending.push(...dependency.dependencies);
  }
  return { kind: "fileDescriptorResponse", value: { fileDescriptorProto: found } };
}

function failure(errorCode: StatusCode, errorMessage: string): MessageResponse {
  return { kind: "errorResponse", value: { errorCode, errorMessage } };
}
