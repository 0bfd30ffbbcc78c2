/**
 * Real clients of every protocol on one server: what one build stored, the next one fetches, also after the server died.
 *
 * Method: the built `kahn serve`, the scripts of `clients/`, and the line that each client prints when all of its tasks
 *         came from the remote cache. Each build starts without local results.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { absence, Bazel, runKit } from "./rig/real-clients.ts";
import { endServers, type Served, serve } from "./rig/served.ts";

interface Client {
  readonly name: string;
  /** Why it cannot run here. */
  readonly absent: string | undefined;
  /** Builds without local results, and answers with what was printed. */
  build(server: Served): Promise<string>;
  /** What is printed when nothing was executed. */
  readonly hit: RegExp;
}

const bazels: Bazel[] = [];

function bazel(version: "2" | "4", how: string, options: (server: Served) => string[]): Client {
  let made: Bazel | undefined;
  return {
    name: `Bazel ${version === "4" ? "4.2.3" : "2.1.0"} over ${how}`,
    absent: absence(`bazel-${version}`),
    hit: /\b12 remote cache hit/,
    build: async (server) => {
      if (made === undefined) bazels.push((made = new Bazel(version)));
      return (await made.fresh(["test", ...options(server), "//pkg:all"])).printed;
    },
  };
}

function script(client: "turbo" | "nx" | "moon" | "ccache", file: string, hit: RegExp) {
  return (name: string, args: (server: Served) => string[], env: Record<string, string> = {}): Client => ({
    ...{ name, absent: absence(client), hit },
    build: async (server) => (await runKit(file, args(server), env)).printed,
  });
}

const moon = script("moon", "moon.sh", /2 completed \(2 cached\)/);
const turbo = script("turbo", "turbo.sh", /Cached: +2 cached, 2 total/);
const nx = script("nx", "nx.sh", /for 2 out of 2 tasks/);
// It compiles twice by itself, the second time with nothing but the remote storage.
const ccache = script("ccache", "ccache.sh", /^run 2.*remote_storage_hit 1/m);
const key = "0123456789abcdef0123456789abcdef";

const CLIENTS: readonly Client[] = [
  bazel("4", "gRPC", ({ address }) => [`--remote_cache=grpc://${address}`, "--remote_instance_name=team/four"]),
  bazel("2", "gRPC", ({ address }) => [`--remote_cache=grpc://${address}`, "--remote_instance_name=team/two"]),
  bazel("4", "HTTP", ({ address }) => [`--remote_cache=http://${address}/bazel`]),
  bazel("2", "HTTP", ({ address }) => [`--remote_cache=http://${address}/bazel2`]),
  moon("moon, plain", ({ address }) => [`grpc://${address}`, "none"]),
  moon("moon, zstd", ({ address }) => [`grpc://${address}`, "zstd"]),
  turbo("Turborepo", ({ port }) => [`${port}`]),
  turbo("Turborepo, signed", ({ port }) => [`${port}`], { SIG: "1", TURBO_REMOTE_CACHE_SIGNATURE_KEY: key }),
  nx("Nx", ({ port }) => [`${port}`]),
  ...["subdirs", "flat", "bazel"].map((layout) =>
    ccache(`ccache, layout ${layout}`, ({ address }) => [`http://${address}/ccache-${layout}/ccache|layout=${layout}`]),
  ),
];

// Real clients start slowly, and the machine has other tests.
describe("real clients", { timeout: 300_000 }, () => {
  let server: Served;

  beforeAll(async () => {
    server = await serve();
  });

  afterAll(async () => {
    await Promise.all(bazels.map((each) => each.close()));
    await endServers(server.base);
  });

  test.for(CLIENTS)("$name: the second build fetches everything", async ({ absent, build, hit }, { skip }) => {
    skip(absent !== undefined, absent);
    const first = await build(server);
    if (!hit.flags.includes("m")) expect(first).not.toMatch(hit);
    expect(await build(server)).toMatch(hit);
    expect(server.told()).toBe("");
  });

  test("after kill -9 and a restart the first build of every client fetches everything", async ({ skip }) => {
    const present = CLIENTS.filter(({ absent }) => absent === undefined);
    skip(present.length === 0, "no client is installed");
    server = await server.killAndRestart();
    for (const { name, build, hit } of present) {
      const printed = await build(server);
      // ccache's first compilation of the two must hit as well.
      const wanted = hit.flags.includes("m") ? /^run 1.*remote_storage_hit 1/m : hit;
      expect(printed, name).toMatch(wanted);
    }
    expect(server.told()).toBe("");
  });
});

describe("tokens", { timeout: 300_000 }, () => {
  const hashOf = (token: string) => `sha256:${createHash("sha256").update(token).digest("hex")}`;
  const config = `access:
  tokens:
    - { name: writer, hash: "${hashOf("kahn_writer")}" }
    - { name: reader, hash: "${hashOf("kahn_reader")}" }
  rules:
    - { who: "token:writer", allow: write }
    - { who: "token:reader", allow: read }
`;
  let server: Served;

  beforeAll(async () => {
    server = await serve({ config });
  });
  afterAll(() => endServers(server.base));

  // ccache compiles twice: the second time hits what the first one stored, unless it might not.
  const compile = (token: string) => [`http://${server.address}/ccache|bearer-token=${token}`];
  const ways = [
    ["turbo", "turbo.sh", () => [`${server.port}`], /Cached: +2 cached, 2 total/],
    ["nx", "nx.sh", () => [`${server.port}`], /for 2 out of 2 tasks/],
    ["ccache", "ccache.sh", compile, /^run 2.*remote_storage_hit 1/m],
  ] as const;

  test.for(ways)(
    "%s: a token that may only read stores nothing, fails no build, and reads what others stored",
    async ([client, file, args, hit], { skip }) => {
      skip(absence(client) !== undefined, absence(client));
      const build = async (token: string) => {
        const { exitCode, printed } = await runKit(file, args(token), { TOKEN: token });
        expect(exitCode, printed).toBe(0);
        expect(printed).not.toMatch(/ rc \d/);
        return printed;
      };
      for (const _ of [1, 2]) expect(await build("kahn_reader")).not.toMatch(hit);
      await build("kahn_writer");
      expect(await build("kahn_reader")).toMatch(hit);
    },
  );
});
