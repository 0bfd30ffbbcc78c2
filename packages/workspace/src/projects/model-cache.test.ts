import type { FileSystem } from "@kahn/core";
import { countingFileSystem, memoryFileSystem, testScale, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WorkspaceModel } from "../model.ts";
import { npmWorkspace, textOf } from "../workspace.fixture.ts";
import { loadWorkspace } from "./load-workspace.ts";
import { packModel, unpackModel } from "./model-encoding.ts";

const FILES: Readonly<Record<string, unknown>> = {
  ...npmWorkspace({
    a: { scripts: { build: "tsc", test: "vitest" } },
    b: { scripts: { build: "tsc" }, dependencies: { a: "*" } },
  }),
  "kahn.jsonc": { tasks: { build: { dependsOn: ["^build"], outputs: ["dist/**"] } } },
  "packages/notes/readme.md": "no manifest yet",
};

/** A workspace whose file system's clock the test moves. */
function workspace() {
  const clock = virtualClock();
  const files = Object.fromEntries(Object.entries(FILES).map(([path, value]) => [`ws/${path}`, textOf(value)]));
  const fs = memoryFileSystem({ files, clock });
  const load = async (through: FileSystem = fs, version = "1"): Promise<WorkspaceModel> => {
    const result = await loadWorkspace({
      fs: through,
      startDirectory: "/ws",
      processorCount: 2,
      importModule: () => Promise.reject(new Error("no modules here")),
      modelCache: { file: (root) => `${root}/.kahn/state/model.json`, version },
    });
    if (!result.ok) throw new Error(JSON.stringify(result.problem));
    return result.value;
  };
  return { clock, fs, load };
}

type Workspace = ReturnType<typeof workspace>;

/** `kept`: the stored model answered; `read`: the files were read again. */
async function answerOf({ fs, load }: Workspace): Promise<"kept" | "read"> {
  const counting = countingFileSystem(fs);
  await load(counting);
  return counting.pathsOf("readFile").includes("/ws/packages/a/package.json") ? "read" : "kept";
}

test("a second start reads no manifest and gives the same model", async () => {
  const workspaceUnderTest = workspace();
  const { clock, fs, load } = workspaceUnderTest;
  clock.advance(60_000);
  const first = await load();
  clock.advance(1000);
  const counting = countingFileSystem(fs);
  expect(await load(counting)).toEqual(first);
  expect(counting.pathsOf("readFile")).toEqual(["/ws/package.json", "/ws/.kahn/state/model.json"]);
});

// Goal: no edit that matters goes unnoticed, and none that does not costs anything. Method: every kind of edit after a
// model was kept; the model after it equals that of a fresh load.
test("every edit that the model rests on is noticed, and no other", async () => {
  const write =
    (path: string, value: unknown) =>
    ({ fs }: Workspace) => {
      fs.makeDirectory(`/ws/${path}`.slice(0, `/ws/${path}`.lastIndexOf("/")));
      fs.writeFile(`/ws/${path}`, textOf(value));
    };
  const edits: [string, (workspace: Workspace) => void, "kept" | "read"][] = [
    ["nothing", () => {}, "kept"],
    ["a source file", write("packages/a/src/x.ts", ""), "kept"],
    ["outputs", write("packages/a/dist/x.js", ""), "kept"],
    ["a file among the project folders", write("packages/readme.md", ""), "kept"],
    [
      "a manifest of the same size",
      write("packages/a/package.json", textOf(FILES["packages/a/package.json"]).replace("tsc", "tcs")),
      "read",
    ],
    ["a manifest of the same size and time", (workspace) => putBack(workspace), "read"],
    ["the configuration", write("kahn.jsonc", {}), "read"],
    ["a new project", write("packages/new/package.json", { name: "new" }), "read"],
    ["a manifest in a folder that had none", write("packages/notes/package.json", { name: "notes" }), "read"],
    ["a project's first own configuration", write("packages/b/kahn.jsonc", { tasks: { test: {} } }), "read"],
    ["another package manager", write("yarn.lock", ""), "read"],
    ["a second configuration is not yet there", ({ fs }) => fs.removeTree("/ws/packages/a/src"), "kept"],
    ["a project gone", ({ fs }) => fs.removeTree("/ws/packages/b"), "read"],
    ["a torn store", ({ fs }) => fs.writeFile("/ws/.kahn/state/model.json", '{"stamp"'), "read"],
  ];
  for (const [name, edit, expected] of edits) {
    const each = workspace();
    each.clock.advance(60_000);
    await each.load();
    each.clock.advance(1000);
    edit(each);
    expect(await answerOf(each), name).toBe(expected);
    each.clock.advance(1000);
    const now = await each.load();
    each.fs.removeTree("/ws/.kahn");
    expect(now, name).toEqual(await each.load());
  }
});

/** Changes a manifest and gives it its old time, as an unpacker or `cp -p` would. */
function putBack({ fs }: Workspace): void {
  const path = "/ws/packages/a/package.json";
  const { mtimeMs } = fs.lstat(path)!;
  fs.writeFile(path, textOf(FILES["packages/a/package.json"]).replace("tsc", "tcs"));
  fs.setTimes(path, mtimeMs, mtimeMs);
}

test("another version of Kahn reads again", async () => {
  const each = workspace();
  each.clock.advance(60_000);
  await each.load();
  expect(await answerOf({ ...each, load: (fs) => each.load(fs, "2") })).toBe("read");
});

test("a file that changes twice within one tick is read again until it has settled", async () => {
  const each = workspace();
  each.clock.advance(60_000);
  const path = "/ws/packages/a/package.json";
  const text = textOf(FILES["packages/a/package.json"]);
  each.fs.writeFile(path, text.replace("tsc", "aaa"));
  await each.load();
  each.fs.writeFile(path, text.replace("tsc", "bbb"));
  expect((await each.load()).tasks[0]!.command).toMatchObject({ script: "bbb" });
  each.clock.advance(1000);
  expect(await answerOf(each)).toBe("read");
  expect(await answerOf(each)).toBe("kept");
});

test("a state folder that cannot be written costs time only", async () => {
  const each = workspace();
  each.fs.writeFile("/ws/.kahn", "a file in the way");
  const first = await each.load();
  expect(await each.load()).toEqual(first);
});

// Goal: packing loses nothing. Method: models of random tasks; the stored form goes through JSON as it does on disk.
test("a model that is packed and unpacked is the same", async () => {
  const { load } = workspace();
  const base = await load();
  const field = fc.record({ retries: fc.nat(2), tags: fc.array(fc.constantFrom("x", "y"), { maxLength: 2 }) });
  const tasks = fc.array(fc.tuple(fc.nat(base.tasks.length - 1), field, fc.nat(3)), { maxLength: 20 });
  fc.assert(
    fc.property(tasks, (choices) => {
      const chosen = choices.map(([index, fields, line]) => {
        const task = base.tasks[index]!;
        return { ...task, ...fields, declaredAt: { file: "kahn.jsonc", line } };
      });
      const model: WorkspaceModel = { ...base, tasks: chosen };
      expect(unpackModel(JSON.parse(JSON.stringify(packModel(model))))).toEqual(model);
    }),
    { numRuns: 50 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});
