import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf } from "../digest.ts";
import * as decode from "./decode.ts";
import * as encode from "./encode.ts";
import * as oracle from "./proto-oracle.fixture.ts";

const numRuns = 150 * Number(process.env.KAHN_TEST_SCALE ?? 1);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

// Goal: our bytes are what every REAPI implementation computes digests of. Method: random values, encoded by us and by
// a protobuf library; then decoded again.
const messages = [
  {
    name: "Command",
    values: oracle.command,
    ours: encode.encodeCommand,
    theirs: oracle.plainCommand,
    back: decode.decodeCommand,
  },
  {
    name: "Action",
    values: oracle.action,
    ours: encode.encodeAction,
    theirs: oracle.plainAction,
    back: (bytes: Uint8Array) => decode.decodeAction(bytes, "sha256"),
  },
  {
    name: "Directory",
    values: oracle.directory,
    ours: encode.encodeDirectory,
    theirs: oracle.plainDirectory,
    back: (bytes: Uint8Array) => decode.decodeDirectory(bytes, "sha256"),
  },
  {
    name: "Tree",
    values: oracle.tree,
    ours: encode.encodeTree,
    theirs: (value: { root: never; children: never[] }) => ({
      root: oracle.plainDirectory(value.root),
      children: value.children.map(oracle.plainDirectory),
    }),
    back: (bytes: Uint8Array) => decode.decodeTree(bytes, "sha256"),
  },
  {
    name: "ActionResult",
    values: oracle.actionResult,
    ours: encode.encodeActionResult,
    theirs: oracle.plainActionResult,
    back: (bytes: Uint8Array) => decode.decodeActionResult(bytes, "sha256"),
  },
  {
    name: "Digest",
    values: oracle.digest,
    ours: encode.encodeDigest,
    theirs: oracle.plainDigest,
    back: (bytes: Uint8Array) => decode.decodeDigest(bytes, "sha256"),
  },
] as unknown as readonly {
  readonly name: string;
  readonly values: fc.Arbitrary<unknown>;
  readonly ours: (value: unknown) => Uint8Array;
  readonly theirs: (value: unknown) => { readonly [key: string]: unknown };
  readonly back: (bytes: Uint8Array) => { readonly ok: boolean; readonly value?: unknown };
}[];

for (const { name, values, ours, theirs, back } of messages) {
  test(`a ${name} has the bytes that a protobuf library gives it, and decodes to itself`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = ours(value);
        expect(hex(bytes)).toBe(hex(oracle.oracleBytes(name, theirs(value))));
        expect(back(bytes)).toStrictEqual({ ok: true, value });
      }),
      { numRuns },
    );
  });

  // Goal: two different values never share a key. Method: compare the bytes of two random values, drawn from a small
  // alphabet so that neighbours are frequent ("a"+"bc" against "ab"+"c").
  test(`two different ${name} values have different bytes`, () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const same = hex(ours(a)) === hex(ours(b));
        expect(same).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns },
    );
  });

  // Goal: decoders are total. Method: damage valid bytes (cut, flip, insert) and feed pure noise; any answer is fine,
  // an exception is not.
  test(`no byte string makes the ${name} decoder throw`, () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.uint8Array({ maxLength: 12 }), fc.nat(), (value, at, noise, cut) => {
        const whole = ours(value);
        const where = whole.length === 0 ? 0 : at % whole.length;
        const damaged = Buffer.concat([whole.subarray(0, where), noise, whole.subarray(where + (cut % 3))]);
        for (const bytes of [damaged, whole.subarray(0, where), noise]) {
          const answer = back(bytes);
          if (!answer.ok) expect(answer).toMatchObject({ problem: { code: "reapi-malformed" } });
        }
      }),
      { numRuns: numRuns * 2 },
    );
  });
}

