// Goal: an action that a server has can be run again there and here, replayed until it shows what is not deterministic,
// and explained. Method: `kahn serve` as a process; actions put there as any client does, by a client of ours.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestHash, digestOf, encodeAction, encodeCommand, encodeDirectory } from "@kahn/core";
import { openClient } from "@kahn/remote/client";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { closedAddress } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import { KahnProcess, type Outcome, until } from "./rig/kahn-process.ts";
import { NO_TERMINAL, TerminalKahn } from "./rig/terminal-kahn.ts";
import { ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

interface ActionWish {
  readonly script: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly executable?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly outputs?: readonly string[];
  readonly timeoutMs?: number;
}

/** A server with a client, and a place where commands are run that is no workspace. */
class Rig {
  readonly base = mkdtempSync(join(tmpdir(), "kahn-look-"));
  url = "";

  async start(settings: readonly string[] = []): Promise<this> {
    onTestFinished(() => rmSync(this.base, { recursive: true, force: true }));
    mkdirSync(join(this.base, "tmp"));
    const args = ["serve", "--listen", "127.0.0.1:0", "--dir", join(this.base, "store"), "--json", ...settings];
    const server = new KahnProcess(args, { cwd: this.base, home: this.base });
    await until("the server listens", () => server.stdout.includes("serve.started") || server.stderr !== "");
    this.url = /"(grpc:[^"]+)"/.exec(server.stdout)?.[1] ?? "";
    expect(this.url, server.stderr).not.toBe("");
    return this;
  }

  /** Uploads an action with all that it reads. */
  async put(wish: ActionWish, without: readonly string[] = []): Promise<Digest> {
    const { script, files = {}, executable = [], variables = {}, outputs = [], timeoutMs } = wish;
    const client = openClient({ url: this.url, fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() });
    if (!client.ok) throw new Error(client.problem.message);
    const { blobs } = client.value.tier;
    const put = async (bytes: Uint8Array): Promise<Digest> => {
      const digest = digestOf(bytes);
      const sent = await blobs.write(digest, bytes);
      expect(sent.ok).toBe(true);
      return digest;
    };
    const nodes = [];
    for (const [name, content] of Object.entries(files).sort()) {
      const bytes = Buffer.from(content);
      const digest = without.includes(name) ? digestOf(bytes) : await put(bytes);
      nodes.push({ name, digest, executable: executable.includes(name) });
    }
    const src = await put(encodeDirectory({ files: nodes, directories: [], symlinks: [] }));
    const inputRoot = await put(
      encodeDirectory({ files: [], directories: [{ name: "src", digest: src }], symlinks: [] }),
    );
    const environment = Object.entries({ PATH: "/usr/bin:/bin", ...variables }).map(([name, value]) => ({
      name,
      value,
    }));
    const command = await put(
      encodeCommand({
        arguments: ["/bin/sh", "-c", script],
        environment: environment.sort((a, b) => (a.name < b.name ? -1 : 1)),
        outputPaths: outputs,
        platform: [],
        workingDirectory: "",
      }),
    );
    const rest = { doNotCache: false, salt: new Uint8Array(), platform: [] };
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    const action = await put(encodeAction({ command, inputRoot, ...timeout, ...rest }));
    client.value.close();
    return action;
  }

  /** Runs a command against the server. */
  async kahn(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    const own = { KAHN_REMOTE_URL: this.url, TMPDIR: join(this.base, "tmp"), ...env };
    const outcome = await new KahnProcess(args, { cwd: this.base, home: this.base, env: own }).ended;
    // Whatever happened, nothing is left.
    expect(readdirSync(join(this.base, "tmp"))).toEqual([]);
    return outcome;
  }
}

const GREET = {
  script: "cat src/a > out; echo said; echo loud >&2; exit 3",
  files: { a: "hello\n" },
  outputs: ["out"],
};

test("an action runs again on the server and here, with its output and its exit code", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put(GREET);
  const there = await rig.kahn(["exec", digest]);
  expect([there.exitCode, there.stdout], there.stderr).toEqual([3, "said\n"]);
  expect(there.stderr).toMatch(/^loud\n/);
  expect(there.stderr).toContain("exit code 3, ran in");
  // By hash alone, and without the server's being asked to run it.
  const here = await rig.kahn(["exec", digestHash(digest), "--local", "--json"]);
  const lines = here.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(here.exitCode, here.stderr).toBe(3);
  expect(
    lines
      .filter(({ kind }) => kind === "exec.output")
      .map(({ stream, text }) => [stream, text])
      .sort(),
  ).toEqual([
    ["stderr", "loud\n"],
    ["stdout", "said\n"],
  ]);
  expect(lines.at(-1)).toMatchObject({ kind: "exec.finished", action: digest, exitCode: 3, cached: false });
  expect(lines.at(-1).where).toMatch(/^here, /);
  expect(lines.at(-1).outputs).toEqual([{ path: "out", digest: digestOf("hello\n"), executable: false }]);
});

