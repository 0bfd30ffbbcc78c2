// Goal: whatever is wrong with what Kahn keeps, a run ends right, says what was wrong, and loses nothing. Method: real
// runs, then one thing damaged by hand, then the same run again and the commands that look at it.
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { expect, test } from "vitest";
import { type Files, manifest, reasonsOf, Workspace } from "./rig/workspace.ts";

const CONTENT = "a content that is found again by its bytes\n";

function files(): Files {
  return {
    "package.json": manifest("one", { build: "mkdir -p dist && cat src > dist/out && echo built" }),
    src: CONTENT,
    "kahn.jsonc": { tasks: { build: { inputs: ["src"], outputs: ["dist/**"] } } },
  };
}

/** Flips one byte of the only blob with this content, in place, wherever the cache keeps it. */
function flipByte(work: Workspace, { keepTime }: { readonly keepTime: boolean }): void {
  const [path, ...others] = work.filesWith(".kahn/cache", CONTENT);
  expect(others).toEqual([]);
  const { mode, mtime, atime, size } = statSync(path!);
  const at = readFileSync(path!).indexOf(CONTENT);
  chmodSync(path!, 0o644);
  const file = openSync(path!, "r+");
  writeSync(file, "A", at);
  closeSync(file);
  chmodSync(path!, mode);
  if (keepTime) utimesSync(path!, atime, mtime);
  expect(statSync(path!).size).toBe(size);
}

test("dist removed and one byte of a blob flipped: it is said, the task runs again, and the file is right", async () => {
  const work = new Workspace(files());
  await work.run("build");
  work.remove("dist");
  flipByte(work, { keepTime: false });
  const run = await work.kahn("run build");
  expect(run.exitCode).toBe(0);
  expect(run.stdout).toContain("✔ //#build");
  expect(run.stdout).toContain("· a cached file was corrupt and was set aside: dist/out");
  expect(work.read("dist/out")).toBe(CONTENT);
  // A check may come upon the damaged copy once more; it never takes the good one for it.
  await work.kahn("cache verify");
  expect((await work.kahn("cache verify")).exitCode).toBe(0);
  work.remove("dist");
  expect((await work.run("build")).finished).toMatchObject({ executed: 0, cached: 1 });
  expect(work.read("dist/out")).toBe(CONTENT);
});

test("with the old time put back cache verify exits 1 and names the blob, and the next run makes it again", async () => {
  const work = new Workspace(files());
  await work.run("build");
  flipByte(work, { keepTime: true });
  const verify = await work.kahn("cache verify");
  expect(verify.exitCode).toBe(1);
  const hash = createHash("sha256").update(CONTENT).digest("hex");
  expect(verify.stdout).toContain(`corrupt, set aside: sha256:${hash}/${CONTENT.length}`);
  work.remove("dist");
  const run = await work.run("build");
  expect(run.exitCode).toBe(0);
  expect(reasonsOf(run)["//#build"]).toEqual(["blob-missing dist/out"]);
  expect(work.read("dist/out")).toBe(CONTENT);
  expect((await work.kahn("cache verify")).exitCode).toBe(0);
});

test("a corrupt record of the cache is a miss that says so", async () => {
  const work = new Workspace(files());
  await work.run("build");
  for (const record of work.filesWith(".kahn/cache/ac", "")) {
    chmodSync(record, 0o644);
    const file = openSync(record, "r+");
    writeSync(file, "\u00ff\u00ff\u00ff\u00ff", 0);
    closeSync(file);
  }
  const run = await work.run("build");
  expect(run.exitCode).toBe(0);
  expect(reasonsOf(run)["//#build"]).toEqual(["entry-corrupt"]);
  expect((await work.run("build")).finished).toMatchObject({ cached: 1 });
});

test("the cache removed costs time only: the task runs again and the past is still known", async () => {
  const work = new Workspace(files());
  await work.run("build");
  work.remove(".kahn/cache");
  const run = await work.kahn("run build");
  expect(run.stdout).toContain("· no cache that was asked has its result");
  expect((await work.run("build")).finished).toMatchObject({ cached: 1 });
});