test("the order in which lists are declared does not reach the bytes", () => {
  fc.assert(
    fc.property(oracle.command, oracle.actionResult, oracle.directory, (command, result, directory) => {
      const reversedCommand = {
        ...command,
        environment: [...command.environment].reverse(),
        outputPaths: [...command.outputPaths, ...command.outputPaths].reverse(),
        platform: [...command.platform].reverse(),
      };
      expect(hex(encode.encodeCommand(reversedCommand))).toBe(hex(encode.encodeCommand(command)));
      const reversedResult = {
        ...result,
        outputFiles: [...result.outputFiles].reverse(),
        outputDirectories: [...result.outputDirectories].reverse(),
        outputSymlinks: [...result.outputSymlinks].reverse(),
      };
      expect(hex(encode.encodeActionResult(reversedResult))).toBe(hex(encode.encodeActionResult(result)));
      const reversedDirectory = {
        files: [...directory.files].reverse(),
        directories: [...directory.directories].reverse(),
        symlinks: [...directory.symlinks].reverse(),
      };
      expect(hex(encode.encodeDirectory(reversedDirectory))).toBe(hex(encode.encodeDirectory(directory)));
    }),
    { numRuns },
  );
});

test("the argument order of a command does reach the bytes", () => {
  const command = { arguments: ["a", "b"], environment: [], outputPaths: [], platform: [], workingDirectory: "" };
  const other = { ...command, arguments: ["b", "a"] };
  expect(hex(encode.encodeCommand(other))).not.toBe(hex(encode.encodeCommand(command)));
});

test("unknown fields are passed over, so a newer sender is understood", () => {
  const bytes = oracle.oracleBytes("Directory", {
    files: [{ name: "a", digest: oracle.plainDigest(digestOf("a")), nodeProperties: { mtime: { seconds: 7 } } }],
    nodeProperties: { properties: [{ name: "x", value: "y" }] },
  });
  const expected = { files: [{ name: "a", digest: digestOf("a"), executable: false }], directories: [], symlinks: [] };
  expect(decode.decodeDirectory(bytes, "sha256")).toStrictEqual({ ok: true, value: expected });
});

test("output files and directories of an old client are the output paths, unless it sets those as well", () => {
  const old = { outputFiles: ["a.o"], outputDirectories: ["dist"] };
  const first = decode.decodeCommand(oracle.oracleBytes("Command", old));
  expect(first).toMatchObject({ ok: true, value: { outputPaths: ["a.o", "dist"] } });
  const second = decode.decodeCommand(oracle.oracleBytes("Command", { ...old, outputPaths: ["b"] }));
  expect(second).toMatchObject({ ok: true, value: { outputPaths: ["b"] } });
});

test("symlinks in the fields of an old server are read once", () => {
  const link = { path: "l", target: "t" };
  const bytes = oracle.oracleBytes("ActionResult", {
    outputSymlinks: [link],
    outputFileSymlinks: [link],
    outputDirectorySymlinks: [{ path: "d", target: "u" }],
  });
  const expected = { ok: true, value: { outputSymlinks: [link, { path: "d", target: "u" }] } };
  expect(decode.decodeActionResult(bytes, "sha256")).toMatchObject(expected);
});

test("a digest of another function, upper-case or not hex at all, is malformed", () => {
  const hash = "a".repeat(64);
  for (const bad of [hash.toUpperCase(), hash.slice(1), `${hash}a`, "g".repeat(64), "é".repeat(64)]) {
    const bytes = oracle.oracleBytes("Digest", { hash: bad, sizeBytes: 1 });
    expect(decode.decodeDigest(bytes, "sha256")).toMatchObject({ ok: false, problem: { code: "reapi-malformed" } });
  }
  const negative = oracle.oracleBytes("Digest", { hash, sizeBytes: -1 });
  expect(decode.decodeDigest(negative, "sha256").ok).toBe(false);
});

test("an empty stdout digest means that there is none", () => {
  const decoded = decode.decodeActionResult(oracle.oracleBytes("ActionResult", { stdoutDigest: {} }), "sha256");
  expect(decoded.ok && decoded.value.stdout).toBe(undefined);
});

test("an invalid UTF-8 string is malformed, not repaired", () => {
  expect(decode.decodeCommand(Uint8Array.of(0o12, 2, 0xc3, 0x28)).ok).toBe(false);
});

test("a length beyond the end of the message around it is malformed, although the bytes go on", () => {
  // Platform { Property of 2 bytes: name of 9 bytes }, followed by nine bytes of the outer message.
  const bytes = Uint8Array.of(0o12, 2, 0o12, 9, ...Buffer.from("123456789"));
  expect(decode.decodePlatform(bytes).ok).toBe(false);
});
