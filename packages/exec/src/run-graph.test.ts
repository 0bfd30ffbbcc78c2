// Goal: what a person sees of a run — what is executed, restored, skipped, cancelled, and what files are left — over
// graphs that stand for haz's cross-project scenarios. Method: real loop, real kernel, real local executor, fake
// processes in virtual time and a file system in memory; every recorded run is checked against the event invariants.
import type { Journal, RunEvent } from "@kahn/core";
import { checkRunEvents, faulty, settled } from "@kahn/testing";
import { expect, test } from "vitest";
import { GraphRig } from "./fixtures/graph-rig.ts";
import { openRunHistory } from "./run-history.ts";
import type { RunGraphOptions } from "./run-options.ts";

/** lib#build → app#build → app#test, each reading its own source. */
function chain(): GraphRig {
  const rig = new GraphRig({
    "lib#build": { inputs: ["lib/src.ts"], outputs: ["lib/dist"] },
    "app#build": { requires: ["lib#build"], inputs: ["app/src.ts"], outputs: ["app/dist"] },
    "app#test": { requires: ["app#build"], inputs: ["app/test.ts"] },
  });
  for (const path of ["lib/src.ts", "app/src.ts", "app/test.ts"]) rig.write(path, `${path}, first\n`);
  script(rig);
  return rig;
}

/** Each build copies its source into its dist; comments (after `//`) do not reach it. */
function script(rig: GraphRig): void {
  for (const name of ["lib", "app"]) {
    rig.processes.script(`${name}#build`, () => ({
      durationMs: 100,
      stdout: `building ${name}\n`,
      files: { [`${name}/dist/out.js`]: (rig.read(`${name}/src.ts`) ?? "").split("//")[0]! },
    }));
  }
  rig.processes.script("app#test", { durationMs: 50, stdout: "1 test\n" });
}

test("fresh: every command runs once, after what it requires, and the log keeps its invariants", async () => {
  const rig = chain();
  const run = await rig.run();
  expect(run.outcome).toMatchObject({ status: "succeeded", counts: { executed: 3, cached: 0 } });
  expect(run.recorder.startedOrder()).toEqual(["lib#build", "app#build", "app#test"]);
  expect(rig.read("lib/dist/out.js")).toBe("lib/src.ts, first\n");
  expect(checkRunEvents(run.recorder.events)).toEqual([]);
});

test("hit: nothing runs again, removed outputs come back, and streams are replayed byte for byte", async () => {
  const rig = chain();
  const fresh = await rig.run();
  rig.fs.removeTree("/w/lib/dist");
  const again = await rig.run();
  expect(again.outcome.counts).toMatchObject({ executed: 0, cached: 3 });
  expect(rig.processes.started).toHaveLength(3);
  expect(rig.read("lib/dist/out.js")).toBe("lib/src.ts, first\n");
  expect(again.recorder.settledOf("lib#build")?.restoredFiles).toBe(1);
  expect(again.recorder.settledOf("app#build")?.restoredFiles).toBe(0);
  for (const label of ["lib#build", "app#build", "app#test"]) {
    expect(again.recorder.outputOf(label)).toEqual(fresh.recorder.outputOf(label));
  }
  expect(checkRunEvents(again.recorder.events)).toEqual([]);
});

test("failure cascade: dependents are skipped with the root cause, independent work goes on", async () => {
  const rig = chain();
  rig.tasks = { ...rig.tasks, other: { inputs: ["lib/src.ts"] } };
  rig.processes.script("lib#build", { exit: 3, stderr: "no\n", durationMs: 10 });
  const run = await rig.run();
  expect(run.outcome).toMatchObject({ status: "failed", counts: { failed: 1, skipped: 2, executed: 1 } });
  expect(run.recorder.settledOf("lib#build")).toMatchObject({ exitCode: 3, problem: { code: "command-failed" } });
  const cause = run.recorder.settledOf("app#test")?.cause;
  expect(run.recorder.labelOf(cause!)).toBe("lib#build");
  expect(run.recorder.outputOf("lib#build")).toBe("no\n");
});

