/** §2.7: Remote Asset. */
import type { Check } from "../check.ts";
import { must, optional, section, should } from "../check.ts";
import type { Blob, CheckedServer } from "../checked-server.ts";
import type { Outcome } from "../endpoint.ts";
import { answerOf, Code, expectCode, expectStatus } from "../endpoint.ts";
import { demand, same, skip } from "../expectations.ts";
import { encodeMessage, unpackedAny } from "../wire.ts";

const { FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, OK, PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED } =
  Code;

/** Nobody is asked at this address before something was pushed for it. */
const uriOf = (server: CheckedServer) => `https://conform.invalid/${server.unique()}`;

/** Ends the check of a server that has no such service. */
function offered<T>(outcome: Outcome<T>): Outcome<T> {
  if (outcome.code === UNIMPLEMENTED) skip("the server has no Remote Asset API");
  return outcome;
}

async function fetchBlob(server: CheckedServer, request: object) {
  return offered(await server.endpoint.call("fetchBlob", { ...server.scope, ...request }));
}

/** Pushes a stored blob. */
async function push(server: CheckedServer, request: object): Promise<Blob> {
  const blob = server.blob();
  await server.put(blob);
  const outcome = offered(
    await server.endpoint.call("pushBlob", { ...server.scope, blobDigest: blob.digest, ...request }),
  );
  answerOf(outcome);
  return blob;
}

/** Fields that the details of a refusal name. */
function fieldsAtFault({ details }: Outcome<unknown>): string[] {
  return details.flatMap((detail) => {
    const bad = unpackedAny("google.rpc.BadRequest", detail) as { fieldViolations: { field: string }[] } | undefined;
    return bad?.fieldViolations.map(({ field }) => field) ?? [];
  });
}

