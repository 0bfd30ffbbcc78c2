/**
 * Bazel with a remote executor: what works, what fails, what takes too long, what is lost, and who may.
 *
 * Method: the built `kahn serve`, real Bazels, and workspaces whose actions leave traces outside of themselves, so that
 *         what really ran can be counted.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../e2e/rig/kahn-process.ts";
import { absence, Bazel, type BazelVersion, loadWorkspace, makeCertificates, TokenIssuer } from "./rig/real-clients.ts";
import { sandboxAbsence } from "./rig/sandbox.ts";
import { endServers, type Served, serve } from "./rig/served.ts";

const VERSIONS: readonly BazelVersion[] = ["4", "2"];
/** 400 at the full scale. */
const ACTIONS = Number(process.env.KAHN_TEST_SCALE ?? 1) >= 10 ? 400 : 100;
/** Seconds that nobody else sleeps. */
const SLEEP = 86_000 + (process.pid % 400);

/** A workspace with an action that fails and a test that sleeps; both count themselves in `traces`. */
function troubledWorkspace(folder: string): { workspace: string; traces: string } {
  const traces = join(folder, "traces");
  const workspace = join(folder, "workspace");
  mkdirSync(workspace, { recursive: true });
  writeFileSync(traces, "");
  writeFileSync(join(workspace, "WORKSPACE"), 'workspace(name = "troubled")\n');
  writeFileSync(
    join(workspace, "BUILD.bazel"),
    `genrule(name = "fails", outs = ["f"], cmd = "echo ran >> ${traces}; echo boom >&2; exit 7")
sh_test(name = "sleeps", srcs = ["sleeps.sh"])
`,
  );
  // The second one leaves its session and its parent, as a daemon does.
  const script = `#!/bin/sh\nsleep ${SLEEP} &\n(setsid sleep ${SLEEP} &)\nsleep ${SLEEP}\n`;
  writeFileSync(join(workspace, "sleeps.sh"), script, { mode: 0o755 });
  return { workspace, traces };
}

/** Processes that sleep for so long. */
function sleepers(): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith(`sleep\0${SLEEP}`);
    } catch {
      return false; // It ended meanwhile.
    }
  });
}

