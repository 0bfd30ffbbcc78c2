/**
 * Remote Asset: Fetch and Push.
 *
 * Owns: which trouble is the call's status and which is the asset's: an origin's answers go into the response.
 */
import type { DigestFunction } from "@kahn/core";
import type { CallContext, Registration } from "../../grpc/index.ts";
import { methodOf, StatusCode, serve } from "../../grpc/index.ts";
import { digestFunctionNumber, requestFunction } from "../../names/digest-function.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import { messageDurationMs, messageTimeMs, timestampMessage } from "../../proto/core-messages.ts";
import {
  type FetchBlobRequest,
  type FetchBlobResponse,
  type FetchDirectoryRequest,
  FetchMethods,
  type PushBlobRequest,
  PushMethods,
} from "../../proto/generated/remote-asset.ts";
import { invalidArgument, missingBlobs, refusal, stored, storeRefusal, wellFormed } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { allDigests, oneDigest, permitted } from "../requests/service-context.ts";
import { archiveKind } from "./archives/archive-kind.ts";
import type { AssetFetches, AssetFetchOutcome } from "./fetches.ts";
import { isAcceptable, isShareable } from "./fetches.ts";
import type { Qualifiers } from "./qualifiers.ts";
import { readQualifiers, readUris } from "./qualifiers.ts";
import type { Asset, AssetName, AssetStore } from "./store.ts";

/** What the services stand on. `fetches` is `undefined` on a server that fetches nothing. */
export interface AssetParts {
  readonly assets: AssetStore;
  readonly fetches: AssetFetches | undefined;
}

/** Qualifiers that speak of repositories, which this server does not clone; and of trees, which are no blobs. */
const OF_REPOSITORIES = ["vcs.branch", "vcs.commit"];
const OF_TREES = new Set(["directory", ...OF_REPOSITORIES]);

/** The Fetch and Push services. */
export function assetServices(context: ServiceContext, parts: AssetParts): Registration[] {
  return [
    serve(methodOf("unary", FetchMethods.fetchBlob), async (request, call): Promise<Init<FetchBlobResponse>> => {
      const wanted = readFetch(context, call, request);
      const known = await findAsset(context, parts, { ...wanted, kind: "blob" });
      if (known !== undefined) {
        return { ...foundFields(request, wanted, known), blobDigest: digestMessage(known.asset.digest) };
      }
      return answerOf(request, wanted, await fetchAsset(context, call, { parts, wanted }));
    }),
    serve(methodOf("unary", FetchMethods.fetchDirectory), async (request, call) => {
      const wanted = readFetch(context, call, request);
      const known = await findAsset(context, parts, { ...wanted, kind: "directory" });
      if (known !== undefined) {
        return { ...foundFields(request, wanted, known), rootDirectoryDigest: digestMessage(known.asset.digest) };
      }
      const { blobDigest, ...answer } = answerOf(request, wanted, await fetchTree(context, call, { parts, wanted }));
      return blobDigest === undefined ? answer : { ...answer, rootDirectoryDigest: blobDigest };
    }),
    serve(methodOf("unary", PushMethods.pushBlob), async (request, call) => {
      await push(context, call, { parts, kind: "blob", request, digest: request.blobDigest });
      return {};
    }),
    serve(methodOf("unary", PushMethods.pushDirectory), async (request, call) => {
      await push(context, call, { parts, kind: "directory", request, digest: request.rootDirectoryDigest });
      return {};
    }),
  ];
}

interface Wanted {
  readonly instance: string;
  readonly uris: readonly string[];
  readonly qualifiers: Qualifiers;
  readonly fn: DigestFunction;
  readonly oldestMs: number;
  readonly timeoutMs: number;
}

function readFetch(
  context: ServiceContext,
  call: CallContext,
  request: FetchBlobRequest | FetchDirectoryRequest,
): Wanted {
  const instance = permitted(context, call, { what: "cas.read", instance: request.instanceName });
  const uris = readUris(request.uris);
  const qualifiers = readQualifiers(request.qualifiers);
  for (const index of qualifiers.headersOf.keys()) {
    if (index >= uris.length) throw invalidArgument(`a qualifier is of address ${index}, but there are ${uris.length}`);
  }
  const fn = request.digestFunction === 0 ? "sha256" : wellFormed(requestFunction(request.digestFunction, ""));
  if (!context.digestFunctions.includes(fn)) throw invalidArgument(`digest function ${fn} is not served here`);
  const timeoutMs = request.timeout === undefined ? 0 : messageDurationMs(request.timeout);
  if (timeoutMs < 0) throw invalidArgument("timeout is negative");
  const limitMs = context.limits.assetTimeoutMs;
  return {
    instance,
    uris,
    qualifiers,
    fn,
    oldestMs: request.oldestContentAccepted === undefined ? 0 : messageTimeMs(request.oldestContentAccepted),
    timeoutMs: timeoutMs === 0 ? limitMs : Math.min(timeoutMs, limitMs),
  };
}

interface Found {
  readonly asset: Asset;
  readonly uri: string;
}