test("a failed command is not cached: the next run starts it again", async () => {
  const rig = chain();
  rig.processes.script("app#test", { exit: 1 });
  await rig.run();
  const again = await rig.run();
  expect(again.recorder.startedOrder()).toEqual(["app#test"]);
});

test("a command that a signal ended has failed, and the signal is named", async () => {
  const rig = new GraphRig({ a: {} });
  rig.processes.script("a", { exit: "SIGSEGV" });
  const run = await rig.run();
  expect(run.recorder.settledOf("a")).toMatchObject({
    end: "failed",
    problem: { code: "command-failed", message: "a was ended by SIGSEGV" },
  });
});

test("mutex: holders of one name never run together, whatever the slots", async () => {
  const exclusive = { mutexes: [{ name: "db", mode: "exclusive" as const }] };
  const rig = new GraphRig({ a: { claim: exclusive }, b: { claim: exclusive }, c: { claim: exclusive } });
  rig.limits = { slots: 8, pools: {}, tagCaps: {}, io: 8 };
  for (const name of ["a", "b", "c"]) rig.processes.script(name, { durationMs: 100 });
  await rig.run();
  expect(rig.processes.started).toHaveLength(3);
  expect(rig.processes.aliveMax).toBe(1);
});

test("tag cap: no more than the cap's number of tagged tasks run together", async () => {
  const tagged = { claim: { tags: ["heavy"] } };
  const rig = new GraphRig({ a: tagged, b: tagged, c: tagged, d: tagged });
  rig.limits = { slots: 8, pools: {}, tagCaps: { heavy: 2 }, io: 8 };
  for (const name of ["a", "b", "c", "d"]) rig.processes.script(name, { durationMs: 100 });
  await rig.run();
  expect(rig.processes.aliveMax).toBe(2);
});

test("live cancel: what runs is ended, nothing new starts, and the run is recorded as cancelled", async () => {
  const rig = chain();
  rig.processes.script("lib#build", { hangs: true, onTerm: "ignores" });
  const started = rig.start();
  await rig.processes.nextStart("lib#build");
  started.graphRun.cancel("term", "SIGINT");
  const run = await rig.finish(started);
  expect(run.outcome).toMatchObject({ status: "cancelled", counts: { cancelled: 3 } });
  expect(rig.processes.alive).toEqual([]);
  expect(run.recorder.startedOrder()).toEqual(["lib#build"]);
  expect(checkRunEvents(run.recorder.events)).toEqual([]);
});

test("live cancel: a command that dies of the same Ctrl-C before it is told to end was cancelled, and did not fail", async () => {
  const rig = new GraphRig({ a: { attemptsMax: 2 } });
  const started = rig.start();
  const process = await rig.processes.nextStart("a");
  started.graphRun.cancel("term", "SIGINT");
  process.die("SIGINT");
  const run = await rig.finish(started);
  expect(run.outcome).toMatchObject({ status: "cancelled", counts: { cancelled: 1, failed: 0 } });
});

// Goal: no moment is lost on the way to a process. Method: the cancel comes while the journal writes, after the answer
// of a look-up, so that the kernel decides in one step to execute and to end what is not yet begun.
test("live cancel: a command that was about to start is not started", async () => {
  const rig = new GraphRig({ a: {} });
  rig.processes.script("a", { hangs: true });
  const { journal } = rig.optionsOf();
  const slow: Journal = {
    ...journal,
    lastSeq: 0,
    append: async (bodies, options) => {
      if (bodies.some((body) => (body as unknown as RunEvent).kind === "node.missed")) {
        await new Promise((resolve) => setImmediate(resolve));
        started.graphRun.cancel("term", "SIGINT");
      }
      return journal.append(bodies, options);
    },
  };
  const started = rig.start({ options: { journal: slow } });
  const run = await rig.finish(started);
  expect(run.outcome).toMatchObject({ status: "cancelled", counts: { cancelled: 1 } });
  expect(rig.processes.started).toEqual([]);
});

