// Goal: what one checkout has built is a hit in every other, through a server; a server that goes costs a warning and
// nothing else; on a server tasks give what they give here, and what they do not declare shows.
// Method: `kahn serve` as a process, and the workspace that Kahn is measured with, in two folders. Its scripts append a
// line to `.exec.log`, so what really ran here is counted, not believed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closedAddress, testScale } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import { PEERS } from "../../bench/peers.ts";
import { type WorkspaceFacts, writeWorkspace } from "../../bench/workspace.ts";
import { KahnProcess, until } from "./rig/kahn-process.ts";
import { ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

const isFullScale = testScale(process.env.KAHN_TEST_SCALE) >= 5;
/** Packages; two tasks each. */
const N = isFullScale ? 100 : 8;
const FEW = isFullScale ? 100 : 4;
const RUN = "build test --concurrency 2";
/** At full size, several runs of 200 tasks each. */
const LONG = { timeout: isFullScale ? 600_000 : 60_000 };

class Checkout extends Workspace {
  readonly facts: WorkspaceFacts;

  constructor(n: number) {
    super();
    const kahn = PEERS.find((peer) => peer.name === "kahn")!;
    this.facts = writeWorkspace(this.directory, { n, seed: 1 }, (packages) => kahn.dress(packages));
  }

  /** How many tasks ran here since the last call. */
  takeLog(): number {
    const lines = this.lines(".exec.log");
    if (lines.length > 0) this.remove(".exec.log");
    return lines.length;
  }
}

/** A server that runs until the test ends. */
async function startServer(): Promise<{ server: KahnProcess; url: string }> {
  const base = mkdtempSync(join(tmpdir(), "kahn-serve-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const args = ["serve", "--listen", "127.0.0.1:0", "--dir", join(base, "store"), "--json"];
  const server = new KahnProcess(args, { cwd: base, home: base });
  await until("the server listens", () => server.stdout.includes("serve.started") || server.stderr !== "");
  const [, url] = /"(grpc:[^"]+)"/.exec(server.stdout) ?? [];
  if (url === undefined) throw new Error(server.stderr);
  return { server, url };
}

test("what one checkout built, another one takes from the server, and runs nothing", LONG, async () => {
  const { url } = await startServer();
  const env = { KAHN_REMOTE_URL: url };
  const first = new Checkout(N);
  const cold = await first.run(`${RUN} --cache local:off,remote:rw`, { env });
  expect(cold.exitCode, cold.stderr).toBe(0);
  expect(cold.finished).toMatchObject({ status: "succeeded", executed: 2 * N, cached: 0 });
  expect(first.takeLog()).toBe(2 * N);

  const second = new Checkout(N);
  const warm = await second.run(`${RUN} --cache local:off,remote:rw`, { env });
  expect(warm.finished).toMatchObject({ executed: 0, cached: 2 * N, remoteHits: 2 * N });
  expect(second.takeLog()).toBe(0);
  expect(second.tree("packages")).toEqual(first.tree("packages"));

  // Now at hand: the server is asked no more.
  const read = await second.run(RUN, { env });
  expect(read.finished).toMatchObject({ executed: 0, cached: 2 * N });
  const again = await second.run(RUN, { env: { KAHN_REMOTE_URL: `grpc://${await closedAddress()}` } });
  expect(again.finished).toMatchObject({ executed: 0, cached: 2 * N });
  expect(again.log.warnings()).toEqual([]);
});

test("a server that dies in the middle costs one warning: the run finishes here", LONG, async () => {
  const { server, url } = await startServer();
  const checkout = new Checkout(FEW);
  const env = { KAHN_REMOTE_URL: url };
  const run = checkout.start(`run ${RUN} --cache local:off,remote:rw --json`.split(" "), { env });
  await until("some tasks have run", () => checkout.lines(".exec.log").length >= 3);
  server.signal("SIGKILL");
  const outcome = await run.ended;
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const events = outcome.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.at(-1)).toMatchObject({ status: "succeeded", executed: 2 * FEW, failed: 0, errored: 0 });
  const warnings = events.filter(({ kind }) => kind === "run.warned" || kind === "node.warned");
  expect(warnings.map(({ problem }) => problem.code)).toEqual(["cache-tier-down"]);
});

test("with nobody at the address everything runs here, with one warning", LONG, async () => {
  const checkout = new Checkout(FEW);
  const alone = await checkout.run(RUN, { env: { KAHN_REMOTE_URL: `grpc://${await closedAddress()}` } });
  expect(alone.exitCode).toBe(0);
  expect(alone.finished).toMatchObject({ executed: 2 * FEW });
  expect(alone.stdout.match(/cache-tier-down/g)).toHaveLength(1);
});