async function findAsset(
  context: ServiceContext,
  { assets }: AssetParts,
  wanted: Wanted & Pick<AssetName, "kind">,
): Promise<Found | undefined> {
  const { kind, instance, uris, qualifiers, fn, oldestMs } = wanted;
  for (const uri of uris) {
    const asset = stored(await assets.get({ kind, instance, uri, qualifiers: qualifiers.identity }));
    if (asset !== undefined && isAcceptable(asset, { fn, oldestMs, nowMs: context.clock.nowMs() }))
      return { asset, uri };
  }
  return undefined;
}

function foundFields(request: FetchBlobRequest | FetchDirectoryRequest, { fn }: Wanted, { asset, uri }: Found) {
  const expiresAt = asset.expiresAtMs === undefined ? undefined : timestampMessage(asset.expiresAtMs);
  return { status: {}, uri, qualifiers: request.qualifiers, expiresAt, digestFunction: digestFunctionNumber(fn) };
}

async function fetchAsset(
  context: ServiceContext,
  call: CallContext,
  { parts, wanted }: { readonly parts: AssetParts; readonly wanted: Wanted },
): Promise<AssetFetchOutcome> {
  const isTree = wanted.qualifiers.identity.some(({ name }) => OF_TREES.has(name));
  if (parts.fetches === undefined || isTree) {
    return { kind: "not-found", message: "the asset is not stored here, and this server does not fetch it" };
  }
  // Fetching writes to the store, in the caller's name.
  permitted(context, call, { what: "cas.write", instance: wanted.instance });
  return await parts.fetches.fetch(wanted, call.signal);
}

async function fetchTree(
  context: ServiceContext,
  call: CallContext,
  { parts, wanted }: { readonly parts: AssetParts; readonly wanted: Wanted },
): Promise<AssetFetchOutcome> {
  const isRepository = wanted.qualifiers.identity.some(({ name }) => OF_REPOSITORIES.includes(name));
  const hasArchive = wanted.uris.some((uri) => archiveKind(uri) !== undefined);
  if (parts.fetches === undefined || isRepository || !hasArchive) {
    const what = "nobody has pushed this directory";
    const why = parts.fetches === undefined ? "this server fetches nothing" : ARCHIVES_ONLY;
    return { kind: "not-found", message: `${what}, and ${why}` };
  }
  permitted(context, call, { what: "cas.write", instance: wanted.instance });
  return await parts.fetches.fetchTree(wanted, call.signal);
}

const ARCHIVES_ONLY =
  "this server clones no repositories; it unpacks what has an address that ends with .tar, .tar.gz, .tgz, .tar.zst or .zip";

function answerOf(
  request: FetchBlobRequest | FetchDirectoryRequest,
  wanted: Wanted,
  outcome: AssetFetchOutcome,
): Init<FetchBlobResponse> {
  const fields = { uri: wanted.uris[0]!, qualifiers: request.qualifiers };
  const failed = (code: StatusCode, message: string) => ({ ...fields, status: { code, message } });
  switch (outcome.kind) {
    case "stored":
      return {
        ...fields,
        uri: outcome.uri,
        status: {},
        blobDigest: digestMessage(outcome.digest),
        digestFunction: digestFunctionNumber(wanted.fn),
      };
    case "not-found":
      return failed(StatusCode.notFound, outcome.message);
    case "denied":
      return failed(StatusCode.permissionDenied, outcome.message);
    case "malformed":
      return failed(StatusCode.failedPrecondition, outcome.message);
    case "wrong-checksum":
      return failed(StatusCode.aborted, outcome.message);
    case "too-late":
      return failed(StatusCode.deadlineExceeded, outcome.message);
    case "too-large":
      throw refusal(StatusCode.resourceExhausted, outcome.message);
    case "stopped":
    case "unreachable":
      throw refusal(StatusCode.unavailable, outcome.kind === "stopped" ? "the fetch was broken off" : outcome.message);
    case "store-failed":
      throw storeRefusal(outcome.problem);
  }
}

interface PushCall {
  readonly parts: AssetParts;
  readonly kind: AssetName["kind"];
  readonly request: Omit<PushBlobRequest, "blobDigest">;
  readonly digest: PushBlobRequest["blobDigest"];
}

/** Keeps an asset whose blobs are there. @throws StatusError FAILED_PRECONDITION naming those that are not */
async function push(context: ServiceContext, call: CallContext, pushed: PushCall): Promise<void> {
  const { parts, kind, request } = pushed;
  const instance = permitted(context, call, { what: "asset", instance: request.instanceName });
  const uris = readUris(request.uris);
  const qualifiers = readQualifiers(request.qualifiers);
  if (!isShareable({ ...qualifiers, checksums: [] }))
    throw invalidArgument("headers of origins mean nothing in a push");
  const digest = oneDigest(context, pushed.digest, request.digestFunction);
  const messages = [...request.referencesBlobs, ...request.referencesDirectories];
  const references = allDigests(context, messages, request.digestFunction);
  const missing = stored(await context.store.blobs.findMissing([digest, ...references]));
  if (missing.length > 0) throw missingBlobs(missing);
  const expiresAtMs = request.expireAt === undefined ? undefined : messageTimeMs(request.expireAt);
  const asset: Asset = { digest, references, expiresAtMs, storedAtMs: context.clock.nowMs() };
  for (const uri of uris)
    stored(await parts.assets.put({ kind, instance, uri, qualifiers: qualifiers.identity }, asset));
}