test("cycle: refused before anything starts, every node named in order", async () => {
  const rig = new GraphRig({ a: { requires: ["b"] }, b: { requires: ["c"] }, c: { requires: ["a"] } });
  const refused = await rig.start().graphRun.outcome;
  expect(refused).toMatchObject({ ok: false, problem: [{ code: "task-cycle" }] });
  expect(JSON.stringify(refused)).toContain("a → b → c → a");
  expect(rig.processes.started).toEqual([]);
});

test("early cutoff: a change that does not reach the output re-runs only the task itself", async () => {
  const rig = chain();
  await rig.run();
  rig.write("lib/src.ts", "lib/src.ts, first\n// a comment");
  const again = await rig.run();
  expect(again.recorder.startedOrder()).toEqual(["lib#build"]);
  expect(again.recorder.misses()).toEqual({ "lib#build": "input-changed" });
});

test("early cutoff is sound: what C can reach through B re-runs C even when B's bytes are the same", async () => {
  const rig = new GraphRig({
    a: { inputs: ["a.src"], outputs: ["a/dist"] },
    b: { requires: ["a"], inputs: ["b.src"], outputs: ["b/dist"] },
    c: { requires: ["b"], inputs: ["c.src"] },
  });
  for (const name of ["a", "b", "c"]) rig.write(`${name}.src`, name);
  rig.processes.script("a", () => ({ files: { "a/dist/out": rig.read("a.src")! } }));
  rig.processes.script("b", { files: { "b/dist/out": "always the same" } });
  await rig.run();
  rig.write("a.src", "changed");
  const again = await rig.run();
  expect(again.recorder.startedOrder()).toEqual(["a", "b", "c"]);
  expect(again.recorder.misses()).toEqual({ a: "input-changed", b: "dependency-changed", c: "dependency-changed" });
});

test("a task that inlines what it needs cuts its dependents off from what lies below it", async () => {
  const rig = new GraphRig({
    a: { inputs: ["a.src"], outputs: ["a/dist"] },
    bundle: { requires: ["a"], outputs: ["bundle/dist"], reach: "own" },
    c: { requires: ["bundle"] },
  });
  rig.write("a.src", "a");
  rig.processes.script("a", () => ({ files: { "a/dist/out": rig.read("a.src")! } }));
  rig.processes.script("bundle", { files: { "bundle/dist/out": "the same bundle" } });
  await rig.run();
  rig.write("a.src", "changed");
  expect((await rig.run()).recorder.startedOrder()).toEqual(["a", "bundle"]);
});

test("P19: an input edited while its task runs makes the result count for this run only", async () => {
  const rig = chain();
  rig.processes.script("lib#build", {
    durationMs: 100,
    files: { "lib/dist/out.js": "built" },
    steps: [{ afterMs: 50, run: () => rig.write("lib/src.ts", "edited meanwhile") }],
  });
  const run = await rig.run();
  expect(run.outcome.status).toBe("succeeded");
  expect(run.recorder.warnings()).toContain("input-changed-during-run");
  expect(run.recorder.settledOf("lib#build")?.stored).toBeUndefined();
  const again = await rig.run();
  expect(again.recorder.startedOrder()).toContain("lib#build");
});

test("R14: a store that refuses after success is a warning, not a success that was silently kept", async () => {
  const rig = chain();
  rig.actions.failWith({ code: "store-full", severity: "error", message: "no space left" });
  const run = await rig.run();
  expect(run.outcome).toMatchObject({ status: "succeeded", counts: { executed: 3 } });
  expect(run.recorder.warnings()).toContain("result-not-stored");
  rig.actions.failWith(undefined);
  const again = await rig.run();
  expect(again.outcome.counts.executed).toBe(3);
  expect(again.recorder.misses()["lib#build"]).toBe("not-stored");
});

