/** §2.1: digests, digest functions, instance names, metadata of requests. */
import { randomUUID } from "node:crypto";
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import type { CheckedServer } from "../checked-server.ts";
import { answerOf, Code, expectCode, expectStatus } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import type { Features } from "../features.ts";
import { digestWith, Fn, FUNCTIONS, functionName, mustBeNamed } from "../hashing.ts";
import { encodeMessage } from "../wire.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK } = Code;
const HEADERS = "build.bazel.remote.execution.v2";

/** Hashes that no digest has. */
function malformedHashes({ features }: CheckedServer): readonly string[] {
  const { hash } = digestWith(features.fn, Buffer.from("malformed"));
  return ["ab", "a", "", hash.slice(1), `${hash}0`, `${hash.slice(1)}g`, `../${hash.slice(3)}`];
}

const needsTwoFunctions = ({ functions }: Features) =>
  functions.length > 1 ? undefined : "the server offers one digest function";

/** The checks of §2.1. */
export const DIGEST_CHECKS: readonly Check[] = section("2.1", [
  must(
    "digests/wrong-size",
    "The right hash with a wrong size is another blob: missing, and not readable.",
    async (server) => {
      const blob = server.blob();
      await server.put(blob);
      for (const sizeBytes of [blob.digest.sizeBytes + 1, blob.digest.sizeBytes - 1, 0]) {
        const wrong = { ...blob, digest: { ...blob.digest, sizeBytes } };
        const found = await server.endpoint.call("findMissing", { ...server.scope, blobDigests: [wrong.digest] });
        expectCode(found, OK, INVALID_ARGUMENT);
        if (found.code === OK)
          same(found.answers[0]?.missingBlobDigests.length ?? 0, 1, `missing blobs of size ${sizeBytes}`);
        expectCode(await server.read(server.readName(wrong)), NOT_FOUND, INVALID_ARGUMENT);
        expectStatus((await server.batchRead(wrong)).status, `size ${sizeBytes}`, NOT_FOUND, INVALID_ARGUMENT);
      }
    },
  ),
  must("digests/upper-case", "A hash in upper case is INVALID_ARGUMENT.", async (server) => {
    const blob = server.blob("upper case");
    await server.put(blob);
    const upper = { ...blob, digest: { ...blob.digest, hash: blob.digest.hash.toUpperCase() } };
    expectCode(
      await server.endpoint.call("findMissing", { ...server.scope, blobDigests: [upper.digest] }),
      INVALID_ARGUMENT,
    );
    expectCode(await server.read(server.readName(upper)), INVALID_ARGUMENT);
  }),
  must("digests/malformed-in-messages", "A hash of another length or alphabet is INVALID_ARGUMENT.", async (server) => {
    for (const hash of malformedHashes(server)) {
      const digest = { hash, sizeBytes: 1 };
      expectCode(
        await server.endpoint.call("findMissing", { ...server.scope, blobDigests: [digest] }),
        INVALID_ARGUMENT,
      );
      expectCode(await server.endpoint.call("getAction", { ...server.scope, actionDigest: digest }), INVALID_ARGUMENT);
      expectCode(await server.endpoint.call("getTree", { ...server.scope, rootDigest: digest }), INVALID_ARGUMENT);
    }
  }),
  must(
    "digests/malformed-in-names",
    "A resource name with a malformed digest is INVALID_ARGUMENT, and the server lives.",
    async (server) => {
      for (const hash of malformedHashes(server)) {
        const named = { digest: { hash, sizeBytes: 1 }, fn: server.features.fn };
        expectCode(await server.read(server.readName(named)), INVALID_ARGUMENT);
        const name = server.writeName(named);
        expectCode(await server.write({ name, bytes: Buffer.from("x") }), INVALID_ARGUMENT);
        expectCode(await server.endpoint.call("writeStatus", { resourceName: name }), INVALID_ARGUMENT);
      }
      answerOf(await server.endpoint.call("getCapabilities", { instanceName: server.instance }));
    },
  ),
  must("digests/negative-size", "A negative size is INVALID_ARGUMENT.", async (server) => {
    const { hash } = server.blob().digest;
    const digest = { hash, sizeBytes: -1 };
    expectCode(await server.endpoint.call("findMissing", { ...server.scope, blobDigests: [digest] }), INVALID_ARGUMENT);
    expectCode(await server.read(server.readName({ digest, fn: server.features.fn })), INVALID_ARGUMENT);
  }),
  must(
    "digests/empty-blob",
    "The empty blob of every function is there without having been stored.",
    async (server) => {
      for (const fn of server.features.functions) {
        const empty = server.blob(0, fn);
        same((await server.missing([empty.digest], fn)).length, 0, `missing empty blobs (${functionName(fn)})`);
        const read = await server.read(server.readName(empty));
        expectCode(read, OK);
        same(read.bytes.length, 0, "the length of the empty blob");
        expectStatus((await server.batchRead(empty)).status, `the empty blob in a batch (${functionName(fn)})`, OK);
      }
    },
  ),
  must("digests/every-function", "Blobs of every offered function are stored and read back.", async (server) => {
    for (const fn of server.features.functions) {
      const [batched, streamed] = [server.blob(100, fn), server.blob(300_000, fn)];
      await server.put(batched, streamed);
      for (const blob of [batched, streamed]) {
        const read = await server.read(server.readName(blob));
        expectCode(read, OK);
        sameBytes(read.bytes, blob.bytes, `a blob by ${functionName(fn)}`);
        await server.demandStored(blob, `a blob by ${functionName(fn)}`);
      }
    }
  }),
  should("digests/function-inferred", "Without digest_function, the length of the hash tells it.", async (server) => {
    for (const fn of server.features.functions.filter((each) => !mustBeNamed(each))) {
      const blob = server.blob(100, fn);
      const scope = { instanceName: server.instance };
      const requests = [{ digest: blob.digest, data: blob.bytes }];
      const [response] = answerOf(await server.endpoint.call("batchUpdate", { ...scope, requests })).responses;
      expectStatus(response?.status, `an upload by ${functionName(fn)} without the field`, OK);
      const found = answerOf(await server.endpoint.call("findMissing", { ...scope, blobDigests: [blob.digest] }));
      same(found.missingBlobDigests.length, 0, `missing blobs by ${functionName(fn)}`);
    }
  }),
  given(
    ({ functions }) =>
      functions.includes(Fn.blake3) && functions.includes(Fn.sha256)
        ? undefined
        : "the server does not offer SHA256 and BLAKE3",
    must(
      "digests/functions-apart",
      "A function of equal hash length is a function of its own: its digests are not the inferred one's.",
      async (server) => {
        const blob = server.blob(100, Fn.blake3);
        await server.put(blob);
        same(
          (await server.missing([blob.digest], Fn.sha256)).length,
          1,
          "missing blobs when SHA256 is asked for a BLAKE3 hash",
        );
      },
    ),
  ),
  given(
    needsTwoFunctions,
    must(
      "digests/one-function-per-request",
      "A request with hashes of two functions is INVALID_ARGUMENT.",
      async (server) => {
        const [first, other] = server.features.functions.filter(
          (fn, index, all) =>
            index === 0 || digestWith(fn, Buffer.of()).hash.length !== digestWith(all[0]!, Buffer.of()).hash.length,
        );
        if (first === undefined || other === undefined) skip("no two functions have hashes of different lengths");
        const blobDigests = [server.blob(10, first).digest, server.blob(10, other).digest];
        for (const digestFunction of [first, 0]) {
          expectCode(
            await server.endpoint.call("findMissing", { ...server.scope, digestFunction, blobDigests }),
            INVALID_ARGUMENT,
          );
        }
      },
    ),
  ),
  should(
    "digests/function-not-offered",
    "A digest function that the server does not offer is INVALID_ARGUMENT.",
    async (server) => {
      const { digestFunctions } = server.features.cache;
      const other = FUNCTIONS.find((fn) => !digestFunctions.includes(fn));
      const number = other ?? 10;
      const digest = other === undefined ? { hash: "0".repeat(40), sizeBytes: 1 } : server.blob(10, other).digest;
      expectCode(
        await server.endpoint.call("findMissing", { ...server.scope, digestFunction: number, blobDigests: [digest] }),
        INVALID_ARGUMENT,
      );
    },
  ),
  must(
    "names/instance-with-slashes",
    "Instance names may hold slashes; names are parsed by keyword.",
    async (server) => {
      const instance = [server.instance, "conform/a/b"].filter((part) => part !== "").join("/");
      const known = await server.endpoint.call("getCapabilities", { instanceName: instance });
      if (known.code !== OK) skip(`the server knows no instance ${instance}`);
      const blob = server.blob(1000);
      const written = await server.write({ name: server.writeName(blob, { instance }), bytes: blob.bytes });
      same(answerOf(written).committedSize, blob.bytes.length, "committed_size");
      const read = await server.read(server.readName(blob, { instance }));
      expectCode(read, OK);
      sameBytes(read.bytes, blob.bytes, "the blob of the instance");
    },
  ),
  should(
    "names/keyword-in-instance",
    "An instance name with a keyword as a segment is INVALID_ARGUMENT.",
    async (server) => {
      for (const word of [
        "blobs",
        "uploads",
        "actions",
        "actionResults",
        "operations",
        "capabilities",
        "compressed-blobs",
      ]) {
        const request = { ...server.scope, instanceName: `a/${word}/b`, blobDigests: [] };
        expectCode(await server.endpoint.call("findMissing", request), INVALID_ARGUMENT);
      }
    },
  ),
  must("names/malformed", "Resource names that are none are INVALID_ARGUMENT.", async (server) => {
    const { hash, sizeBytes } = server.blob().digest;
    for (const name of [
      "",
      "blobs",
      "blobs/",
      `blobs/${hash}`,
      `blobs/${hash}/x`,
      `blobs/${hash}/${sizeBytes}/more`,
      `${hash}/${sizeBytes}`,
    ]) {
      expectCode(await server.read(name), INVALID_ARGUMENT);
    }
    for (const name of [
      `uploads/blobs/${hash}/${sizeBytes}`,
      `blobs/${hash}/${sizeBytes}`,
      `uploads/${randomUUID()}`,
    ]) {
      expectCode(await server.write({ name, bytes: Buffer.from("x") }), INVALID_ARGUMENT);
    }
  }),
  optional(
    "names/request-metadata",
    "Calls with RequestMetadata are taken, and so are calls with a damaged one.",
    async (server) => {
      const metadata = encodeMessage("RequestMetadata", {
        toolDetails: { toolName: "reapi-conform", toolVersion: "1" },
        actionId: "action",
        toolInvocationId: randomUUID(),
        correlatedInvocationsId: randomUUID(),
        actionMnemonic: "Check",
        targetId: "//conform",
        configurationId: "configuration",
      });
      for (const bytes of [metadata, Buffer.from("\xff\xff\xff\xff", "latin1")]) {
        const headers = { [`${HEADERS}.requestmetadata-bin`]: bytes };
        const request = { ...server.scope, blobDigests: [server.blob().digest] };
        answerOf(await server.endpoint.call("findMissing", request, { headers }));
      }
    },
  ),
  optional(
    "names/resource-name-header",
    "The header resource-name, where it is sent, is the name of the request, else INVALID_ARGUMENT.",
    async (server) => {
      const blob = server.blob();
      await server.put(blob);
      const name = server.readName(blob);
      const read = async (header: string) =>
        await server.endpoint.call(
          "read",
          { resourceName: name },
          { headers: { [`${HEADERS}.resource-name`]: header } },
        );
      expectCode(await read(name), OK);
      expectCode(await read(server.readName(server.blob())), INVALID_ARGUMENT);
    },
  ),
  given(
    () => "cannot be brought about from outside without exhausting the server",
    optional("names/retry-info", "RESOURCE_EXHAUSTED and UNAVAILABLE carry a RetryInfo.", async () => {
      demand(false, "not reached");
    }),
  ),
]);