describe.each(VERSIONS)("Bazel %s with a remote executor", { timeout: 300_000 }, (version) => {
  const absent = absence(`bazel-${version}`);
  const folder = mkdtempSync(join(tmpdir(), "kahn-bazel-execution-"));
  const bazel = new Bazel(version);
  const used: (string | undefined)[] = [undefined];
  let server: Served;
  let instance = 0;
  const options = (it = server) => [
    `--remote_executor=grpc://${it.address}`,
    `--remote_instance_name=${version}/${instance}`,
  ];

  beforeAll(async () => {
    // The actions of these tests must be able to leave traces.
    if (absent === undefined) server = await serve({ config: "execution: { sandbox: off }" });
  });
  afterAll(async () => {
    await bazel.close(used);
    await endServers(folder, server?.base ?? folder);
  });

  test("the workspace of the kit is built and tested, and from the cache the second time", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const first = await bazel.fresh(["test", ...options(), "//pkg:all"]);
    expect(first.printed).toMatch(/\b12 remote\./);
    expect(first.printed).toMatch(/smoke_test +PASSED/);
    expect((await bazel.fresh(["test", ...options(), "//pkg:all"])).printed).toMatch(/\b12 remote cache hit/);
  });

  test("an action that fails shows its exit code and what it said, and is not cached", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const { workspace, traces } = troubledWorkspace(join(folder, "fails"));
    used.push(workspace);
    for (const round of [1, 2]) {
      const { exitCode, printed } = await bazel.fresh(["build", ...options(), "//:fails"], workspace);
      expect(exitCode).toBe(1);
      expect(printed).toMatch(/Exit 7/);
      expect(printed).toMatch(/^boom$/m);
      expect(readFileSync(traces, "utf8")).toBe("ran\n".repeat(round));
    }
  });

  test("a test that takes too long is a timeout, and nothing of it is left, with a sandbox or without", async ({
    skip,
  }) => {
    skip(absent !== undefined, absent);
    const { workspace } = troubledWorkspace(join(folder, "sleeps"));
    used.push(workspace);
    const sandboxed = sandboxAbsence() === undefined ? await serve() : undefined;
    for (const it of [server, ...(sandboxed === undefined ? [] : [sandboxed])]) {
      const args = ["test", ...options(it), "--test_timeout=2", "//:sleeps"];
      const { exitCode, printed } = await bazel.fresh(args, workspace);
      expect(printed).toMatch(/TIMEOUT/);
      expect(exitCode).toBe(3);
      expect(sleepers()).toEqual([]);
    }
    if (sandboxed === undefined) return;
    await sandboxed.kill();
    rmSync(sandboxed.base, { recursive: true });
  });

  test(`${ACTIONS + 1} actions at 64 at once`, async ({ skip }) => {
    skip(absent !== undefined, absent);
    const workspace = loadWorkspace(join(folder, "load"), ACTIONS);
    used.push(workspace);
    const { exitCode, printed } = await bazel.fresh(["build", ...options(), "--jobs=64", "//load:all"], workspace);
    expect([exitCode, printed]).toEqual([0, expect.stringContaining(` ${ACTIONS + 1} remote.`)]);
    const again = await bazel.fresh(["build", ...options(), "--jobs=64", "//load:all"], workspace);
    expect([again.exitCode, again.printed]).toEqual([0, expect.stringContaining(` ${ACTIONS + 1} remote cache hit`)]);
  });

  test.for([true, false])(
    "blobs that vanish from the disk are made again (server goes on: %s)",
    async (goesOn, { skip }) => {
      skip(absent !== undefined, absent);
      instance++;
      const first = await bazel.fresh(["test", ...options(), "//pkg:all"]);
      expect(first.exitCode, first.printed).toBe(0);
      if (!goesOn) await server.kill();
      rmSync(join(server.store, "cas"), { recursive: true, force: true });
      if (!goesOn) server = await server.killAndRestart();
      for (const _ of [1, 2]) {
        const { exitCode, printed } = await bazel.fresh(["test", ...options(), "//pkg:all"]);
        expect([exitCode, printed]).toEqual([0, expect.stringMatching(/smoke_test .*PASSED/)]);
      }
      expect((await bazel.fresh(["test", ...options(), "//pkg:all"])).printed).toMatch(/\b12 remote cache hit/);
    },
  );

  test("a server that is killed in the midst of a build and comes back: the build, or the next one, is green", async ({
    skip,
  }) => {
    skip(absent !== undefined, absent);
    instance++;
    const workspace = join(folder, "load");
    const building = bazel.fresh(["build", ...options(), "--jobs=64", "//load:all"], workspace);
    await until("actions run", () => readdirSync(join(server.store, "work/runs")).length > 0);
    server = await server.killAndRestart();
    const { exitCode, printed } = await building;
    // Bazel tries again for some seconds; a slow machine may take longer to start a server.
    if (exitCode !== 0) expect(printed).toMatch(/UNAVAILABLE|refused|unavailable/i);
    const again = await bazel.run(["build", ...options(), "//load:all"], workspace);
    expect([again.exitCode, again.printed]).toEqual([0, expect.any(String)]);
  });

  test("a bearer token lets in; none, a wrong one, and one that may only read do not", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const tls = join(folder, "tls");
    makeCertificates(tls);
    const issuer = await TokenIssuer.open();
    // Bazel 2 sends `--remote_header` with some calls only, and credentials of accounts over TLS alone.
    const isHeader = version === "4";
    const guarded = await serve({
      config: `${isHeader ? "" : `tls: { certificate: ${tls}/server.pem, key: ${tls}/server.key }`}
access:
  tokens:
    - { name: writer, hash: "${tokenHash("kahn_writer")}" }
    - { name: reader, hash: "${tokenHash("kahn_reader")}" }
  rules:
    - { who: "token:writer", allow: [write, exec] }
    - { who: "token:reader", allow: read }
`,
    });
    const showing = (token: string) => {
      if (isHeader) return [`--remote_header=authorization=Bearer ${token}`];
      const file = join(tls, `${token}.json`);
      issuer.credentials(file, token);
      return [`--google_credentials=${file}`, "--google_auth_scopes=build"];
    };
    const as = (token?: string, cache = "executor") => [
      isHeader ? `--remote_${cache}=grpc://${guarded.address}` : `--remote_${cache}=grpcs://${guarded.address}`,
      ...(isHeader ? [] : [`--tls_certificate=${tls}/ca.pem`]),
      ...(token === undefined ? [] : showing(token)),
      "//pkg:hello",
    ];
    const refused = /UNAUTHENTICATED|PERMISSION_DENIED|not authorized/;
    expect((await bazel.fresh(["build", ...as()])).printed).toMatch(refused);
    expect((await bazel.fresh(["build", ...as("kahn_wrong")])).printed).toMatch(refused);
    expect((await bazel.fresh(["build", ...as("kahn_reader")])).printed).toMatch(refused);
    // A cache that may only be read is an error unless the client knows.
    const reading = ["--noremote_upload_local_results", ...as("kahn_reader", "cache")];
    const read = await bazel.fresh(["build", ...reading]);
    expect([read.exitCode, read.printed]).toEqual([0, expect.not.stringMatching(/remote cache hit|Remote Cache/)]);
    expect((await bazel.fresh(["build", ...as("kahn_writer")])).printed).toMatch(/\b1 remote\b/);
    expect((await bazel.fresh(["build", ...reading])).printed).toMatch(/\b1 remote cache hit/);
    issuer.close();
    await guarded.kill();
    rmSync(guarded.base, { recursive: true });
  });
});

describe("Bazel 2.1.0", { timeout: 300_000 }, () => {
  const absent = absence("bazel-2");

  test("over TLS and over a Unix socket: cache and execution", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const folder = mkdtempSync(join(tmpdir(), "kahn-bazel-tls-"));
    makeCertificates(folder);
    const bazel = new Bazel("2");
    const socket = join(folder, "kahn.sock");
    const tls = `tls: { certificate: ${folder}/server.pem, key: ${folder}/server.key }`;
    const server = await serve({ config: tls, listen: [`unix:${socket}`] });
    const ways = {
      tls: [`=grpcs://${server.address}`, `--tls_certificate=${folder}/ca.pem`],
      unix: ["=grpc://localhost:1", `--remote_proxy=unix:${socket}`],
    };
    for (const [name, [to = "", how = ""]] of Object.entries(ways)) {
      const on = [how, `--remote_instance_name=${name}`, "//pkg:all"];
      expect((await bazel.fresh(["test", `--remote_executor${to}`, ...on])).printed, name).toMatch(/\b12 remote\./);
      expect((await bazel.fresh(["test", `--remote_cache${to}`, ...on])).printed, name).toMatch(/remote cache hit/);
    }
    await bazel.close();
    await endServers(folder, server.base);
  });
});

function tokenHash(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}