test.each(["evict", "corrupt"] as const)(
  "R15, R16: a blob that is gone or corrupt makes a miss that says so (%s)",
  async (how) => {
    const rig = chain();
    await rig.run();
    const [outcome] = rig.fs.hashMany(["/w/lib/dist/out.js"]);
    if (outcome?.kind !== "file") throw new Error("no output");
    rig.blobs[how](outcome.digest);
    rig.fs.removeTree("/w/lib/dist");
    const again = await rig.run();
    expect(again.recorder.startedOrder()).toEqual(["lib#build"]);
    expect(again.recorder.misses()["lib#build"]).toMatch(/^blob-(missing|corrupt)$/);
    expect(rig.read("lib/dist/out.js")).toBe("lib/src.ts, first\n");
  },
);

test("R3: an effect that throws ends its node as errored and the rest of the run goes on", async () => {
  const rig = chain();
  rig.tasks = { ...rig.tasks, other: {} };
  const processes = {
    start: (spec: Parameters<typeof rig.processes.start>[0]) => {
      if (spec.label === "lib#build") throw new Error("the runner broke");
      return rig.processes.start(spec);
    },
    close: async () => {},
  };
  const run = await rig.run({ processes });
  expect(run.recorder.ends()).toEqual({
    "lib#build": "errored",
    "app#build": "skipped",
    "app#test": "skipped",
    other: "succeeded",
  });
  expect(run.recorder.settledOf("lib#build")?.problem?.code).toBe("effect-crashed");
  expect(checkRunEvents(run.recorder.events)).toEqual([]);
});

test("R19: warnings that a command printed are there again on a hit", async () => {
  const rig = new GraphRig({ lint: {} });
  rig.processes.script("lint", { stderr: "warning: unused\n" });
  await rig.run();
  expect((await rig.run()).recorder.outputOf("lint")).toBe("warning: unused\n");
});

test("retries: a failure is tried again as often as allowed, and the attempts are told", async () => {
  const rig = new GraphRig({ flaky: { attemptsMax: 3 } });
  rig.processes.script("flaky", (_, nth) => ({ exit: nth < 3 ? 1 : 0 }));
  const run = await rig.run();
  expect(run.outcome.status).toBe("succeeded");
  expect(run.recorder.settledOf("flaky")?.attempts).toBe(3);
  expect(run.recorder.ofKind("node.retried")).toHaveLength(2);
});

test("a cancel does not wait for the moment before the next attempt", async () => {
  const rig = new GraphRig({ flaky: { attemptsMax: 10 } });
  rig.processes.script("flaky", { exit: 1 });
  const started = rig.start();
  // Until the fifth pause, of 1.6 seconds; then no time passes any more.
  while (started.recorder.ofKind("node.retried").length < 5) {
    await settled();
    if (started.recorder.ofKind("node.retried").length < 5) rig.clock.advanceToNext();
  }
  await settled();
  started.graphRun.cancel("term", "SIGINT");
  const outcome = await started.graphRun.outcome;
  expect(outcome).toMatchObject({ ok: true, value: { status: "cancelled" } });
});

test("timeout: a command that hangs is ended and has failed, named as timed out", async () => {
  const rig = new GraphRig({ slow: { timeoutMs: 5000 } });
  rig.processes.script("slow", { hangs: true, onTerm: "ignores" });
  const run = await rig.run();
  expect(run.recorder.settledOf("slow")).toMatchObject({ end: "failed", problem: { code: "task-timed-out" } });
  expect(rig.processes.alive).toEqual([]);
});

test("P17: two tasks that make one path fail the run, both named", async () => {
  const rig = new GraphRig({ a: { outputs: ["dist"] }, b: { outputs: ["dist"], requires: ["a"] } });
  for (const name of ["a", "b"]) rig.processes.script(name, { files: { "dist/x": name } });
  const run = await rig.run();
  expect(run.outcome.status).toBe("failed");
  const problem = run.recorder.settledOf("b")?.problem;
  expect(problem).toMatchObject({ code: "output-conflict" });
  expect(problem?.message).toContain("a");
});

