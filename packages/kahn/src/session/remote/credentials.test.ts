// Goal: a server that wants to know who asks is told it from the configuration, the environment and files as documented; who
// shows the wrong thing gets one warning that names the setting, runs everything here, and never reads a secret anywhere.
// Method: a server with an authority of its own, tokens and client certificates, and workspaces of one task, all in this
// process; what does not depend on what came before runs at the same time.
import type { RunEvent } from "@kahn/core";
import { newToken } from "@kahn/remote";
import { nodeRandom } from "@kahn/system";
import { expect, test } from "vitest";
import { Checkout, type Ran, startServer } from "../checkout.fixture.ts";
import { makeCertificates } from "./certificates.fixture.ts";

const PEM = makeCertificates();
const NAME_OF = (event: RunEvent) => (event.kind === "run.warned" ? event.problem.code : "");

/** All certificates and keys, in a folder. */
const pemFiles = (folder: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(PEM).flatMap(([name, { certificate, key }]) => [
      [`${folder}/${name}.pem`, certificate],
      [`${folder}/${name}.key`, key],
    ]),
  );

/** A workspace whose one task writes a file, and whose configuration names a server. */
function checkout(remote: object): Checkout {
  return new Checkout({
    "package.json": { name: "root", private: true, scripts: { build: "echo built > out; echo said" } },
    "kahn.jsonc": { cache: { remote }, tasks: { build: { inputs: ["package.json"], outputs: ["out"] } } },
    ...pemFiles("tls"),
  });
}

/** That the cache and execution of a server are used: one checkout builds there, another one takes it from there. */
async function expectServed(remote: object, env: Record<string, string>): Promise<void> {
  const built = await checkout(remote).run("build --force --remote-exec --cache local:off,remote:rw", env);
  expect(built.exitCode, built.stdout).toBe(0);
  expect([warningsOf(built), built.finished.remoteExecuted]).toEqual([[], 1]);
  await expectHit(remote, env, " --remote-exec");
}

/** That what is there is taken from there. */
async function expectHit(remote: object, env: Record<string, string>, more = ""): Promise<void> {
  const taken = await checkout(remote).run(`build --cache local:off,remote:r${more}`, env);
  expect([warningsOf(taken), taken.finished.remoteHits]).toEqual([[], 1]);
}

/** That a run goes on here with one warning, which names the setting. */
async function expectAlone(
  remote: object,
  setting: string,
  env: Record<string, string> = {},
  args = "",
): Promise<void> {
  const workspace = checkout(remote);
  const { exitCode, stdout, stderr } = await workspace.kahn(`run build ${args}`.trim(), env);
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain("1 executed, 0 cached");
  expect(stdout.match(/warning\[[a-z-]+\]/g)).toEqual([
    args === "" ? "warning[cache-tier-down]" : "warning[remote-exec-down]",
  ]);
  for (const secret of Object.values(env)) {
    expect(stdout + stderr).not.toContain(secret);
    expect(workspace.filesWith(".kahn", secret)).toEqual([]);
  }
  expect(stdout).toContain(setting);
}

function warningsOf({ events }: Ran): string[] {
  return events.map(NAME_OF).filter((code) => code !== "");
}

test("a server of an own authority is used with cache.remote.tls.ca, and not without it", async () => {
  const tls = { certificate: "tls/server.pem", key: "tls/server.key" };
  const address = await startServer({ tls, access: { anonymous: "all" } }, pemFiles("tls"));
  const url = `grpcs://${address}`;
  const ca = "tls/authority.pem";
  const plainHttp = async () => {
    const taken = await checkout({ url: `https://${address}/bazel`, tls: { ca } }).run("build");
    expect(warningsOf(taken)).toEqual([]);
  };
  await Promise.all([
    expectServed({ url, tls: { ca } }, {}),
    expectAlone({ url, tls: { ca: "tls/stranger.pem" } }, "cache.remote.tls.ca"),
    expectAlone({ url, tls: { ca, serverName: "elsewhere.example" } }, "cache.remote.tls.ca"),
    expectAlone({ url }, "cache.remote.tls.ca", {}, "--remote-exec"),
    // The same port without TLS, and a plain HTTP cache over TLS.
    expectAlone({ url: `grpc://${address}` }, "grpcs://"),
    plainHttp(),
  ]);
});

