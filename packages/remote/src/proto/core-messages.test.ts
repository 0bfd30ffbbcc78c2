import * as core from "@kahn/core";
import { digestOf } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  actionResultMessage,
  durationMessage,
  messageActionResult,
  messageDurationMs,
  messageTimeMs,
  packAny,
  timestampMessage,
  unpackAny,
} from "./core-messages.ts";
import { PreconditionFailure, RetryInfo } from "./generated/error-details.ts";
import * as reapi from "./generated/remote-execution.ts";

const numRuns = 100 * Number(process.env.KAHN_TEST_SCALE ?? 1);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const text = fc.string({ unit: "binary", maxLength: 12 });
const digest = text.map((content) => digestOf(content));
const properties = fc.array(fc.record({ name: text, value: text }), { maxLength: 3 });
const time = fc.integer({ min: 0, max: 4e12 });
const command = fc.record({
  arguments: fc.array(text),
  environment: properties,
  outputPaths: fc.array(text),
  platform: properties,
  workingDirectory: text,
});
const action = fc.record(
  {
    command: digest,
    inputRoot: digest,
    timeoutMs: fc.nat(),
    doNotCache: fc.boolean(),
    salt: fc.uint8Array({ maxLength: 40 }),
    platform: properties,
  },
  { requiredKeys: ["command", "inputRoot", "doNotCache", "salt", "platform"] },
);
const directory = fc.record({
  files: fc.array(fc.record({ name: text, digest, executable: fc.boolean() }), { maxLength: 3 }),
  directories: fc.array(fc.record({ name: text, digest }), { maxLength: 3 }),
  symlinks: fc.array(fc.record({ name: text, target: text }), { maxLength: 3 }),
});
const times = { queuedAtMs: time, executionStartedAtMs: time, executionCompletedAtMs: time };
const actionResult = fc.record(
  {
    outputFiles: fc.array(fc.record({ path: text, digest, executable: fc.boolean() }), { maxLength: 3 }),
    outputDirectories: fc.array(fc.record({ path: text, tree: digest }), { maxLength: 3 }),
    outputSymlinks: fc.array(fc.record({ path: text, target: text }), { maxLength: 3 }),
    exitCode: fc.integer(),
    stdout: digest,
    stdoutRaw: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    stderr: digest,
    stderrRaw: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    metadata: fc.record({ worker: text, ...times }, { requiredKeys: ["worker"] }),
  },
  { requiredKeys: ["outputFiles", "outputDirectories", "outputSymlinks", "exitCode", "metadata"] },
);

// Goal: one message has one digest, whoever encodes it. Method: core's canonical bytes, read and written again by the
// generated codec.
test("core's bytes and the generated codec's are the same", () => {
  const same = (codec: { decode(bytes: Uint8Array): never; encode(message: never): Uint8Array }, bytes: Uint8Array) =>
    expect(hex(codec.encode(codec.decode(bytes)))).toBe(hex(bytes));
  fc.assert(
    fc.property(command, action, directory, (command, action, directory) => {
      same(reapi.Command as never, core.encodeCommand(command));
      same(reapi.Action as never, core.encodeAction(action));
      same(reapi.Directory as never, core.encodeDirectory(directory));
      same(reapi.Tree as never, core.encodeTree({ root: directory, children: [directory, directory] }));
      same(reapi.Digest as never, core.encodeDigest(action.command));
      same(reapi.Platform as never, core.encodePlatform(command.platform));
    }),
    { numRuns },
  );
});

test("an action result as a message has the bytes that core gives it, and comes back", () => {
  fc.assert(
    fc.property(actionResult, (result) => {
      const bytes = core.encodeActionResult(result);
      expect(hex(reapi.ActionResult.encode(actionResultMessage(result)))).toBe(hex(bytes));
      const back = messageActionResult(reapi.ActionResult.decode(bytes), "sha256");
      expect(back).toStrictEqual(core.decodeActionResult(bytes, "sha256"));
    }),
    { numRuns },
  );
});

test("an action result with a digest of another function is malformed", () => {
  const message = { stdoutDigest: { hash: "a".repeat(40), sizeBytes: 1 } };
  expect(messageActionResult(message, "sha1").ok).toBe(true);
  expect(messageActionResult(message, "sha256")).toMatchObject({ ok: false, problem: { code: "reapi-malformed" } });
});

test("times come back, and their nanoseconds are less than a second and of the right sign", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e12, max: 1e13, noNaN: true }), (ms) => {
      const stamp = timestampMessage(ms);
      expect(stamp.nanos).toBeGreaterThanOrEqual(0);
      const duration = durationMessage(ms);
      expect(duration.seconds * duration.nanos).toBeGreaterThanOrEqual(0);
      for (const { seconds, nanos } of [stamp, duration]) {
        expect(Number.isSafeInteger(seconds)).toBe(true);
        expect(Number.isInteger(nanos) && Math.abs(nanos) < 1e9).toBe(true);
      }
      expect(messageTimeMs(stamp)).toBeCloseTo(ms, 2);
      expect(messageDurationMs(duration)).toBeCloseTo(ms, 2);
    }),
    { numRuns },
  );
  expect(timestampMessage(-1)).toEqual({ seconds: -1, nanos: 999_000_000 });
  expect(durationMessage(-1500)).toEqual({ seconds: -1, nanos: -500_000_000 });
});

test("an Any holds a message of its type and of no other", () => {
  const any = packAny(PreconditionFailure, { violations: [{ type: "MISSING", subject: "blobs/ab/1" }] });
  expect(any.typeUrl).toBe("type.googleapis.com/google.rpc.PreconditionFailure");
  expect(unpackAny(PreconditionFailure, any)?.violations[0]?.subject).toBe("blobs/ab/1");
  expect(unpackAny(PreconditionFailure, { ...any, typeUrl: "google.rpc.PreconditionFailure" })).toBeDefined();
  expect(unpackAny(RetryInfo, any)).toBe(undefined);
});
