// Goal: doctor says of a server what a run would stumble over, and what to do; without a server it says nothing of one, and
// nothing keeps it waiting. Method: servers in this process, with tokens, of plain HTTP, silent and absent.
import { createServer } from "node:http";
import { type AddressInfo, createServer as listen } from "node:net";
import { newToken } from "@kahn/remote";
import { nodeRandom } from "@kahn/system";
import { closedAddress } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import { libraryHost } from "../../cli/host.ts";
import { Checkout, startServer } from "../checkout.fixture.ts";
import type { Finding } from "../health.ts";
import { systemPorts } from "../system-ports.ts";
import { checkServer, isNear } from "./health.ts";

const workspace = (cache: object = {}) =>
  new Checkout({ "package.json": { name: "root", private: true, scripts: {} }, "kahn.jsonc": { cache } });

/** Findings of the server, by what they are about. */
async function examined({
  env = {},
  cache,
  line = "",
}: {
  env?: Record<string, string>;
  cache?: object;
  line?: string;
}): Promise<{ exitCode: number; found: Record<string, Finding> }> {
  const { exitCode, stdout } = await workspace(cache).kahn(`doctor --json ${line}`.trim(), env);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const own = findings.slice(findings.findIndex(({ what }) => what === "cache") + 1);
  return { exitCode, found: Object.fromEntries(own.map((each) => [each.what, each])) };
}

async function portOf(server: ReturnType<typeof listen>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("without a server nothing is asked, and nothing is wrong", async () => {
  expect(await examined({})).toEqual({ exitCode: 0, found: {} });
});

test("a server that does all for us is told with what it does", async () => {
  const url = `grpc://${await startServer({ access: { anonymous: "all" } })}`;
  const named = await examined({ line: `--remote ${url}` });
  expect(named).toMatchObject({
    exitCode: 0,
    found: {
      "remote server": { state: "good", detail: expect.stringMatching(/^grpc:\S+ answers in .*, not encrypted$/) },
      credentials: { state: "absent", detail: expect.stringContaining("KAHN_REMOTE_TOKEN is not set") },
      digests: { state: "good", detail: expect.stringContaining("sha256") },
      "remote cache": { state: "good", detail: "results are read and written" },
      "remote exec": { state: "good" },
    },
  });
  const reading = await examined({ cache: { remote: { url, mode: "r" } } });
  expect(reading.found["remote cache"]?.detail).toBe('results are read (cache.remote.mode is "r")');
  expect((await examined({ env: { KAHN_REMOTE_URL: url } })).found).toHaveProperty("remote exec");
  // Outside of a workspace, too.
  const nowhere = await new Checkout({}).kahn(`doctor --remote ${url}`);
  expect(nowhere.stdout).toContain("✔ remote server");
});

test("what credentials may not do is told with what to show instead; those nobody knows are wrong, and never shown", async () => {
  const [all, reading] = [newToken(nodeRandom()), newToken(nodeRandom())];
  const tokens = [
    { name: "ci", hash: all.hash },
    { name: "dev", hash: reading.hash },
  ];
  const rules = [
    { who: ["token:ci"], allow: ["all"] },
    { who: ["token:dev"], allow: ["read"] },
  ];
  const remote = { url: `grpc://${await startServer({ access: { tokens, rules } })}`, tokenEnv: "OUR_TOKEN" };
  const as = (token: string) => examined({ cache: { remote }, env: { OUR_TOKEN: token } });
  expect(await as(all.token)).toMatchObject({
    exitCode: 0,
    found: {
      credentials: { state: "good", detail: "the token in OUR_TOKEN: accepted" },
      "remote exec": { state: "good" },
    },
  });
  expect(await as(reading.token)).toMatchObject({
    exitCode: 0,
    found: {
      "remote cache": { state: "absent", next: expect.stringContaining("ac.write") },
      "remote exec": { state: "absent", next: expect.stringMatching(/`exec`.*OUR_TOKEN/) },
    },
  });
  const stranger = await as("no-such-token");
  expect([stranger.exitCode, Object.keys(stranger.found)]).toEqual([1, ["remote server"]]);
  expect(stranger.found["remote server"]).toMatchObject({ state: "wrong", next: expect.stringContaining("OUR_TOKEN") });
  const nobody = await examined({ cache: { remote } });
  expect([nobody.exitCode, nobody.found["remote server"]]).toMatchObject([
    1,
    { next: expect.stringContaining("OUR_TOKEN") },
  ]);
  const text = await workspace({ remote }).kahn("doctor", { OUR_TOKEN: "no-such-token" });
  expect(text.stdout).toMatch(/✖ remote server .*\n +next: .*OUR_TOKEN/);
  expect(text.stdout + text.stderr).not.toContain("no-such-token");
});

test("a plain HTTP cache is asked for a result, which is all that it can be asked", async () => {
  const server = createServer((_, response) => void response.writeHead(404).end());
  const { exitCode, found } = await examined({ line: `--remote http://127.0.0.1:${await portOf(server)}/cache` });
  expect(exitCode).toBe(0);
  expect(Object.entries(found).map(([what, { state }]) => [what, state])).toEqual([
    ["remote server", "good"],
    ["credentials", "absent"],
    ["remote cache", "good"],
    ["remote exec", "absent"],
  ]);
});

test("nobody at the address, or an address that is none, is wrong, and says what to check", async () => {
  for (const url of [`grpc://${await closedAddress()}`, "host:9092"]) {
    const { exitCode, found } = await examined({ line: `--remote ${url}` });
    expect([exitCode, found], url).toMatchObject([
      1,
      { "remote server": { state: "wrong", next: expect.stringMatching(/\S/) } },
    ]);
  }
});

test("a server that takes the connection and says nothing is given up", async () => {
  const server = listen((socket) => socket.on("error", () => {}));
  const url = `grpc://127.0.0.1:${await portOf(server)}`;
  const host = libraryHost(workspace().directory);
  const config = { url, mode: "rw", instance: "", headers: {}, tokenEnv: "NONE" } as const;
  const place = { ports: systemPorts(host), root: host.directory, env: {} };
  const [only, ...others] = await checkServer(place, { server: config, patienceMs: 1 });
  expect([only?.state, others]).toEqual(["wrong", []]);
  expect(only?.detail).toContain(`${url} does not answer within`);
});

test("only an address of this machine is one where nobody is on the way", () => {
  const near = [
    "unix:/run/kahn.sock",
    "grpc://localhost:9092",
    "http://127.0.0.2",
    "grpc://[::1]:9092",
    "http://a:b@localhost/cache",
  ];
  const far = [
    "grpc://localhost.example:9092",
    "http://127.0.0.1.example/cache",
    "http://127.0.0.1:80@example/cache",
    "grpc://host:1",
  ];
  expect([...near, ...far].filter(isNear)).toEqual(near);
});