test("a source that is gone takes its old output with it before the command runs", async () => {
  const rig = new GraphRig({ build: { inputs: ["a.ts", "b.ts"], outputs: ["dist"] } });
  rig.write("a.ts", "a");
  rig.write("b.ts", "b");
  rig.processes.script("build", () => {
    const names = ["a", "b"].filter((name) => rig.read(`${name}.ts`) !== undefined);
    return { files: Object.fromEntries(names.map((name) => [`dist/${name}.js`, name])) };
  });
  await rig.run();
  rig.fs.remove("/w/b.ts");
  rig.tasks = { build: { inputs: ["a.ts"], outputs: ["dist"] } };
  await rig.run();
  expect(rig.read("dist/a.js")).toBe("a");
  expect(rig.read("dist/b.js")).toBeUndefined();
});

test("going back to an older state restores its files and removes those of the newer one", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.write("src", "one");
  rig.processes.script("build", () => ({ files: { [`dist/${rig.read("src")}.js`]: "" } }));
  await rig.run();
  rig.write("src", "two");
  await rig.run();
  // The command itself does not clean up: both are there now, and the newer result holds both.
  rig.write("src", "one");
  const back = await rig.run();
  expect(back.outcome.counts).toMatchObject({ cached: 1 });
  expect(rig.fs.readDirectory("/w/dist")?.map((each) => each.name)).toEqual(["one.js"]);
});

test("fail-fast: after a failure nothing new starts", async () => {
  const rig = new GraphRig({ a: {}, b: {}, c: {} });
  rig.limits = { slots: 1, pools: {}, tagCaps: {}, io: 8 };
  rig.processes.script("a", { exit: 1, durationMs: 10 });
  const run = await rig.run({ options: { failure: "fail-fast" } });
  expect(run.recorder.startedOrder()).toEqual(["a"]);
  expect(run.outcome.status).toBe("failed");
});

test("an uncached task runs each time, and its dependents see what it was given", async () => {
  const rig = new GraphRig({ gen: { cacheable: false, inputs: ["gen.src"] }, use: { requires: ["gen"] } });
  rig.write("gen.src", "1");
  await rig.run();
  const again = await rig.run();
  expect(again.recorder.startedOrder()).toEqual(["gen"]);
  rig.write("gen.src", "2");
  expect((await rig.run()).recorder.startedOrder()).toEqual(["gen", "use"]);
});

test("a journal that refuses stops the run: without a record nothing starts", async () => {
  const rig = chain();
  const started = rig.start({
    options: {
      journal: {
        lastSeq: 0,
        tornTail: undefined,
        append: async () => ({ ok: false, problem: { code: "journal-full", severity: "error", message: "no space" } }),
        read: () => [],
        writeSnapshot: () => ({ ok: true, value: undefined }),
        readSnapshot: () => undefined,
        close: () => {},
      },
    },
  });
  const run = await rig.finish(started);
  expect(run.outcome.status).toBe("errored");
  expect(rig.processes.started).toEqual([]);
});

/** A journal that takes so many appends and refuses all others. */
function refusingAfter(rig: GraphRig, appends: number): Partial<RunGraphOptions> {
  const created = rig.journals.create(`refusing-${appends}`);
  if (!created.ok) throw new Error(created.problem.message);
  let left = appends;
  const refusal = { ok: false, problem: { code: "journal-full", severity: "error", message: "no space" } } as const;
  const append: Journal["append"] = (bodies, options) =>
    left-- > 0 ? created.value.append(bodies, options) : Promise.resolve(refusal);
  return {
    journal: { ...created.value, lastSeq: 0, append, read: () => [], close: () => created.value.close() },
  };
}

// Method: the journal refuses its nth append, for every n that a run has.
test("nothing is started whose start could not be recorded, and a run whose end was not recorded says so", async () => {
  for (let appends = 0; ; appends++) {
    const rig = chain();
    let recorded: readonly string[] = [];
    const run = await rig.finish(rig.start({ options: refusingAfter(rig, appends) }));
    const journal = rig.journals.peek(`refusing-${appends}`);
    if (journal.ok) {
      const events = Array.from(journal.value, ({ body }) => body as unknown as RunEvent);
      recorded = events.flatMap((event) => (event.kind === "node.started" ? [run.recorder.labelOf(event.node)] : []));
    }
    expect(rig.processes.startedLabels).toEqual(recorded);
    expect(checkRunEvents(run.recorder.events)).toEqual([]);
    if (run.outcome.status === "succeeded") break;
    expect(run.outcome.status).toBe("errored");
    expect(run.recorder.finished).toMatchObject({ status: "errored", problem: { code: "journal-full" } });
  }
});