test("a result of the cache is taken only when asked for, and that is said; looking does not replace it", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put({ script: "echo once; date +%N > out", outputs: ["out"] });
  const finished = async (...more: string[]) => {
    const { stdout, exitCode, stderr } = await rig.kahn(["exec", digest, "--json", ...more]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('"text":"once\\n"');
    return JSON.parse(stdout.trim().split("\n").at(-1)!);
  };
  // With nothing recorded it is run, and that is the result that others have.
  expect((await finished()).cached).toBe(false);
  const recorded = await finished("--cached");
  expect(recorded.cached).toBe(false);
  const again = await finished();
  expect([again.cached, again.outputs[0].digest === recorded.outputs[0].digest]).toEqual([false, false]);
  expect((await rig.kahn(["replay", digest, "--remote-exec"])).exitCode).toBe(1);
  expect(await finished("--cached")).toMatchObject({ cached: true, outputs: recorded.outputs });
  expect((await rig.kahn(["exec", digest, "--cached"])).stderr).toContain("from its cache, nothing was run");
});

test("outputs go to a folder that is empty, from the server and from here; --force overlays another one", async () => {
  const rig = await new Rig().start();
  const script = "mkdir -p d/e; echo run > d/e/x; chmod +x d/e/x; ln -s e/x d/link; cat src/a > out; exit 4";
  const digest = await rig.put({ script, files: { a: "hello\n" }, outputs: ["d", "out"] });
  const shown = (folder: string) => [
    readFileSync(join(rig.base, folder, "out"), "utf8"),
    readFileSync(join(rig.base, folder, "d/link"), "utf8"),
    statSync(join(rig.base, folder, "d/e/x")).mode & 0o777,
  ];
  for (const [folder, how] of [
    ["there", []],
    ["here", ["--local"]],
  ] as const) {
    const { exitCode, stderr } = await rig.kahn(["exec", digest, ...how, "--outputs", folder]);
    expect([exitCode, stderr], stderr).toEqual([4, expect.stringContaining(`written to ${join(rig.base, folder)}`)]);
    expect(shown(folder)).toEqual(["hello\n", "run\n", 0o755]);
  }
  const full = await rig.kahn(["exec", digest, "--outputs", "there"]);
  expect([full.exitCode, full.stdout]).toEqual([2, ""]);
  expect(full.stderr).toContain("error[action-outputs-blocked]");
  rmSync(join(rig.base, "there/out"));
  const again = await rig.kahn(["exec", digest, "--outputs", "there", "--force", "--json"]);
  expect(JSON.parse(again.stdout.trim().split("\n").at(-1)!)).toMatchObject({ directory: join(rig.base, "there") });
  expect(shown("there")).toEqual(["hello\n", "run\n", 0o755]);
});

test("output of the server shows while the action still runs", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put({ script: "echo begun; sleep 30", timeoutMs: 60_000 });
  const env = { KAHN_REMOTE_URL: rig.url };
  const running = new KahnProcess(["exec", digest], { cwd: rig.base, home: rig.base, env });
  await until("its first words are there", () => running.stdout === "begun\n");
  running.signal("SIGINT");
  expect((await running.ended).exitCode).toBe(130);
});

test("a deterministic action replays with 0; one that is not names every place, with the lines of small texts", async () => {
  const rig = await new Rig().start();
  const steady = await rig.put(GREET);
  const equal = await rig.kahn(["replay", steady, "--times", "3"]);
  expect([equal.exitCode, equal.stdout.match(/are equal/g)?.length], equal.stderr).toEqual([0, 2]);
  const script =
    "mkdir -p out/sub; echo same > out/same; { echo first; od -An -N8 -tx8 /dev/urandom; } > out/sub/random; od -An -N4 -tx4 /dev/urandom";
  const random = await rig.put({ script, outputs: ["out"] });
  const here = await rig.kahn(["replay", random]);
  expect(here.exitCode, here.stderr).toBe(1);
  expect(here.stdout).toContain("differ in 2 places");
  expect(here.stdout).toMatch(/ {2}out\/sub\/random: .*\n {6}- {2}[0-9a-f]{16}\n {6}\+ {2}[0-9a-f]{16}\n/);
  expect(here.stdout).not.toContain("out/same:");
  // On the server, which records nothing; a result that is recorded is compared, too.
  await rig.kahn(["exec", random, "--cached"]);
  const there = await rig.kahn(["replay", random, "--remote-exec"]);
  expect([there.exitCode, there.stdout.includes("on the server") || there.stdout.includes(rig.url.slice(7))]).toEqual([
    1,
    true,
  ]);
  const recorded = JSON.parse((await rig.kahn(["replay", random, "--json"])).stdout);
  expect(recorded).toMatchObject({ action: random, runs: 2, isDeterministic: false });
  expect(recorded.comparisons.map((each: { with: string }) => each.with)).toEqual(["run 2", "the recorded result"]);
  const [{ differences }] = recorded.comparisons;
  expect(differences.map(({ what }: { what: string }) => what)).toEqual(["out/sub/random", "stdout"]);
});

