// Goal: a changed command is explained by what differs. Method: records that differ in their arguments only.
import { expect, test } from "vitest";
import { compareKeyRecords, type KeyRecord } from "./key-record.ts";

const RECORD: KeyRecord = {
  schema: 1,
  isolation: "declared",
  arguments: [],
  passedArguments: [],
  directory: "",
  env: [],
  inputs: [],
  dependencies: [],
  outputGlobs: [],
  external: [],
  tools: [],
  platform: "test",
};

test.each([
  ["the script", ["sh", "-c", "tsc"], ["sh", "-c", "tsc -b"], "tsc → tsc -b"],
  ["the shell", ["sh", "-c", "tsc"], ["/bin/bash", "-c", "tsc"], "shell sh → /bin/bash"],
  ["both", ["sh", "-c", "tsc"], ["bash", "-c", "tsc -b"], "sh -c tsc → bash -c tsc -b"],
  ["a script that became arguments", ["sh", "-c", "tsc"], ["tsc"], "sh -c tsc → tsc"],
])("a command that differs in %s shows both sides of that", (_, before, now, detail) => {
  const reasons = compareKeyRecords({ ...RECORD, arguments: before }, { ...RECORD, arguments: now });
  expect(reasons).toEqual([{ code: "command-changed", detail }]);
});

test("a result of a server is told apart from one of this machine, and servers from each other", () => {
  const [here, there, elsewhere] = [RECORD, { ...RECORD, server: "grpc://one" }, { ...RECORD, server: "grpc://two" }];
  const reasons = ([before, now]: readonly [KeyRecord, KeyRecord]) => compareKeyRecords(before, now);
  expect(reasons([there, here])).toEqual([{ code: "place-changed", detail: "grpc://one → here" }]);
  expect(reasons([here, there])).toEqual([{ code: "place-changed", detail: "here → grpc://one" }]);
  expect(reasons([there, elsewhere])).toEqual([{ code: "place-changed", detail: "grpc://one → grpc://two" }]);
  expect(reasons([there, there])).toEqual([]);
});
