/** Signed results: what other servers do to a result leaves its signature good, what an attacker does makes it void. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { digestOf } from "@kahn/core";
import { test } from "vitest";
import { digestMessage } from "../names/request-digest.ts";
import { ActionResult } from "../proto/generated/remote-execution.ts";
import { withInlined, withoutRaw, withWorker } from "../reapi/actions/inlining.ts";
import { resultSigner, resultVerifier, trustedKey } from "./result-signature.ts";

const pair = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519");
const pem = (key: typeof pair.privateKey) => key.export({ type: "pkcs8", format: "pem" }) as string;
const signer = resultSigner("key.pem", pem(pair.privateKey));
const other = resultSigner("key.pem", pem(stranger.privateKey));
assert.ok(signer.ok && other.ok);
const isSigned = resultVerifier([pair.publicKey]);
const [sign, signAsStranger] = [signer.value.sign, other.value.sign];

const blob = Buffer.from("contents");
const digest = digestMessage(digestOf(blob));
const action = digestOf(Buffer.from("action"));
const base = {
  outputFiles: [{ path: "out/a", digest, isExecutable: true }],
  outputSymlinks: [{ path: "out/l", target: "a" }],
  stdoutDigest: digest,
  stderrRaw: Buffer.from("warned"),
  executionMetadata: { worker: "w1" },
};
const RESULT = ActionResult.encode(base);

test("a signature outlives inlining, taking out, a worker's name, and being written anew", async () => {
  const signed = await sign(action, RESULT);
  const inlined = Buffer.concat(
    withInlined(signed, { stdout: blob, stderr: undefined, files: new Map([["out/a", blob]]) }),
  );
  const anew = ActionResult.encode(ActionResult.decode(inlined));
  for (const result of [
    ...[signed, inlined, anew, withoutRaw(inlined, (bytes) => digestOf(bytes)).result, withWorker(signed, "w2")],
    ...[await sign(action, signed), await signAsStranger(action, signed)],
  ]) {
    assert.ok(await isSigned(action, result));
    assert.equal(ActionResult.decode(result).outputFiles[0]!.path, "out/a");
  }
  assert.equal((await sign(action, signed)).length, signed.length);
  assert.equal(ActionResult.decode(signed).executionMetadata?.worker, "w1");
});

test("nothing that a client acts on can be changed, added or taken away", async () => {
  const signed = ActionResult.decode(await sign(action, RESULT));
  const { executionMetadata } = signed;
  const evil = digestMessage(digestOf(Buffer.from("evil")));
  const changes: readonly Parameters<typeof ActionResult.encode>[0][] = [
    { ...signed, exitCode: 1 },
    { ...signed, outputFiles: [] },
    { ...signed, outputFiles: [{ ...base.outputFiles[0]!, digest: evil }] },
    { ...signed, outputFiles: [{ ...base.outputFiles[0]!, isExecutable: false }] },
    { ...signed, outputSymlinks: [{ path: "out/l", target: "/etc/passwd" }] },
    { ...signed, outputFileSymlinks: [{ path: "x", target: "y" }] },
    { ...signed, outputDirectories: [{ path: "d", treeDigest: evil }] },
    { ...signed, stdoutDigest: evil },
    { ...signed, stdoutRaw: Buffer.from("other") },
    { ...signed, stderrRaw: Buffer.from("other") },
    { executionMetadata },
  ];
  for (const [index, change] of changes.entries()) {
    assert.equal(await isSigned(action, ActionResult.encode(change)), false, `change ${index}`);
  }
  const unknownField = Buffer.concat([await sign(action, RESULT), Buffer.from([0xba, 0x06, 1, 1])]);
  assert.equal(await isSigned(action, unknownField), false);
  assert.equal(await isSigned(digestOf(Buffer.from("another action")), ActionResult.encode(signed)), false);
});

test("no signature, a stranger's, and rubbish are all unsigned; only ed25519 keys are taken", async () => {
  for (const result of [RESULT, await signAsStranger(action, RESULT), Buffer.from([0xff, 1, 2]), Buffer.alloc(0)]) {
    assert.equal(await isSigned(action, result), false);
  }
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const failed = resultSigner("key.pem", pem(rsa.privateKey));
  assert.ok(!failed.ok && failed.problem.code === "serve-signing-key-invalid");
  assert.ok(!trustedKey("key.pem", "no key").ok);
});