test("a client certificate is shown where it is asked for; who has none, or a stranger's, is told which setting has it", async () => {
  const tls = {
    ...{ certificate: "tls/server.pem", key: "tls/server.key" },
    ...{ clientAuthorities: "tls/authority.pem", clientCertificate: "require" },
  };
  const url = `grpcs://${await startServer({ tls }, pemFiles("tls"))}`;
  const ca = "tls/authority.pem";
  const lost = async () => {
    const broken = await checkout({ url, tls: { ca, cert: "tls/client.pem", key: "tls/none.key" } }).kahn("run build");
    expect([broken.exitCode, broken.stderr]).toEqual([2, expect.stringContaining("remote-cache-file-missing")]);
  };
  await Promise.all([
    expectServed({ url, tls: { ca, cert: "tls/client.pem", key: "tls/client.key" } }, {}),
    expectAlone({ url, tls: { ca } }, "tls.cert"),
    expectAlone({ url, tls: { ca, cert: "tls/stranger.pem", key: "tls/stranger.key" } }, "tls.cert"),
    lost(),
  ]);
});

test("a bearer token comes from the variable that is named; wrong, missing and expired ones are said, and never shown", async () => {
  const [good, readOnly, late] = [newToken(nodeRandom()), newToken(nodeRandom()), newToken(nodeRandom())];
  const tokens = [
    { name: "ci", hash: good.hash },
    { name: "dev", hash: readOnly.hash },
    { name: "late", hash: late.hash, expires: "2020-01-01T00:00:00Z" },
  ];
  const rules = [
    { who: ["token:ci", "token:late"], allow: ["all"] },
    { who: ["token:dev"], allow: ["read"] },
  ];
  const url = `grpc://${await startServer({ access: { tokens, rules } })}`;
  await expectServed({ url }, { KAHN_REMOTE_TOKEN: good.token });
  await checkout({ url }).run("build --cache local:off,remote:rw", { KAHN_REMOTE_TOKEN: good.token });
  const named = { url, tokenEnv: "OUR_TOKEN" };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what people write.
  const headers = { authorization: "Bearer ${OTHER_KEY}", "x-team": "core" };
  // One that may read is a hit, sends nothing, and is not worth a word.
  const dev = { KAHN_REMOTE_TOKEN: readOnly.token };
  const missed = async () => {
    const miss = await checkout({ url }).run("build -- --other", dev);
    expect([miss.finished.executed, warningsOf(miss)]).toEqual([1, []]);
  };
  // A server that executes, and not for them, is no server that does not.
  const denied = async (args: string) => {
    const { exitCode, stderr } = await checkout({ url }).kahn(args, dev);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("error[remote-exec-denied]")]);
    expect(stderr).toMatch(/the token in KAHN_REMOTE_TOKEN[\s\S]* `exec` /);
  };
  await Promise.all([
    expectHit(named, { OUR_TOKEN: good.token }),
    expectHit({ url, headers }, { OTHER_KEY: good.token }),
    expectHit({ url }, dev),
    missed(),
    denied("run build --remote-exec"),
    denied("run build --remote-exec=race"),
    expectAlone({ url }, "KAHN_REMOTE_TOKEN"),
    expectAlone({ url }, "KAHN_REMOTE_TOKEN", { KAHN_REMOTE_TOKEN: "no-such-token" }),
    expectAlone({ url }, "expired", { KAHN_REMOTE_TOKEN: late.token }),
    expectAlone(named, "OUR_TOKEN", { OUR_TOKEN: "no-such-token" }, "--remote-exec"),
  ]);
});
