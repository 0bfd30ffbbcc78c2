import fc from "fast-check";
import { expect, test } from "vitest";
import { ActionResult } from "../../proto/generated/remote-execution.ts";
import { messages } from "../../proto/oracle.fixture.ts";
import { HttpRefusal } from "../exchange/http-refusal.ts";
import { actionResultFromJson, actionResultToJson } from "./action-result-json.ts";
import { binaryKind } from "./action-result-kind.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const HASH = "ab".repeat(32);

const fromJson = (json: unknown) => ActionResult.decode(actionResultFromJson(json as Record<string, unknown>));

// What moon 2.5 sends. The stamps have an offset, sizes are texts, the mode is a bare number.
const MOON = {
  outputFiles: [
    {
      path: "packages/a/dist/sub/x",
      digest: { hash: HASH, sizeBytes: "2" },
      isExecutable: true,
      contents: "",
      nodeProperties: { properties: [], mtime: "2026-11-20T12:33:50.123456789+00:00", unixMode: 493 },
    },
  ],
  outputFileSymlinks: [],
  exitCode: 0,
  stdoutRaw: "YnVpbHQK",
  stderrRaw: "",
  executionMetadata: { worker: "moon", executionStartTimestamp: "2026-11-20T13:33:50+01:00", auxiliaryMetadata: [] },
};

test("an action result as moon sends it is understood, and comes back with the same meaning", () => {
  const result = fromJson(MOON);
  expect(result.outputFiles[0]).toMatchObject({
    path: "packages/a/dist/sub/x",
    isExecutable: true,
    digest: { hash: HASH, sizeBytes: 2 },
    nodeProperties: { mtime: { seconds: 1795178030, nanos: 123456789 }, unixMode: { value: 493 } },
  });
  expect(Buffer.from(result.stdoutRaw).toString()).toBe("built\n");
  expect(result.executionMetadata).toMatchObject({ worker: "moon", executionStartTimestamp: { seconds: 1795178030 } });
  const back = actionResultToJson(ActionResult.encode(result));
  expect(fromJson(back)).toEqual(result);
  expect(back).toMatchObject({
    outputFiles: [{ digest: { sizeBytes: "2" }, nodeProperties: { mtime: "2026-11-20T12:33:50.123456789Z" } }],
  });
});

test("names as in the .proto file, nulls and unknown fields are taken; what does not fit is named", () => {
  expect(
    fromJson({ exit_code: "3", stdout_digest: { hash: HASH, size_bytes: 7 }, stderrRaw: null, later: [1] }),
  ).toEqual(fromJson({ exitCode: 3, stdoutDigest: { hash: HASH, sizeBytes: "7" } }));
  const wrong: readonly (readonly [json: object, field: string])[] = [
    [{ exitCode: 1.5 }, "exitCode"],
    [{ exitCode: 2 ** 31 }, "exitCode"],
    [{ outputFiles: {} }, "outputFiles"],
    [{ outputFiles: [{ path: 1 }] }, "outputFiles[0].path"],
    [{ outputFiles: [{ digest: { sizeBytes: "1e3" } }] }, "outputFiles[0].digest.sizeBytes"],
    [{ stdoutRaw: "§" }, "stdoutRaw"],
    [{ executionMetadata: { queuedTimestamp: "yesterday" } }, "executionMetadata.queuedTimestamp"],
    [{ executionMetadata: { virtualExecutionDuration: "1 s" } }, "executionMetadata.virtualExecutionDuration"],
  ];
  for (const [json, field] of wrong) {
    expect(() => fromJson(json)).toThrowError(HttpRefusal);
    expect(() => fromJson(json)).toThrowError(`field ${field} `);
  }
});

// Goal: nothing is lost on the way through JSON. Method: random messages; times that have no text, and packed messages of
// other types, are taken out, as the mapping cannot say them.
test("an action result that has gone through JSON is the one it was", () => {
  const type = "build.bazel.remote.execution.v2.ActionResult";
  fc.assert(
    fc.property(messages(type), (message) => {
      const sayable = withoutUnsayable(message) as ActionResult;
      const bytes = ActionResult.encode(sayable);
      const json = JSON.parse(JSON.stringify(actionResultToJson(bytes)));
      expect(Buffer.from(actionResultFromJson(json)).equals(bytes)).toBe(true);
    }),
    { numRuns: 200 * SCALE },
  );
});

function withoutUnsayable(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutUnsayable);
  if ("seconds" in value) {
    const { seconds } = value as { readonly seconds: number };
    return { seconds: Math.abs(seconds) % 250_000_000_000, nanos: Math.abs(seconds) % 1_000_000_000 };
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, key === "auxiliaryMetadata" ? [] : withoutUnsayable(each)]),
  );
}

test("bytes at /ac/ are an action result only when they are nothing else", () => {
  const digest = { hash: HASH, sizeBytes: 5 };
  const results = [
    ActionResult.encode({}),
    ActionResult.encode({ exitCode: 1 }),
    ActionResult.encode({ outputFiles: [{ path: "a", digest }], stdoutDigest: digest }),
    ActionResult.encode({ executionMetadata: { worker: "w" }, stdoutRaw: Buffer.from("text") }),
  ];
  for (const bytes of results) expect(binaryKind(bytes, "sha256")).toBe("action-result");
  const opaque = [
    Buffer.from("cCaC\0\x01\x02\x03"),
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00]),
    Buffer.from([0x1f, 0x8b, 0x08, 0x00]),
    Buffer.from('{"exitCode":0}'),
    Buffer.from("<html></html>"),
    Buffer.from("packages/a.txt\0\0\0\0"),
    Buffer.from([0x7f, 0x45, 0x4c, 0x46]),
    // An action result that was cut short, and one whose digest is no SHA-256.
    results[2]!.subarray(0, 40),
    ActionResult.encode({ stdoutDigest: { hash: "abc", sizeBytes: 1 } }),
  ];
  for (const bytes of opaque) expect(binaryKind(bytes, "sha256")).toBe("opaque");
});