/** A tool that never removes anything from its `dist`. */
function copier(): GraphRig {
  const rig = new GraphRig({ build: { inputs: ["a.ts", "b.ts"], outputs: ["dist"] } });
  rig.write("a.ts", "a");
  rig.write("b.ts", "b");
  rig.processes.script("build", () => {
    const names = ["a", "b"].filter((name) => rig.read(`${name}.ts`) !== undefined);
    return { files: Object.fromEntries(names.map((name) => [`dist/${name}.js`, rig.read(`${name}.ts`)!])) };
  });
  return rig;
}

function namesIn(rig: GraphRig): string[] | undefined {
  return rig.fs.readDirectory("/w/dist")?.map((each) => each.name);
}

test("the output of a source that is gone goes in a forced run, too", async () => {
  const rig = copier();
  await rig.run();
  rig.fs.remove("/w/b.ts");
  await rig.run({ options: { cache: { read: false, write: true } } });
  expect(namesIn(rig)).toEqual(["a.js"]);
});

test("the output of a source that is gone goes when the result without it was known and was lost, too", async () => {
  const rig = copier();
  rig.fs.remove("/w/b.ts");
  await rig.run();
  rig.write("b.ts", "b");
  await rig.run();
  rig.fs.remove("/w/b.ts");
  const [outcome] = rig.fs.hashMany(["/w/dist/a.js"]);
  if (outcome?.kind !== "file") throw new Error("no output");
  rig.blobs.evict(outcome.digest);
  rig.fs.remove("/w/dist/a.js");
  const run = await rig.run();
  expect(run.recorder.misses()).toEqual({ build: "blob-missing" });
  expect(namesIn(rig)).toEqual(["a.js"]);
});

test("files of a result that was not stored are stale once an older result comes back", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.write("src", "one");
  rig.processes.script("build", () => ({ files: { [`dist/${rig.read("src")}.js`]: "" } }));
  await rig.run();
  rig.write("src", "two");
  rig.actions.failWith({ code: "store-full", severity: "error", message: "no space left" });
  await rig.run();
  rig.actions.failWith(undefined);
  rig.write("src", "one");
  const back = await rig.run();
  expect(back.outcome.counts).toMatchObject({ cached: 1 });
  expect(namesIn(rig)).toEqual(["one.js"]);
});

test("a result that was not stored is missed with just that reason", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.write("src", "one");
  rig.processes.script("build", { files: { "dist/x": "" } });
  rig.actions.failWith({ code: "store-full", severity: "error", message: "no space left" });
  await rig.run();
  rig.actions.failWith(undefined);
  expect((await rig.run()).recorder.misses()).toEqual({ build: "not-stored" });
});

test("files of a result that another work tree made are known as stale, too", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.processes.script("build", () => ({ files: { [`dist/${rig.read("src")}.js`]: "" } }));
  for (const source of ["one", "two"]) {
    rig.write("src", source);
    rig.fs.removeTree("/w/dist");
    await rig.run();
  }
  // A fresh work tree on the same cache.
  rig.fs.removeTree("/w/dist");
  rig.history = openRunHistory(rig.fs, "/w/.kahn/another-history.json");
  for (const source of ["one", "two"]) {
    rig.write("src", source);
    expect((await rig.run()).outcome.counts).toMatchObject({ cached: 1 });
    expect(namesIn(rig)).toEqual([`${source}.js`]);
  }
});

