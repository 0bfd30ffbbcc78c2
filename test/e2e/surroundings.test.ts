// Goal: whatever the machine refuses and whoever else is at work, Kahn says what and what next, and nothing is lost.
// Method: real full disks, real users without rights, real second processes.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { kahnBinary, until } from "./rig/kahn-process.ts";
import { manifest, ROOT_MANIFEST, reasonsOf, Workspace } from "./rig/workspace.ts";

const HELD = "touch began; while [ ! -e go ]; do sleep 0.02; done; echo done > out";

function held(): Workspace {
  return new Workspace({
    "package.json": manifest("one", { build: HELD }),
    src: "a\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["out"] } } },
  });
}

test("a script that runs its own task is refused and the chain is named", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "kahn run build" }),
    "kahn.jsonc": { tasks: {} },
  });
  work.installKahn();
  const run = await work.kahn("run build");
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain("error[run-recursive]: //#build would run itself: //#build → //#build");
  expect(run.stdout).toContain("next: Let the script of //#build do its own work");
});

test("a task that runs itself through another one is refused with the whole chain", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { a: "kahn run b", b: "kahn run a" }),
    "kahn.jsonc": { concurrency: 1, tasks: {} },
  });
  work.installKahn();
  const run = await work.kahn("run a");
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain("//#a would run itself: //#a → //#b → //#a");
});

test("a task may run another task through kahn: it neither waits for the lock nor for a slot", async () => {
  const work = new Workspace({
    "package.json": manifest("one", { all: "kahn run part", part: "echo part of it > part.txt" }),
    "kahn.jsonc": { concurrency: 1, tasks: { part: { inputs: [], outputs: ["part.txt"] }, all: { cache: false } } },
  });
  work.installKahn();
  const run = await work.run("all");
  expect(run.exitCode, run.stdout).toBe(0);
  expect(work.read("part.txt")).toBe("part of it\n");
  const again = await work.kahn("run all");
  expect(again.stdout).toContain("= //#part cached");
});

test("a second kahn in the same workspace waits, says for whom, and then runs", async () => {
  const work = held();
  const first = work.start(["run", "build"]);
  await until("the first one runs its task", () => work.exists("began"));
  const second = work.start(["run", "build", "--json"]);
  await second.printed("waiting");
  expect(second.stderr).toMatch(
    new RegExp(`^waiting for \`kahn run build\`, process ${first.pid}, since \\d.*\\d.*\\n$`),
  );
  expect(second.stdout).toBe("");
  work.write("go", "");
  expect((await first.ended).exitCode).toBe(0);
  const { exitCode, stdout } = await second.ended;
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({ executed: 0, cached: 1 });
});

test("Ctrl-C ends the waiting for another kahn, and that one goes on", async () => {
  const work = held();
  const first = work.start(["run", "build"]);
  await until("the first one runs its task", () => work.exists("began"));
  const second = work.start(["run", "build"]);
  await second.printed("waiting");
  second.signal("SIGINT");
  expect((await second.ended).exitCode).toBe(130);
  work.write("go", "");
  expect((await first.ended).exitCode).toBe(0);
});

test("commands that only look do not wait for a run", async () => {
  const work = held();
  const first = work.start(["run", "build"]);
  await until("the first one runs its task", () => work.exists("began"));
  for (const command of ["ls", "why build", "run build --dry", "run build --graph", "runs list", "cache stats"]) {
    const look = await work.kahn(command);
    expect(look.exitCode, `${command}: ${look.stderr}`).toBe(0);
    expect(look.stderr).toBe("");
  }
  work.write("go", "");
  expect((await first.ended).exitCode).toBe(0);
});

/** Makes a file system of its own of a folder, or skips the test with the reason. */
function smallDisk(work: Workspace, folder: string, { skip }: TestContext, size: string): void {
  mkdirSync(work.path(folder), { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", work.path(folder)], {
    encoding: "utf8",
  });
  if (mounted.status !== 0) skip(`cannot mount a small file system here: ${mounted.stderr || mounted.error?.message}`);
  onTestFinished(() => void execFileSync("umount", [work.path(folder)]));
}

const LARGE = "mkdir -p dist; head -c 3000000 /dev/urandom > dist/large; echo made";

test("a cache on a disk that fills: the task succeeds, it is said, and what was cached stays", async (context) => {
  const work = new Workspace({
    "package.json": manifest("one", { small: "mkdir -p small && echo s > small/s", large: LARGE }),
    "kahn.jsonc": {
      tasks: { small: { inputs: [], outputs: ["small/**"] }, large: { inputs: [], outputs: ["dist/**"] } },
    },
  });
  smallDisk(work, "full", context, "1m");
  const env = { KAHN_CACHE_DIR: work.path("full/cache") };
  await work.run("small", { env });
  const run = await work.run("large", { env });
  expect(run.exitCode, run.stderr).toBe(0);
  expect(run.log.warnings()).toEqual(["result-not-stored"]);
  const shown = await work.kahn("run large", { env });
  expect(shown.stdout).toMatch(/warning\[result-not-stored\]: the result of \/\/#large could not be stored/);
  expect(shown.stdout).toMatch(/because: .*\[store-full\]/);
  expect(reasonsOf(await work.run("large", { env }))["//#large"]).toEqual(["not-stored"]);
  expect((await work.run("small", { env })).finished).toMatchObject({ executed: 0, cached: 1 });
  expect((await work.kahn("cache verify", { env })).exitCode).toBe(0);
});

test("a state folder on a disk that is full: one coded error, nothing runs, and with room again it goes on", async (context) => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "echo b > out; touch ran" }),
    "kahn.jsonc": { cache: { dir: "../cache" }, tasks: { build: { inputs: [], outputs: ["out"] } } },
  });
  smallDisk(work, ".kahn", context, "256k");
  await work.run("build");
  work.remove("ran");
  spawnSync("dd", ["if=/dev/zero", `of=${work.path(".kahn/filler")}`, "bs=4096"]);
  work.remove("out");
  work.write("package.json", manifest("one", { build: "echo b > out; touch ran; true" }));
  const full = await work.kahn("run build");
  expect(full.exitCode).not.toBe(0);
  expect(full.exitCode, full.stdout + full.stderr).not.toBe(3);
  expect(full.stderr + full.stdout).toMatch(/error\[[a-z-]+\]: .*(space|full)/i);
  expect(full.stderr).not.toContain("    at ");
  expect(work.exists("ran")).toBe(false);
  work.remove(".kahn/filler");
  expect((await work.run("build")).finished).toMatchObject({ status: "succeeded" });
});