test("a result that was recorded and is not what runs give is named, streams in whatever form they came", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put({ script: "cat src/a; cat src/a > out", files: { a: "text\n" }, outputs: ["out"] });
  expect((await rig.kahn(["exec", digest, "--cached"])).exitCode).toBe(0);
  const same = await rig.kahn(["replay", digest]);
  expect([same.exitCode, same.stdout], same.stderr).toEqual([
    0,
    expect.stringContaining("the recorded result are equal"),
  ]);
});

test("a shell stands in the inputs, with the action's variables, says what differs, and leaves nothing", async ({
  skip,
}) => {
  skip(NO_TERMINAL !== undefined, NO_TERMINAL);
  const rig = await new Rig().start();
  const digest = await rig.put({ ...GREET, variables: { GREETING: "well met" } });
  const temporary = join(rig.base, "tmp");
  const env = { KAHN_REMOTE_URL: rig.url, TMPDIR: temporary };
  const kahn = new TerminalKahn({ directory: rig.base, home: rig.base }, ["exec", digest, "--shell"], env);
  await kahn.shows("differs from a run by:");
  await kahn.shows("action:");
  kahn.types('echo "[$GREETING] [$KAHN_REMOTE_URL] [$(cat src/a)]"');
  await kahn.shows("[well met] [] [hello]");
  expect(readdirSync(temporary)).toHaveLength(1);
  // Ctrl-C is for what runs in the shell.
  kahn.types("sleep 300");
  await kahn.shows("sleep 300");
  kahn.does("int");
  kahn.types("exit 7");
  expect(await kahn.exitCode, kahn.shown).toBe(7);
  expect(readdirSync(temporary)).toEqual([]);
});

test("an interrupted run here ends its command and leaves nothing", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put({ script: "echo begun; sleep 30" });
  const temporary = join(rig.base, "tmp");
  const env = { KAHN_REMOTE_URL: rig.url, TMPDIR: temporary };
  const running = new KahnProcess(["exec", digest, "--local"], { cwd: rig.base, home: rig.base, env });
  await until("its first words are there", () => running.stdout === "begun\n");
  running.signal("SIGTERM");
  expect((await running.ended).exitCode).toBe(130);
  expect(readdirSync(temporary)).toEqual([]);
});

test("a miss between two invocations has its reason: the file, the variable, the bit that differs", async () => {
  const rig = await new Rig().start();
  const files = { a: "one\n", b: "two\n", "run.sh": "true\n" };
  const base = { script: "cat src/a > out", files, outputs: ["out"] };
  const first = await rig.put(base);
  const why = async (wish: ActionWish) =>
    JSON.parse((await rig.kahn(["why", first, await rig.put(wish), "--json"])).stdout);
  const prefix = "the result of one does not serve the other: ";
  const changed = await why({ ...base, files: { a: "changed\n", b: "two\n", "run.sh": "true\n" } });
  expect(changed.reason).toBe(`${prefix}input src/a differs`);
  expect(changed.differences).toEqual([
    { part: "input", name: "src/a", first: digestOf("one\n"), second: digestOf("changed\n") },
  ]);
  expect((await why({ ...base, executable: ["run.sh"] })).reason).toBe(
    `${prefix}input src/run.sh differs in its executable bit`,
  );
  const several = await why({
    ...base,
    files: { a: "one\n", c: "new\n", "run.sh": "true\n" },
    variables: { LANG: "C" },
    timeoutMs: 5000,
  });
  expect(several.reason).toBe(`${prefix}variable LANG is in the second only, 2 inputs differ and the timeout differs`);
  expect((await why({ ...base, script: "cat src/b > out", outputs: ["out", "more"] })).reason).toBe(
    `${prefix}argument 2 differs and output more is in the second only`,
  );
  expect((await why(base)).reason).toBe("they are the same action, and one result serves both");
  const text = await rig.kahn(["why", first, await rig.put({ ...base, variables: { API_TOKEN: "secret" } })]);
  expect(text.stdout).toContain("variable API_TOKEN: (none) → (hidden");
  expect(text.stdout).not.toContain("secret");
  const lines = await rig.kahn(["why", first, await rig.put({ ...base, files: { ...files, a: "other\n" } })]);
  expect(lines.stdout).toContain("\n      - one\n      + other\n");
});