/** The checks of §2.7. */
export const ASSET_CHECKS: readonly Check[] = section("2.7", [
  must("asset/no-uri", "A fetch without an address is INVALID_ARGUMENT.", async (server) => {
    expectCode(await fetchBlob(server, { uris: [] }), INVALID_ARGUMENT);
    const outcome = offered(await server.endpoint.call("fetchDirectory", { ...server.scope, uris: [] }));
    expectCode(outcome, INVALID_ARGUMENT);
  }),
  must("asset/qualifier-twice", "A qualifier that is there twice is INVALID_ARGUMENT.", async (server) => {
    const qualifier = { name: "resource_type", value: "application/octet-stream" };
    expectCode(
      await fetchBlob(server, { uris: [uriOf(server)], qualifiers: [qualifier, qualifier] }),
      INVALID_ARGUMENT,
    );
  }),
  must(
    "asset/qualifier-unknown",
    "A qualifier that is not supported is INVALID_ARGUMENT, and named as qualifiers.name.",
    async (server) => {
      const qualifiers = [{ name: "conform.no_such_qualifier", value: "x" }];
      const outcome = await fetchBlob(server, { uris: [uriOf(server)], qualifiers });
      expectCode(outcome, INVALID_ARGUMENT);
      demand(fieldsAtFault(outcome).includes("qualifiers.name"), "no BadRequest of the details names qualifiers.name");
    },
  ),
  must("asset/pushed", "A pushed blob is fetched by its address, with its digest.", async (server) => {
    const uris = [uriOf(server)];
    const blob = await push(server, { uris });
    const answer = answerOf(await fetchBlob(server, { uris: [uriOf(server), ...uris] }));
    expectStatus(answer.status, "the fetch", OK);
    same(answer.blobDigest?.hash ?? "", blob.digest.hash, "blob_digest");
    same(answer.uri, uris[0]!, "uri");
  }),
  must(
    "asset/pushed-qualified",
    "What was pushed with a qualifier is another asset than without it.",
    async (server) => {
      const uris = [uriOf(server)];
      const qualifiers = [{ name: "bazel.canonical_id", value: server.unique() }];
      const blob = await push(server, { uris, qualifiers });
      const answer = answerOf(await fetchBlob(server, { uris, qualifiers }));
      expectStatus(answer.status, "the fetch with the qualifier", OK);
      same(answer.blobDigest?.hash ?? "", blob.digest.hash, "blob_digest");
      const other = await fetchBlob(server, { uris, qualifiers: [{ ...qualifiers[0]!, value: "another" }] });
      demand(
        other.code !== OK || other.answers[0]?.blobDigest?.hash !== blob.digest.hash,
        "the qualifier made no difference",
      );
    },
  ),
  must("asset/pushed-directory", "A pushed directory is fetched by its address.", async (server) => {
    const [file, uris] = [server.blob(), [uriOf(server)]];
    const root = server.blob(encodeMessage("Directory", { files: [{ name: "file", digest: file.digest }] }));
    await server.put(file, root);
    const request = { ...server.scope, uris, rootDirectoryDigest: root.digest };
    const outcome = offered(await server.endpoint.call("pushDirectory", request));
    answerOf(outcome);
    const answer = answerOf(await server.endpoint.call("fetchDirectory", { ...server.scope, uris }));
    expectStatus(answer.status, "the fetch", OK);
    same(answer.rootDirectoryDigest?.hash ?? "", root.digest.hash, "root_directory_digest");
  }),
  should("asset/expired", "What has expired is not given out.", async (server) => {
    const uris = [uriOf(server)];
    const blob = await push(server, { uris, expireAt: { seconds: 1, nanos: 0 } });
    const outcome = await fetchBlob(server, { uris });
    demand(outcome.answers[0]?.blobDigest?.hash !== blob.digest.hash, "an asset that expired in 1970 is given out");
  }),
  optional("asset/too-old", "What is older than oldest_content_accepted is not given out.", async (server) => {
    const uris = [uriOf(server)];
    const blob = await push(server, { uris });
    const outcome = await fetchBlob(server, { uris, oldestContentAccepted: { seconds: 32_503_680_000, nanos: 0 } });
    const answer = outcome.answers[0];
    demand(
      answer?.status?.code !== OK || answer?.blobDigest?.hash !== blob.digest.hash,
      "content of today counts as of the year 3000",
    );
  }),
  must(
    "asset/origin-faults",
    "That an origin cannot be had stands in the answer's status, or is a code of the call; never OK.",
    async (server) => {
      const outcome = await fetchBlob(server, { uris: [uriOf(server)], timeout: { seconds: 5, nanos: 0 } });
      if (outcome.code !== OK) return;
      const { status } = answerOf(outcome);
      demand((status?.code ?? OK) !== OK, "the fetch of an address that does not exist has status OK");
    },
  ),
  should("asset/own-machine", "The server does not fetch from its own machine on a client's word.", async (server) => {
    const outcome = await fetchBlob(server, { uris: ["http://127.0.0.1:9/secret"], timeout: { seconds: 5, nanos: 0 } });
    if (outcome.code !== OK) {
      expectCode(outcome, PERMISSION_DENIED, INVALID_ARGUMENT);
      return;
    }
    expectStatus(answerOf(outcome).status, "a fetch from 127.0.0.1", PERMISSION_DENIED, NOT_FOUND, INVALID_ARGUMENT);
  }),
  must("asset/push-absent", "What is not stored cannot be pushed, or is not given out after it.", async (server) => {
    const [absent, uris] = [server.blob(), [uriOf(server)]];
    const outcome = offered(
      await server.endpoint.call("pushBlob", { ...server.scope, uris, blobDigest: absent.digest }),
    );
    if (outcome.code === OK) {
      const fetched = await fetchBlob(server, { uris });
      demand(fetched.answers[0]?.blobDigest?.hash !== absent.digest.hash, "an asset without its blob is given out");
    } else expectCode(outcome, FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED);
  }),
]);
