/** `reapi-conform`: on a server of ours it passes, on broken ones it fails, and it can be told what to do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { closedAddress } from "@kahn/testing";
import { afterAll, beforeAll, test } from "vitest";
import { tokenHash } from "../access/token.ts";
import { FAULTS, startBroken } from "./broken-server.fixture.ts";
import { CHECKS } from "./catalogue.ts";
import { runConform, startWholeServer } from "./conform.fixture.ts";

let server: Awaited<ReturnType<typeof startWholeServer>>;

beforeAll(async () => {
  server = await startWholeServer();
});

afterAll(async () => await server.close());

// Goal: a server of ours meets every obligation of the checklist, and the report that is shown of it is a true one.
// Method: every check, over grpc-js and protobufjs, against a server on disk that runs real commands.
test("our server passes every check, and the report in the documents says what a run says", {
  timeout: 120_000,
}, async () => {
  const { exitCode, out, error } = await runConform(server.target, "--markdown", "--jobs", "8");
  assert.deepEqual(failuresOf(out), []);
  assert.deepEqual([exitCode, error], [0, ""]);
  assert.deepEqual(server.reported, []);
  const document = readFileSync(new URL("../../../../docs/conformance.md", import.meta.url), "utf8");
  const written = document.slice(document.indexOf(" passed, ") - 3);
  assert.deepEqual(rowsOf(written), rowsOf(out), "docs/conformance.md: run node tools/conformance.mjs");
});

// Goal: no check passes whatever a server does. Method: a server of ours with one method replaced by one that errs.
test.each(Object.entries(FAULTS))("a server is found out when %s", async (_, { check, fault }) => {
  const broken = await startBroken(fault);
  try {
    const { exitCode, out } = await runConform(broken.target, "--only", check, "--exec", "--json");
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name?: string; result?: string; why?: string });
    const found = lines.find(({ name }) => name === check);
    assert.deepEqual([found?.result, exitCode], ["failed", 1], JSON.stringify(found));
    assert.deepEqual(broken.faults, []);
  } finally {
    await broken.close();
  }
});

test("names of checks are unique, and every section of the checklist has some", () => {
  const names = CHECKS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual([...new Set(CHECKS.map(({ section }) => section))].sort(), [
    "2.1",
    "2.2",
    "2.3",
    "2.4",
    "2.5",
    "2.6",
    "2.7",
    "2.8",
  ]);
  for (const { name, obligation } of CHECKS) assert.match(`${name} ${obligation}`, /^[a-z-]+\/[a-z-]+ \S.*\.$/);
});

test("what does not apply is skipped, and says why", async () => {
  const { exitCode, out } = await runConform(
    server.target,
    "--no-exec",
    "--only",
    "execute/success",
    "--only",
    "names/retry-info",
  );
  assert.equal(exitCode, 0);
  assert.match(out, /skip {2}2\.6 {2}must {6}execute\/success\n +execution was not to be checked/);
  assert.match(out, /skip {2}2\.1 {2}optional {2}names\/retry-info\n +cannot be brought about/);
  assert.match(out, /is met; 2 of 2 were not checked\.\n$/);
});

// Goal: that a caller lacks a right is not taken for a mistake of the server. Method: every check, by a caller that may
// only read, and by one that may do nothing.
test("what a caller may not do is skipped and fails nothing", async () => {
  const guarded = await startWholeServer(`access:
  tokens: [{ name: reader, hash: "${tokenHash("reader")}" }]
  rules: [{ who: "token:reader", allow: read }]
`);
  try {
    for (const [code, ...headers] of [
      ["PERMISSION_DENIED", "--header", "authorization=Bearer reader"],
      ["UNAUTHENTICATED"],
    ]) {
      const { exitCode, out } = await runConform(guarded.target, "--markdown", ...headers);
      assert.deepEqual(failuresOf(out), []);
      assert.equal(exitCode, 0);
      assert.ok(out.includes(`this caller may not: BatchUpdateBlobs ended with ${code}`), code);
    }
  } finally {
    await guarded.close();
  }
});

test("checks are chosen by a part of the name, a pattern, or a section", async () => {
  const listed = async (...only: string[]) => {
    const { out } = await runConform("--list", ...only.flatMap((each) => ["--only", each]));
    return out.split("\n").flatMap((line) => /^2\.\d +\w+ +(\S+)$/.exec(line)?.[1] ?? []);
  };
  assert.equal((await listed()).length, CHECKS.length);
  assert.deepEqual(await listed("capabilities/zs"), ["capabilities/zstd"]);
  assert.deepEqual(await listed("logs/*ed"), ["logs/created", "logs/tailed"]);
  assert.equal((await listed("2.8")).length, 6);
});

test("a wrong command line is exit code 2, with what is wrong; a server that is not there is 1", async () => {
  const wrong: readonly (readonly [RegExp, ...string[]])[] = [
    [/name the server/],
    [/one server at a time/, "a:1", "b:2"],
    [/x is no server/, "x"],
    [/exclude each other/, "a:1", "--exec", "--no-exec"],
    [/exclude each other/, "a:1", "--json", "--markdown"],
    [/belong together/, "a:1", "--tls-cert", "f"],
    [/--header wants NAME=VALUE/, "a:1", "--header", "x"],
    [/--jobs wants a number/, "a:1", "--jobs", "0"],
    [/Unknown option '--nonsense'/, "a:1", "--nonsense"],
    [/no check is called nonsense/, "a:1", "--only", "nonsense"],
    [/ENOENT/, "grpcs://a:1", "--tls-ca", "/nowhere/ca.pem"],
  ];
  for (const [message, ...argv] of wrong) {
    const { exitCode, error, out } = await runConform(...argv);
    assert.match(error, message);
    assert.deepEqual([exitCode, out], [2, ""]);
  }
  const absent = await runConform(`grpc://${await closedAddress()}`);
  assert.equal(absent.exitCode, 1);
  assert.match(absent.error, /GetCapabilities ended with UNAVAILABLE/);
});

test("--help names every option", async () => {
  const { exitCode, out } = await runConform("--help");
  assert.equal(exitCode, 0);
  for (const option of ["--instance", "--header", "--only", "--exec", "--tls-ca", "--json", "--markdown", "--list"]) {
    assert.ok(out.includes(option), option);
  }
});

function failuresOf(markdown: string): readonly string[] {
  return markdown.split("\n").filter((line) => line.includes("**fail**"));
}

/** What is in the tables, whatever their columns' widths. */
function rowsOf(markdown: string): readonly string[] {
  return markdown
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.replaceAll(/\s+/g, " "));
}