test("a cache of a newer format is left alone: one error with the way out, exit 2", async () => {
  const work = new Workspace(files());
  await work.run("build");
  work.write(".kahn/cache/format", "kahn-cas 99\n");
  const before = work.tree(".kahn/cache");
  for (const command of ["run build", "cache stats", "cache clear", "cache gc", "why build"]) {
    const refused = await work.kahn(command);
    expect(refused.exitCode, command).toBe(2);
    expect(refused.stderr).toMatch(/^error\[store-format-newer\]: .*\.kahn\/cache was made by a newer Kahn/);
    expect(refused.stderr).toMatch(
      /\n {2}next: Update Kahn, or choose another directory with cache.dir or KAHN_CACHE_DIR\.\n$/,
    );
  }
  expect(work.tree(".kahn/cache")).toEqual(before);
});

test("a folder that is no cache is not made into one", async () => {
  const work = new Workspace({ ...files(), "mine/format": "of another program\n" });
  const refused = await work.kahn("run build", { env: { KAHN_CACHE_DIR: work.path("mine") } });
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain("error[store-io]");
  expect(readdirSync(work.path("mine"))).toEqual(["format"]);
});

// Everything that Kahn keeps beside the cache, each file damaged in the same way at once.
const DAMAGES: readonly (readonly [title: string, bytes: (before: Buffer) => Buffer | string])[] = [
  ["emptied", () => ""],
  ["garbage", (before) => Buffer.alloc(before.length, 0xfe)],
  ["zeros", (before) => Buffer.alloc(before.length)],
  ["cut in half", (before) => before.subarray(0, before.length >> 1)],
  ["null", () => "null"],
  ["another JSON", () => '{"version":1,"nodes":[1,{"a":null}],"stamp":""}'],
];

test.each(DAMAGES)("state files that are %s cost explanations at most", async (_, damaged) => {
  const work = new Workspace(files());
  await work.run("build");
  const state = readdirSync(work.path(".kahn/state"), { recursive: true, withFileTypes: true });
  for (const entry of state) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`.slice(work.directory.length + 1);
    writeFileSync(work.path(path), damaged(readFileSync(work.path(path))));
  }
  for (const command of ["runs list", "why build"]) {
    const look = await work.kahn(command);
    expect(look.exitCode, `${command}: ${look.stderr}`).not.toBe(3);
    expect(look.stderr).not.toContain("    at ");
  }
  const hit = await work.run("build");
  expect(hit.exitCode, hit.stderr).toBe(0);
  expect(hit.finished).toMatchObject({ executed: 0, cached: 1 });
  work.append("src", "more\n");
  const miss = await work.run("build");
  expect(miss.finished).toMatchObject({ executed: 1 });
  expect(work.read("dist/out")).toBe(`${CONTENT}more\n`);
  expect((await work.run("build")).finished).toMatchObject({ cached: 1 });
});

test("a journal whose tail is torn is read as far as it goes, and the next run says that the run was interrupted", async () => {
  const work = new Workspace(files());
  await work.run("build");
  const first = readdirSync(work.path(".kahn/state/runs"))[0]!;
  const log = `.kahn/state/runs/${first}/000001.log`;
  const bytes = readFileSync(work.path(log));
  // As after a crash: the end is missing, and nobody has folded the run in.
  writeFileSync(work.path(log), bytes.subarray(0, bytes.length - 40));
  work.remove(".kahn/state/history.json.last-run");
  const shown = await work.kahn("runs show");
  expect(shown.stdout).toContain("the run was interrupted");
  const next = await work.run("build");
  expect(next.exitCode).toBe(0);
  expect(next.finished).toMatchObject({ cached: 1 });
  expect(next.log.warnings()).toEqual(["run-interrupted"]);
  expect((await work.run("build")).log.warnings()).toEqual([]);
});

test("a journal that is not one is named by the commands that would read it", async () => {
  const work = new Workspace(files());
  await work.run("build");
  const [run] = readdirSync(work.path(".kahn/state/runs"));
  work.write(`.kahn/state/runs/${run}/000001.log`, "no journal at all, and long enough for a header\n");
  const list = await work.kahn("runs list");
  expect(list.exitCode).toBe(0);
  expect(list.stdout).toMatch(new RegExp(`${run} .*unreadable`));
  const shown = await work.kahn("runs show");
  expect(shown.exitCode).toBe(2);
  expect(shown.stderr).toMatch(/^error\[journal-corrupt\]: .*000001\.log is damaged at byte 0/);
  work.remove(".kahn/state/history.json.last-run");
  const next = await work.run("build");
  expect(next.exitCode).toBe(0);
  expect(next.log.warnings()).toEqual(["journal-corrupt"]);
});