test("empty directories come and go with the results that have them", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.processes.script("build", () => {
    rig.fs.removeTree("/w/dist");
    rig.fs.makeDirectory("/w/dist/dir");
    return { files: rig.read("src") === "full" ? { "dist/dir/file": "" } : { "dist/other": "" } };
  });
  for (const source of ["full", "empty", "full", "empty"]) {
    rig.write("src", source);
    await rig.run();
    const below = rig.fs.readDirectory("/w/dist/dir")?.map((each) => each.name);
    expect([namesIn(rig), below]).toEqual(source === "full" ? [["dir"], ["file"]] : [["dir", "other"], []]);
  }
  rig.processes.script("build", () => {
    rig.fs.removeTree("/w/dist");
    return { files: { "dist/other": "" } };
  });
  rig.write("src", "none");
  await rig.run();
  for (const [source, names] of [
    ["empty", ["dir", "other"]],
    ["none", ["other"]],
  ] as const) {
    rig.write("src", source);
    await rig.run();
    expect(namesIn(rig)?.sort()).toEqual(names);
  }
});

test("a tool may write to an adopted output after the cache is gone", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"], mode: "link" } });
  rig.write("src", "one");
  rig.processes.script("build", () => ({ files: { "dist/x": rig.read("src")! } }));
  await rig.run();
  // What is left of a hard link once the store's name for it is removed.
  rig.fs.chmod("/w/dist/x", 0o444);
  rig.write("src", "two");
  const run = await rig.run();
  expect(run.outcome.status).toBe("succeeded");
  expect(rig.read("dist/x")).toBe("two");
});

test("the probe of a service ends with it", async () => {
  const ready = { command: "probe", timeoutMs: 60_000 };
  const rig = new GraphRig({ db: { lifetime: "service", cacheable: false, ready }, test: { requires: ["db"] } });
  rig.fs.makeDirectory("/dev");
  rig.processes.script("db", { hangs: true });
  rig.processes.script("db (ready?)", { hangs: true, onTerm: "ignores" });
  const started = rig.start();
  const probe = rig.processes.nextStart("db (ready?)");
  rig.clock.setTimer(1000, () => started.graphRun.cancel("term", "SIGINT"));
  const run = await rig.finish(started);
  expect(run.outcome.status).toBe("cancelled");
  expect((await probe).isQuiet).toBe(true);
  expect(rig.processes.alive).toEqual([]);
});

test("an empty directory comes back where another result has a file or a link", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.processes.script("build", () => {
    rig.fs.removeTree("/w/dist");
    const kind = rig.read("src");
    rig.fs.makeDirectory(kind === "directory" ? "/w/dist/x" : "/w/dist");
    if (kind === "link") rig.fs.symlink("elsewhere", "/w/dist/x");
    return { files: kind === "file" ? { "dist/x": "" } : {} };
  });
  for (const kind of ["directory", "file", "directory", "link", "directory"]) {
    rig.write("src", kind);
    expect((await rig.run()).outcome.status).toBe("succeeded");
    expect(rig.fs.lstat("/w/dist/x")?.kind).toBe(kind === "link" ? "symlink" : kind);
  }
});

test("a linked output that cannot be made private leaves nothing among the outputs", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"], mode: "link" } });
  rig.write("src", "one");
  rig.processes.script("build", () => ({ files: { "dist/x": rig.read("src")! } }));
  await rig.run();
  rig.fs.link("/w/dist/x", "/w/elsewhere");
  rig.write("src", "two");
  const fs = faulty(rig.fs, [
    { at: ({ operation, to }) => operation === "rename" && to === "/w/dist/x", action: { kind: "error", code: "EIO" } },
  ]);
  const run = await rig.run({ fs });
  expect(run.recorder.settledOf("build")?.end).toBe("errored");
  expect(namesIn(rig)).toEqual(["x"]);
});

test("a directory of stale files goes with them, also when somebody removed the files first", async () => {
  const rig = new GraphRig({ build: { inputs: ["src"], outputs: ["dist"] } });
  rig.processes.script("build", () => ({ files: { [`dist/${rig.read("src")}/x`]: "" } }));
  for (const source of ["one", "two"]) {
    rig.write("src", source);
    rig.fs.removeTree("/w/dist");
    await rig.run();
  }
  rig.fs.remove("/w/dist/two/x");
  rig.write("src", "one");
  await rig.run();
  expect(namesIn(rig)).toEqual(["one"]);
});
