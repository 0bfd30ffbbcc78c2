// Goal: a server that wants to know who asks is told it from the configuration, the environment and files as documented; who
// shows the wrong thing gets one warning that names the setting, runs everything here, and never reads a secret anywhere.
// Method: `kahn serve` with an authority of its own, tokens and client certificates; a workspace of one task.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunEvent } from "@kahn/core";
import { newToken } from "@kahn/remote";
import { nodeRandom } from "@kahn/system";
import { expect, onTestFinished, test } from "vitest";
import { makeCertificates } from "./rig/certificates.ts";
import { KahnProcess, until } from "./rig/kahn-process.ts";
import { type RunReport, Workspace } from "./rig/workspace.ts";

const PEM = makeCertificates();
const NAME_OF = (event: RunEvent) => (event.kind === "run.warned" ? event.problem.code : "");

/** A server with these settings, as long as the test. @returns its port. */
async function startServer(settings: object): Promise<number> {
  const base = mkdtempSync(join(tmpdir(), "kahn-serve-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  for (const [name, { certificate, key }] of Object.entries(PEM)) {
    writeFileSync(join(base, `${name}.pem`), certificate);
    writeFileSync(join(base, `${name}.key`), key);
  }
  writeFileSync(join(base, "server.jsonc"), JSON.stringify({ listen: ["127.0.0.1:0"], dir: "store", ...settings }));
  const server = new KahnProcess(["serve", "--config", "server.jsonc", "--json"], { cwd: base, home: base });
  await until("the server listens", () => server.stdout.includes("serve.started") || server.stderr.includes("error"));
  const [, port] = /"grpcs?:\/\/127\.0\.0\.1:(\d+)"/.exec(server.stdout) ?? [];
  if (port === undefined) throw new Error(server.stderr);
  return Number(port);
}

/** A workspace whose one task writes a file, and whose configuration names a server. */
function checkout(remote: object): Workspace {
  const workspace = new Workspace({
    "package.json": { name: "root", private: true, scripts: { build: "echo built > out; echo said" } },
    "kahn.jsonc": { cache: { remote }, tasks: { build: { inputs: ["package.json"], outputs: ["out"] } } },
  });
  for (const [name, { certificate, key }] of Object.entries(PEM)) {
    workspace.write(`tls/${name}.pem`, certificate);
    workspace.write(`tls/${name}.key`, key);
  }
  return workspace;
}

/** That the cache and execution of a server are used: one checkout builds there, another one takes it from there. */
async function expectServed(remote: object, env: Record<string, string>): Promise<void> {
  const built = await checkout(remote).run("build --force --remote-exec --cache local:off,remote:rw", { env });
  expect(built.exitCode, built.stdout).toBe(0);
  expect([warningsOf(built), built.finished.remoteExecuted]).toEqual([[], 1]);
  const taken = await checkout(remote).run("build --cache local:off,remote:r", { env });
  expect([warningsOf(taken), taken.finished.remoteHits]).toEqual([[], 1]);
}

/** That a run goes on here with one warning. @returns all that it said. */
async function expectAlone(remote: object, env: Record<string, string>, args = ""): Promise<string> {
  const workspace = checkout(remote);
  const { exitCode, stdout, stderr } = await workspace.kahn(`run build ${args}`.trim(), { env });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain("1 executed, 0 cached");
  expect(stdout.match(/warning\[[a-z-]+\]/g)).toEqual([
    args === "" ? "warning[cache-tier-down]" : "warning[remote-exec-down]",
  ]);
  for (const secret of Object.values(env)) {
    expect(stdout + stderr).not.toContain(secret);
    expect(workspace.filesWith(".kahn", secret)).toEqual([]);
  }
  return stdout;
}

function warningsOf({ log }: RunReport): string[] {
  return log.events.map(NAME_OF).filter((code) => code !== "");
}

test("a server of an own authority is used with cache.remote.tls.ca, and not without it", async () => {
  const port = await startServer({
    tls: { certificate: "server.pem", key: "server.key" },
    access: { anonymous: "all" },
  });
  const url = `grpcs://127.0.0.1:${port}`;
  await expectServed({ url, tls: { ca: "tls/authority.pem" } }, {});
  for (const tls of [{ ca: "tls/stranger.pem" }, { ca: "tls/authority.pem", serverName: "elsewhere.example" }]) {
    expect(await expectAlone({ url, tls }, {})).toContain("cache.remote.tls.ca");
  }
  expect(await expectAlone({ url }, {}, "--remote-exec")).toContain("cache.remote.tls.ca");
  // The same port without TLS, and a plain HTTP cache over TLS.
  expect(await expectAlone({ url: `grpc://127.0.0.1:${port}` }, {})).toContain("grpcs://");
  const http = `https://127.0.0.1:${port}/bazel`;
  const taken = await checkout({ url: http, tls: { ca: "tls/authority.pem" } }).run("build");
  expect(warningsOf(taken)).toEqual([]);
});

test("a client certificate is shown where it is asked for; who has none, or a stranger's, is told which setting has it", async () => {
  const port = await startServer({
    tls: {
      certificate: "server.pem",
      key: "server.key",
      clientAuthorities: "authority.pem",
      clientCertificate: "require",
    },
  });
  const url = `grpcs://127.0.0.1:${port}`;
  const ca = "tls/authority.pem";
  await expectServed({ url, tls: { ca, cert: "tls/client.pem", key: "tls/client.key" } }, {});
  expect(await expectAlone({ url, tls: { ca } }, {})).toContain("tls.cert");
  const stranger = { ca, cert: "tls/stranger.pem", key: "tls/stranger.key" };
  expect(await expectAlone({ url, tls: stranger }, {})).toContain("tls.cert");
  const broken = await checkout({ url, tls: { ca, cert: "tls/client.pem", key: "tls/none.key" } }).kahn("run build");
  expect([broken.exitCode, broken.stderr]).toEqual([2, expect.stringContaining("remote-cache-file-missing")]);
});

test("a bearer token comes from the variable that is named; wrong, missing and expired ones are said, and never shown", async () => {
  const [good, readOnly, late] = [newToken(nodeRandom()), newToken(nodeRandom()), newToken(nodeRandom())];
  const port = await startServer({
    access: {
      tokens: [
        { name: "ci", hash: good.hash },
        { name: "dev", hash: readOnly.hash },
        { name: "late", hash: late.hash, expires: "2020-01-01T00:00:00Z" },
      ],
      rules: [
        { who: ["token:ci", "token:late"], allow: ["all"] },
        { who: ["token:dev"], allow: ["read"] },
      ],
    },
  });
  const url = `grpc://127.0.0.1:${port}`;
  await expectServed({ url }, { KAHN_REMOTE_TOKEN: good.token });
  await expectServed({ url, tokenEnv: "OUR_TOKEN" }, { OUR_TOKEN: good.token });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what people write.
  const headers = { authorization: "Bearer ${OTHER_KEY}", "x-team": "core" };
  await expectServed({ url, headers }, { OTHER_KEY: good.token });
  expect(await expectAlone({ url }, {})).toContain("KAHN_REMOTE_TOKEN");
  expect(await expectAlone({ url }, { KAHN_REMOTE_TOKEN: "no-such-token" })).toContain("KAHN_REMOTE_TOKEN");
  expect(await expectAlone({ url }, { KAHN_REMOTE_TOKEN: late.token })).toContain("expired");
  const named = { url, tokenEnv: "OUR_TOKEN" };
  expect(await expectAlone(named, { OUR_TOKEN: "no-such-token" }, "--remote-exec")).toContain("OUR_TOKEN");
  // One that may read is a hit, sends nothing, and is not worth a word.
  const dev = { KAHN_REMOTE_TOKEN: readOnly.token };
  const hit = await checkout({ url }).run("build", { env: dev });
  expect([hit.finished.remoteHits, warningsOf(hit)]).toEqual([1, []]);
  const miss = await checkout({ url }).run("build -- --other", { env: dev });
  expect([miss.finished.executed, warningsOf(miss)]).toEqual([1, []]);
});
