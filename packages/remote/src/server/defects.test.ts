/** Defects of clusters, as far as a server by itself can have them: D20 and D22. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { digestOf } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { memoryFileSystem } from "@kahn/testing";
import { test } from "vitest";
import { putAction, seen } from "../execution/execution-server.fixture.ts";
import type { Channel } from "../grpc/index.ts";
import { methodOf, StatusCode, StatusError } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { makeCertificates } from "../port/certificates.fixture.ts";
import type { Operation } from "../proto/generated/operations.ts";
import { ContentAddressableStorageMethods as Cas, ExecutionMethods } from "../proto/generated/remote-execution.ts";
import { testServer } from "../server.fixture.ts";
import { memoryStore, realPlace } from "../store/store.fixture.ts";

const EXECUTE = methodOf("server-streaming", ExecutionMethods.execute);
const WAIT = methodOf("server-streaming", ExecutionMethods.waitExecution);
const MISSING = methodOf("unary", Cas.findMissingBlobs);
const clock = nodeClock();

// Goal: servers speak TLS to each other where they are told to, also with an authority of one's own, and never in clear
// instead. Method: a server behind another one, by grpcs://, with and without the authority that vouches for it.
test("D20: a server reaches the one behind it over TLS, and not at all where nobody vouches for that one", async () => {
  const { authority, server } = makeCertificates();
  const files = { "/ca.pem": authority.certificate, "/server.pem": server.certificate, "/server.key": server.key };
  const disk = () => {
    const fs = memoryFileSystem({ clock });
    for (const [path, text] of Object.entries(files)) fs.writeFile(path, text);
    return fs;
  };
  const store = await memoryStore();
  const behind = await testServer({
    config: "tls: { certificate: /server.pem, key: /server.key }",
    fs: disk(),
    ports: { store },
  });
  const url = behind.url.replace("http", "grpcs");
  const known = await testServer({ config: `backing: { url: "${url}", authorities: /ca.pem }`, fs: disk() });
  const unknown = await testServer({ config: `backing: { url: "${url}" }`, fs: disk() });
  try {
    const blob = Buffer.from("behind");
    assert.ok((await store.blobs.write(digestOf(blob), blob)).ok);
    const missingAt = async (channel: Channel) => {
      const asked = await channel.unary(MISSING, { blobDigests: [digestMessage(digestOf(blob))] });
      assert.ok(asked.ok);
      return asked.value.missingBlobDigests.length;
    };
    assert.equal(await missingAt(known.channel()), 0);
    assert.deepEqual(known.reported, []);
    assert.equal(await missingAt(unknown.channel()), 1);
    assert.deepEqual(
      unknown.reported.map(({ code }) => code),
      ["store-remote"],
    );
  } finally {
    for (const each of [known, unknown, behind]) await each.close();
  }
});

// Goal: a server that dies loses no result, and its clients learn that an operation is gone and ask anew. Method: two
// servers, one after the other, on one folder.
test("D22: after a restart an operation of before is NOT_FOUND, and executing again gives its result", async () => {
  const place = realPlace();
  const folder = mkdtempSync(`${tmpdir()}/kahn-restart-`);
  const guardian = startGuardian({ token: `restart-${process.pid}`, graceMs: 100 });
  const processes = directRunner({ clock, guardian });
  const start = async () => {
    const store = await place.open();
    const config = `dir: ${folder}\nexecution: { sandbox: "off" }`;
    return { store, it: await testServer({ config, fs: nodeFileSystem(), ports: { store, processes } }) };
  };
  try {
    const { store, it: first } = await start();
    const command = { arguments: ["sh", "-c", "echo once > out"], outputPaths: ["out"] };
    const environmentVariables = [{ name: "PATH", value: "/usr/bin:/bin" }];
    const action = await putAction(store, { command: { ...command, environmentVariables } });
    const actionDigest = digestMessage(action);
    const ran = await lastOf(first.channel().read(EXECUTE, { actionDigest }));
    assert.equal(ran.response?.result?.exitCode, 0);
    await first.close();

    const { it: second } = await start();
    const channel = second.channel();
    const waiting = channel.read(WAIT, { name: ran.name });
    await assert.rejects(lastOf(waiting), StatusError);
    assert.equal((await waiting.status).code, StatusCode.notFound);
    const again = await lastOf(channel.read(EXECUTE, { actionDigest }));
    assert.equal(again.response?.cachedResult, true);
    assert.deepEqual(again.response?.result?.outputFiles, ran.response?.result?.outputFiles);
    await second.close();
  } finally {
    await processes.close();
    place.cleanup();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function lastOf(call: { readonly messages: AsyncIterable<Operation> }) {
  let last: Operation | undefined;
  for await (const operation of call.messages) last = operation;
  assert.ok(last !== undefined);
  return seen(last);
}