test("options and configuration of a remote cache are checked before anything runs", async () => {
  const workspace = new Workspace({ "package.json": { ...ROOT_MANIFEST, scripts: { build: "true" } } });
  const codeOf = async (args: string, env = {}) => {
    const { exitCode, stdout } = await workspace.kahn(`run --json ${args}`, { env });
    expect(exitCode).toBe(2);
    const [first] = stdout.split("\n");
    return JSON.parse(first!).problems.map(({ code }: { code: string }) => code);
  };
  expect(await codeOf("build --cache remote:rw")).toEqual(["remote-cache-unset"]);
  expect(await codeOf("build --remote-exec")).toEqual(["remote-exec-unset"]);
  expect(await codeOf("build", { KAHN_REMOTE_URL: "host:9092" })).toEqual(["remote-address-malformed"]);
  const wrong = await workspace.kahn("run build --cache local:write");
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining("option-value")]);
});

/** The outputs of all packages. */
const dist = (checkout: Checkout) =>
  Object.fromEntries(Object.entries(checkout.tree("packages")).filter(([path]) => path.includes("/dist")));

let ownDist: ReturnType<typeof dist> | undefined;

/** What a run here, without a server, gives. Made once. */
async function distHere(): Promise<ReturnType<typeof dist>> {
  if (ownDist !== undefined) return ownDist;
  const here = new Checkout(FEW);
  await here.run(RUN);
  ownDist = dist(here);
  return ownDist;
}

test("on the server tasks give what they give here; what they do not declare is named and dropped", LONG, async () => {
  const { url } = await startServer();
  const there = new Checkout(FEW);
  const run = await there.run(`${RUN} --cache remote:off --remote-exec`, { env: { KAHN_REMOTE_URL: url } });
  expect(run.exitCode, run.stdout).toBe(0);
  expect(run.finished).toMatchObject({ executed: 2 * FEW, cached: 0, remoteExecuted: 2 * FEW });
  expect(there.takeLog()).toBe(0);
  expect(dist(there)).toEqual(await distHere());
  const warnings = run.log.ofKind("node.warned").map(({ problem }) => problem);
  expect(new Set(warnings.map(({ code }) => code))).toEqual(new Set(["undeclared-output-dropped"]));
  expect(warnings).toHaveLength(2 * FEW);
  expect(warnings[0]!.message).toContain(".exec.log");
  // What the server made is a hit of runs on the server: here are other tools, and files that are not declared.
  const again = await there.run(`${RUN} --remote-exec`, { env: { KAHN_REMOTE_URL: url } });
  expect(again.finished).toMatchObject({ executed: 0, cached: 2 * FEW });
  expect((await there.run(RUN)).finished).toMatchObject({ executed: 2 * FEW, cached: 0 });
});

test(
  "in a race each task has one result, that of one side, and the workspace sees nothing else of either",
  LONG,
  async () => {
    const { url } = await startServer();
    const both = new Checkout(FEW);
    const env = { KAHN_REMOTE_URL: url };
    const run = await both.run(`${RUN} --remote-exec=race`, { env });
    expect(run.exitCode, run.stdout).toBe(0);
    const settled = run.log.ofKind("node.settled");
    for (const { ran } of settled) expect([ran?.where, ran?.before].sort()).toEqual([url, "here"]);
    const won = settled.filter(({ ran }) => ran?.where === url).length;
    expect(run.finished.remoteExecuted ?? 0).toBe(won);
    expect(run.finished).toMatchObject({ executed: 2 * FEW, cached: 0 });
    expect(both.takeLog()).toBe(0);
    expect(dist(both)).toEqual(await distHere());
    // Whoever won, it is one result, and that of the key: here, and for others.
    const other = new Checkout(FEW);
    expect((await other.run(RUN, { env })).finished).toMatchObject({ executed: 0, remoteHits: 2 * FEW });
    expect((await both.run(RUN, { env })).finished).toMatchObject({ executed: 0, cached: 2 * FEW });
  },
);

test("on the server a task without its script fails, and the script is named", async () => {
  const { url } = await startServer();
  const checkout = new Checkout(FEW);
  checkout.write("kahn.jsonc", checkout.read("kahn.jsonc").replace(',"build.sh"', ""));
  const target = `@bench/${checkout.facts.leaf}#build`;
  const run = await checkout.run(["build", "-p", checkout.facts.leaf, "--remote-exec"], {
    env: { KAHN_REMOTE_URL: url },
  });
  expect(run.exitCode).toBe(1);
  const failed = run.log.ofKind("node.settled").filter(({ end }) => end === "failed");
  expect(failed.length, target).toBeGreaterThan(0);
  for (const { problem } of failed) {
    expect(problem).toMatchObject({
      code: "command-failed",
      next: expect.stringContaining("build.sh is in the workspace"),
    });
  }
});

test("a server that dies in the middle of running tasks costs one warning: the rest runs here", LONG, async () => {
  const { server, url } = await startServer();
  const checkout = new Checkout(FEW);
  const args = `run ${RUN} --cache remote:off --remote-exec --json`.split(" ");
  const run = checkout.start(args, { env: { KAHN_REMOTE_URL: url } });
  await run.output((stdout) => stdout.split('"node.settled"').length > 3);
  server.signal("SIGKILL");
  const outcome = await run.ended;
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(outcome.stdout.match(/"remote-exec-down"/g)).toHaveLength(1);
  expect(outcome.stdout).toContain(`"executed":${2 * FEW}`);
});