test("one digest shows what it is, and its result once there is one", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put({ ...GREET, script: "cat src/a > out", timeoutMs: 1500 });
  const before = await rig.kahn(["why", digest.slice("sha256:".length)]);
  expect(before.stdout).toContain("/bin/sh -c 'cat src/a > out'");
  expect(before.stdout).toContain("1 file (6 bytes), 1 directory");
  expect(before.stdout).toContain("none is recorded");
  await rig.kahn(["exec", digest, "--cached"]);
  const after = JSON.parse((await rig.kahn(["why", digest, "--json"])).stdout);
  expect(after).toMatchObject({ digest, timeoutMs: 1500, outputs: ["out"], result: { exitCode: 0 } });
});

test("what cannot be done is said with a code: unknown, malformed, incomplete, without a server or a terminal", async () => {
  const rig = await new Rig().start(["--set", "execution.enabled=false"]);
  const digest = await rig.put(GREET);
  const incomplete = await rig.put({ ...GREET, files: { a: "never sent\n" } }, ["a"]);
  const code = async (args: readonly string[], env = {}) => {
    const { exitCode, stderr } = await rig.kahn(args, env);
    expect(exitCode, stderr).toBe(2);
    return /error\[([a-z-]+)\]/.exec(stderr)?.[1];
  };
  const other = digestOf("nobody has this");
  expect(await code(["exec", other])).toBe("action-unknown");
  expect(await code(["why", digestHash(other)])).toBe("digest-size-unknown");
  expect(await code(["exec", "abc"])).toBe("digest-malformed");
  expect(await code(["exec", digestOf("hello\n")])).toBe("action-malformed");
  expect(await code(["exec", digest])).toBe("remote-exec-unsupported");
  expect(await code(["exec", incomplete, "--local"])).toBe("action-incomplete");
  expect(await code(["replay", incomplete])).toBe("action-incomplete");
  expect(await code(["exec", digest, "--shell"])).toBe("action-shell-without-terminal");
  expect(await code(["exec", digest, "--local", "--shell"])).toBe("option-value");
  expect(await code(["exec", digest, "--force"])).toBe("option-value");
  expect(await code(["replay", digest, "--times", "1"])).toBe("option-value");
  expect(await code(["exec", digest], { KAHN_REMOTE_URL: "" })).toBe("remote-unset");
  expect(await code(["exec", digest, "--remote", `grpc://${await closedAddress()}`])).toBe("store-remote");
});

test("headers of the configuration go to the server that it names, and to no other", async () => {
  const rig = await new Rig().start();
  const digest = await rig.put(GREET);
  const remote = { url: `grpc://${await closedAddress()}`, headers: { "x-key": "$" + "{ABSENT_KEY}" } };
  const workspace = new Workspace({ "package.json": ROOT_MANIFEST, "kahn.jsonc": { cache: { remote } } });
  const own = await workspace.kahn(`why ${digest}`);
  expect([own.exitCode, own.stderr]).toEqual([2, expect.stringContaining("remote-cache-variable-unset")]);
  const other = await workspace.kahn(`why ${digest} --remote ${rig.url}`);
  expect([other.exitCode, other.stdout], other.stderr).toEqual([0, expect.stringContaining("cat src/a > out")]);
});

test("a task that runs in its workspace has a key and a result, and nothing to run elsewhere", async () => {
  const workspace = new Workspace({
    "package.json": { ...ROOT_MANIFEST, scripts: { build: "echo built > out.txt" } },
    "kahn.jsonc": { tasks: { build: { inputs: ["package.json"], outputs: ["out.txt"] } } },
  });
  const run = await workspace.kahn("run build --json");
  expect(run.exitCode, run.stdout + run.stderr).toBe(0);
  const [key] =
    /sha256:[0-9a-f]{64}\/\d+(?="[^}]*)/.exec(run.stdout.split("\n").find((line) => /"action"/.test(line)) ?? "") ?? [];
  expect(key, run.stdout).toBeDefined();
  const { exitCode, stderr } = await workspace.kahn(`exec ${key} --local`);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining("action-not-executable")]);
  expect(existsSync(join(workspace.directory, "out.txt"))).toBe(true);
});
