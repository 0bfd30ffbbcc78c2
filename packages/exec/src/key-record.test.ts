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
