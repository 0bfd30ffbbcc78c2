// Goal: the memo says nothing that a look-up would not say. Method: fingerprints against keys over random actions; the
// file against itself over random entries; whole runs with the memo present are in run-graph.test.ts.
import { type Digest, digestOf, type InputEntry, type ResolvedAction } from "@kahn/core";
import { memoryFileSystem } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { actionKey } from "./action-key.ts";
import type { OutputEntry } from "./output-tree.ts";
import { keyFingerprint, type MemoEntry, openResultMemo } from "./result-memo.ts";

const word = fc.constantFrom("a", "b", "ab", "", "0", "x");
const name = fc.constantFrom("a", "b", "ab");
const digest = fc.constantFrom<Digest>(digestOf("1"), digestOf("2"), digestOf("22"));
const entry: fc.Arbitrary<InputEntry> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path: name, digest, executable: fc.boolean() }),
  fc.record({ kind: fc.constant("symlink" as const), path: name, target: name }),
);
const entries = fc.uniqueArray(entry, { selector: (each) => each.path, maxLength: 3 }).map((list) => {
  return list.sort((a, b) => (a.path < b.path ? -1 : 1));
});

const resolved: fc.Arbitrary<ResolvedAction> = fc
  .record({
    args: fc.array(word, { maxLength: 3 }),
    directory: name,
    outputs: fc.uniqueArray(name, { maxLength: 2 }),
    inputs: entries,
    external: fc.array(fc.tuple(name, digest), { maxLength: 1 }),
    tools: fc.array(fc.tuple(name, digest), { maxLength: 1 }),
    env: fc.uniqueArray(fc.tuple(name, fc.option(word, { nil: undefined })), {
      selector: ([each]) => each,
      maxLength: 2,
    }),
    passed: fc.array(word, { maxLength: 2 }),
    contributions: fc.array(fc.tuple(name, digest), { maxLength: 2 }),
    hermetic: fc.boolean(),
    server: fc.option(fc.constantFrom("0", "p"), { nil: undefined }),
  })
  .map((from) => ({
    label: "x",
    isolation: "declared",
    command: {
      arguments: from.args,
      environment: from.env.flatMap(([key, value]) => (value === undefined ? [] : [{ name: key, value }])),
      outputPaths: [...from.outputs].sort(),
      platform: [],
      workingDirectory: from.directory,
    },
    inputs: from.inputs,
    parts: {
      outputGlobs: from.outputs,
      external: from.external,
      tools: from.tools,
      platform: "p",
      ...(from.server === undefined ? {} : { server: from.server }),
      env: from.env,
      passedArguments: from.passed,
    },
    contributions: from.contributions,
    reach: "transitive",
    cacheable: true,
    outputs: { workspaceRoot: "/w", roots: [], matches: () => false, mode: "copy" },
    run: {} as ResolvedAction["run"],
    changedInputs: () => [],
  }));

test("equal fingerprints stand for equal keys", () => {
  const closures = fc.array(digest, { maxLength: 2 });
  fc.assert(
    fc.property(fc.array(fc.tuple(resolved, closures), { minLength: 2, maxLength: 12 }), (actions) => {
      const keys = new Map<string, string>();
      for (const [action, below] of actions) {
        const fingerprint = keyFingerprint(action, below);
        const key = actionKey(action, below).action;
        expect(keys.get(fingerprint) ?? key).toBe(key);
        keys.set(fingerprint, key);
      }
    }),
    { numRuns: 300 },
  );
});

test("what was put is read back from the file, entry by entry", () => {
  const output: fc.Arbitrary<OutputEntry> = fc.oneof(
    entry,
    fc.record({ kind: fc.constant("directory" as const), path: name }),
    fc.record({
      kind: fc.constant("symlink" as const),
      path: fc.constant("with space"),
      target: fc.constant("../a b"),
    }),
  );
  const memo: fc.Arbitrary<MemoEntry> = fc.record({
    fingerprint: name,
    action: digest,
    token: fc.constant("1/2/3.25"),
    outputs: digest,
    durationMs: fc.nat(),
    hasStreams: fc.boolean(),
    entries: fc.array(output, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("a#b", "c#d", "//#e"), memo), (all) => {
      const fs = memoryFileSystem();
      const written = openResultMemo(fs, "/memo");
      for (const [label, value] of Object.entries(all)) written.put(label, value);
      written.save();
      const read = openResultMemo(fs, "/memo");
      for (const [label, value] of Object.entries(all)) expect(read.get(label)).toEqual(value);
    }),
  );
});

test.each(["", "nonsense\n", "kahn results 1.1\na#b\tx\t99", "kahn results 1.1\na#b\n"])(
  "a foreign or torn file is an empty memo (%j)",
  (text) => {
    const fs = memoryFileSystem();
    fs.writeFile("/memo", text);
    expect(openResultMemo(fs, "/memo").get("a#b")).toBeUndefined();
  },
);

// Goal: a power loss may tear the file, and what is left must not pass for results with fewer outputs.
// Method: cut it, or let it end in zeros, at every byte.
test("a torn memo knows each result as it was or not at all", () => {
  const fs = memoryFileSystem();
  const digest = digestOf("x");
  const entries = ["dist/a", "dist/b", "dist/c"].map(
    (path) => ({ kind: "file", path, digest, executable: false }) as const,
  );
  const entry = { fingerprint: "f", action: digest, token: "t", outputs: digest, durationMs: 1, hasStreams: false };
  const all: Record<string, MemoEntry> = {
    "a#b": { ...entry, entries },
    "c#d": { ...entry, entries: entries.slice(1) },
  };
  const written = openResultMemo(fs, "/memo");
  for (const [label, value] of Object.entries(all)) written.put(label, value);
  written.save();
  const bytes = fs.readFile("/memo")!;
  for (let length = 0; length < bytes.length; length++) {
    const zeros = new Uint8Array(bytes.length);
    zeros.set(bytes.subarray(0, length));
    for (const torn of [bytes.subarray(0, length), zeros]) {
      fs.writeFile("/memo", torn);
      const read = openResultMemo(fs, "/memo");
      for (const [label, value] of Object.entries(all)) expect([undefined, value]).toContainEqual(read.get(label));
    }
  }
});
