import { canonicalJson, digestOf, type ResolvedAction } from "@kahn/core";
import { type MemoryFileSystem, memoryFileSystem, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openFileStates } from "../states/index.ts";
import { project, task, workspace } from "../testing-model.ts";
import { workspaceProvider } from "./workspace-provider.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const A = project("a", "a", ["b"]);
const B = project("b", "b");
const TASKS = [
  task(A, "all", { dependsOn: ["^one"] }),
  task(A, "tree", { inputs: ["src/**"], outputs: ["dist/**"] }),
  task(A, "same", { inputs: ["src/**", "conf", "x"] }),
  task(A, "glob", { inputs: ["**/*.ts", "!**/x.ts", "/b/x"] }),
  task(A, "out", { inputs: ["dist"] }),
  task(A, "one", {}),
];
const LABELS = TASKS.map((each) => each.id);
const MODEL = workspace("/w", [A, B], {
  tasks: TASKS,
  lockFile: "lock",
  settings: { globalInputs: ["base", "a/src/x.ts"] },
});
const PATHS = [
  "a/src/x.ts",
  "a/src/y.ts",
  "a/src/d/y.ts",
  "a/dist/y.ts",
  "a/conf",
  "a/conf/z.ts",
  "a/x",
  "b/x",
  "b/.gitignore",
  "base",
  "lock",
];

type Change =
  | { readonly kind: "write"; readonly path: string; readonly text: string }
  | { readonly kind: "link"; readonly path: string; readonly text: string }
  | { readonly kind: "chmod"; readonly path: string }
  | { readonly kind: "remove"; readonly path: string };

function key(action: ResolvedAction): string {
  const { command, inputs, parts, contributions } = action;
  return canonicalJson(JSON.parse(JSON.stringify({ command, inputs, parts, contributions })));
}

function makeWay(fs: MemoryFileSystem, path: string): string | undefined {
  for (let at = path.indexOf("/", 3); at !== -1; at = path.indexOf("/", at + 1)) {
    const parent = path.slice(0, at);
    if (fs.lstat(parent) !== undefined && fs.lstat(parent)?.kind !== "directory") return parent;
  }
  return undefined;
}

function apply(fs: MemoryFileSystem, change: Change): void {
  const path = `/w/${change.path}`;
  if (makeWay(fs, path) !== undefined) return;
  if (change.kind === "chmod") {
    if (fs.lstat(path)?.kind === "file") fs.chmod(path, 0o755);
    return;
  }
  fs.removeTree(path);
  fs.makeDirectory(path.slice(0, path.lastIndexOf("/")));
  if (change.kind === "write") fs.writeFile(path, change.text);
  if (change.kind === "link") fs.symlink(change.text, path);
}

// Goal: whatever is shared between resolutions, kept between runs or told by the executor, an action is always what a
// provider would make of it that knows nothing. Method: random programs of edits between runs, commands within a run,
// and restores that report what they write, compared with a fresh provider after each step.
test("a resolved action is what the files say now", async () => {
  const path = fc.constantFrom(...PATHS);
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ kind: fc.constant("write" as const), path, text: fc.constantFrom("1", "2", "y.ts") }),
    fc.record({ kind: fc.constant("link" as const), path, text: fc.constantFrom("x.ts", "y.ts") }),
    fc.record({ kind: fc.constant("chmod" as const), path }),
    fc.record({ kind: fc.constant("remove" as const), path }),
  );
  const step = fc.oneof(
    fc.record({ kind: fc.constant("run" as const), edits: fc.array(change, { maxLength: 3 }), saves: fc.boolean() }),
    fc.record({ kind: fc.constant("command" as const), edits: fc.array(change, { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant("restore" as const), path, text: fc.constantFrom("1", "2") }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("resolve" as const), label: fc.constantFrom(...LABELS) }),
    fc.record({ kind: fc.constant("resolve" as const), label: fc.constantFrom(...LABELS) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const clock = virtualClock();
      const fs = memoryFileSystem({
        clock,
        granularityMs: 4,
        files: { "usr/bin/node": "node", "w/.kahn/state/": "", "w/a/src/x.ts": "1" },
      });
      fs.chmod("/usr/bin/node", 0o755);
      clock.advance(3001);
      const open = (indexPath: string) => openFileStates({ fs, clock, indexPath, workspaceRoot: "/w" });
      const provide = (states: ReturnType<typeof open>) =>
        workspaceProvider({
          model: MODEL,
          states,
          fs,
          request: { tasks: TASKS.map((each) => each.task) },
          hostEnv: { PATH: "/usr/bin" },
          platform: "linux-x64",
          nodePath: "/usr/bin/node",
          startDirectory: "/w",
        });
      let states = open("/w/.kahn/state/files");
      let provider = provide(states);
      await provider.plan();
      for (const each of steps) {
        if (each.kind === "wait") clock.advance(each.ms);
        if (each.kind === "run") {
          for (const edit of each.edits) apply(fs, edit);
          if (each.saves) states.save();
          states = open("/w/.kahn/state/files");
          provider = provide(states);
          await provider.plan();
        }
        if (each.kind === "command") {
          const action = await provider.resolve("a#tree");
          if (!action.ok) continue;
          expect(action.value.run.env.PATH).toContain("/usr/bin");
          for (const edit of each.edits) apply(fs, edit);
        }
        if (each.kind === "restore") {
          const target = `/w/${each.path}`;
          if (makeWay(fs, target) !== undefined || fs.lstat(target)?.kind === "directory") continue;
          states.digests([target]);
          apply(fs, { kind: "write", path: each.path, text: each.text });
          states.remember([{ path: target, digest: digestOf(each.text), stat: fs.lstat(target)!, linked: false }]);
        }
        if (each.kind !== "resolve") continue;
        const fresh = provide(open("/w/.kahn/none/files"));
        await fresh.plan();
        const [ours, theirs] = [await provider.resolve(each.label), await fresh.resolve(each.label)];
        const shown = (outcome: typeof ours) => (outcome.ok ? key(outcome.value) : outcome.problem.message);
        expect(shown(ours)).toBe(shown(theirs));
      }
    }),
    { numRuns: 150 * SCALE },
  );
});