for (const place of ["/dev/null/cache", "/dev/full", "package.json"]) {
  test(`a cache directory that cannot be one (${place}) is one coded error with what next`, async () => {
    const work = held();
    const refused = await work.kahn("run build", { env: { KAHN_CACHE_DIR: place } });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/^error\[store-(io|denied)\]: .*\n( .*\n)* {2}next: .+\n$/);
    expect(work.exists("began")).toBe(false);
  });
}

/** A user without rights, for Kahn to run as: `undefined` when the tests themselves are that; skips where impossible. */
function plainUser(work: Workspace, { skip }: TestContext): number | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const nobody = 65534;
  const probe = spawnSync(process.execPath, [kahnBinary(), "--version"], { uid: nobody, gid: nobody, cwd: "/" });
  if (probe.status !== 0) skip("root may read everything, and another user cannot run Kahn here");
  chmodSync(dirname(work.directory), 0o755);
  for (const path of [work.home, work.directory]) chownSync(path, nobody, nobody);
  for (const name of readdirSync(work.directory, { recursive: true, encoding: "utf8" })) {
    chownSync(work.path(name), nobody, nobody);
  }
  return nobody;
}

function asUser(uid: number | undefined): { readonly uid?: number } {
  return uid === undefined ? {} : { uid };
}

test("an input that cannot be read is named with its task, and nothing else is held up", async (context) => {
  const work = new Workspace({
    "package.json": ROOT_MANIFEST,
    "packages/a/package.json": manifest("a", { build: "touch ran" }),
    "packages/a/src/secret": "x\n",
    "packages/b/package.json": manifest("b", { build: "touch ran" }),
    "kahn.jsonc": { tasks: { build: { inputs: ["src/**"] } } },
  });
  const user = asUser(plainUser(work, context));
  chmodSync(work.path("packages/a/src/secret"), 0);
  const run = await work.kahn("run build", user);
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain(
    "error[input-unreadable]: packages/a/src/secret, an input of a#build, cannot be read (EACCES)",
  );
  expect(run.stdout).toContain("--> kahn.jsonc:");
  expect(work.exists("packages/a/ran")).toBe(false);
  expect(work.exists("packages/b/ran")).toBe(true);
});

test("a cache directory without rights is one coded error with what next", async (context) => {
  const work = held();
  const user = asUser(plainUser(work, context));
  mkdirSync(work.path("closed"), { mode: 0o555 });
  const refused = await work.kahn("run build", { ...user, env: { KAHN_CACHE_DIR: work.path("closed/cache") } });
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/^error\[store-denied\]: .*closed\/cache.*\n( .*\n)* {2}next: .+\n$/);
});

test("a workspace that cannot be written to is one coded error with what next", async (context) => {
  const work = held();
  const user = asUser(plainUser(work, context));
  chmodSync(work.directory, 0o555);
  const refused = await work.kahn("run build", user);
  expect(refused.exitCode, refused.stderr).toBe(2);
  expect(refused.stderr).toMatch(/^error\[[a-z-]+\]: .*\n( .*\n)* {2}next: .+\n$/);
  // To look needs no right to write.
  expect((await work.kahn("ls", user)).exitCode).toBe(0);
});

test("a package.json that cannot be read is named", async (context) => {
  const work = held();
  const user = asUser(plainUser(work, context));
  chmodSync(work.path("package.json"), 0);
  const refused = await work.kahn("run build", user);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/^error\[[a-z-]+\]: .*package\.json.*\n( .*\n)* {2}next: .+\n$/);
});

test("file names that are not UTF-8 are refused by name: of inputs before, of outputs after the task", async ({
  skip,
}) => {
  const work = new Workspace({
    "package.json": manifest("one", { build: "mkdir -p dist && touch \"dist/$(printf 'bad\\377name')\"; touch ran" }),
    "src/good": "x\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src/**"], outputs: ["dist/**"] } } },
  });
  const name = Buffer.concat([Buffer.from(work.path("src/bad")), Buffer.from([0xff]), Buffer.from("name")]);
  try {
    writeFileSync(name, "x");
  } catch (error) {
    // macOS's file systems refuse such names themselves.
    skip(`no such names here: ${String(error)}`);
  }
  const input = await work.kahn("run build");
  expect(input.exitCode).toBe(1);
  expect(input.stdout).toContain(
    "error[input-name-invalid]: The name of src/bad\ufffdname, an input of //#build, is not UTF-8",
  );
  expect(work.exists("ran")).toBe(false);
  rmSync(name);
  const output = await work.kahn("run build");
  expect(output.exitCode).toBe(1);
  expect(output.stdout).toContain("error[output-name-invalid]: the name of the output dist/bad\ufffdname is not UTF-8");
});
