// Goal: `kahn run --dry` and `kahn why` say what the run with the same caches would find, on the server too, and change
// nothing anywhere. Method: one checkout builds and gives; another one asks, then runs, and what was said is compared.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf } from "@kahn/core";
import { closedAddress } from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import { libraryHost } from "../../cli/host.ts";
import { Checkout, startServer } from "../checkout.fixture.ts";
import { openRemoteLookup } from "../remote/lookup.ts";
import { openSession } from "../workspace-session.ts";

const manifest = (name: string, build: string, dependencies: object = {}) => ({
  name,
  scripts: { build },
  dependencies,
});

function checkout(): Checkout {
  return new Checkout({
    "package.json": { name: "root", private: true, workspaces: ["packages/*"] },
    "packages/lib/package.json": manifest("lib", "mkdir -p dist/sub && cp src/a dist/sub/a"),
    "packages/lib/src/a": "lib\n",
    "packages/app/package.json": manifest("app", "mkdir -p dist && cp src/a dist/a", { lib: "*" }),
    "packages/app/src/a": "app\n",
    "kahn.jsonc": { tasks: { build: { inputs: ["src/**"], outputs: ["dist/**"], dependsOn: ["^build"] } } },
  });
}

const warningsIn = (text: string) => text.match(/warning\[[a-z-]+\]/g) ?? [];

test("what only the server has is shown with where it is, by both, and is taken by nobody yet", async () => {
  const url = `grpc://${await startServer({ execution: { enabled: false } })}`;
  const env = { KAHN_REMOTE_URL: url };
  expect((await checkout().run("build", env)).finished).toMatchObject({ executed: 2 });
  const other = checkout();
  const dry = await other.kahn("run build --dry", env);
  expect([dry.exitCode, dry.stderr]).toEqual([0, ""]);
  expect(dry.stdout).toBe(
    `= lib#build cached on ${url}\n= app#build cached on ${url}\n\n0 would run, 0 depend on those, 2 cached (2 remotely)\n`,
  );
  const why = await other.kahn("why app#build --json", env);
  expect(JSON.parse(why.stdout)).toMatchObject({ kind: "hit", label: "app#build", from: url });
  // Only reading is what it takes, and without the local cache it is the same.
  const reading = await other.kahn("why app#build --cache local:off,remote:r", env);
  expect(reading.stdout).toContain(`= app#build cached on ${url}\n`);
  for (const args of ["run build --dry --cache remote:off", "why build --cache remote:off"]) {
    const without = await other.kahn(args, env);
    expect(without.stdout, args).toContain("▶ lib#build would run");
    expect(without.stdout, args).toContain("? app#build depends on the outcome of lib#build");
  }
  // A change in between is a miss there, too, and what rests on it is open.
  other.write("packages/app/src/a", "changed\n");
  const partly = await other.kahn("run build --dry", env);
  expect(partly.stdout).toContain("1 would run, 0 depend on those, 1 cached (1 remotely)\n");
  const run = await other.run("build", env);
  expect(run.finished).toMatchObject({ executed: 1, remoteHits: 1 });
  expect((await other.kahn("run build --dry", env)).stdout).toContain("= lib#build cached\n= app#build cached\n");
});

test("a result whose files are not all there any more is no hit, as for a run", async () => {
  const held = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.method === "PUT") held.set(request.url!, Buffer.concat(parts));
      const found = held.get(request.url!);
      response.writeHead(found === undefined ? 404 : 200).end(request.method === "GET" ? found : undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const env = { KAHN_REMOTE_URL: `http://127.0.0.1:${port}/cache` };
  expect((await checkout().run("build", env)).finished).toMatchObject({ executed: 2 });
  const other = checkout();
  const whole = await other.kahn("run build --dry", env);
  expect(whole.stdout, whole.stderr).toContain("2 cached (2 remotely)\n");
  const file = [...held].find(([path, bytes]) => path.includes("/cas/") && bytes.toString() === "lib\n");
  held.delete(file![0]);
  const partly = await other.kahn("run build --dry", env);
  expect(partly.stdout).toContain("▶ lib#build would run");
  expect((await other.run("build", env)).finished).toMatchObject({ executed: 1, remoteHits: 1 });
});

test("with nobody at the address it is one warning, and as if there were none", async () => {
  const env = { KAHN_REMOTE_URL: `grpc://${await closedAddress()}` };
  for (const args of ["run build --dry", "why build"]) {
    const { exitCode, stdout, stderr } = await checkout().kahn(args, env);
    expect([exitCode, warningsIn(stderr)], stderr).toEqual([0, ["warning[cache-tier-down]"]]);
    // What the server said, or did not, is told once.
    expect(stderr.match(/UNAVAILABLE/g), stderr).toHaveLength(1);
    expect(stdout).toContain("▶ lib#build would run");
  }
  // A run that is forced asks nobody, and one for whom all is at hand does not, either.
  const forced = await checkout().kahn("run build --dry --force", env);
  expect([forced.exitCode, forced.stderr]).toEqual([0, ""]);
  const built = checkout();
  await built.run("build --cache remote:off", env);
  const again = await built.kahn("run build --dry", env);
  expect([again.stdout.includes("2 cached\n"), again.stderr]).toEqual([true, ""]);
});

test("a server in trouble is not asked by everybody in turn", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const session = await openSession(libraryHost(checkout().directory));
  if (!session.ok) throw new Error("no session");
  const warnings: string[] = [];
  const lookup = openRemoteLookup(session.value, {
    server: { url: `http://127.0.0.1:${port}/`, mode: "r", instance: "", headers: {}, tokenEnv: "NONE" },
    local: undefined,
    onWarning: ({ code }) => warnings.push(code),
  });
  if (!lookup.ok) throw new Error(lookup.problem.message);
  const found = await Promise.all(Array.from({ length: 200 }, (_, n) => lookup.value.lookup(digestOf(`action ${n}`))));
  lookup.value.close();
  expect(new Set(found.map((each) => each.ok && each.value.kind))).toEqual(new Set(["miss"]));
  expect(warnings).toEqual(["cache-tier-down"]);
  expect(asked).toBeLessThanOrEqual(16);
});

test("a remote cache that is asked for and not configured is refused, as a run is", async () => {
  for (const args of ["run build --dry --cache remote:r", "why build --cache remote:r"]) {
    const { exitCode, stderr } = await checkout().kahn(args);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("error[remote-cache-unset]")]);
  }
});

test("why asks the server that --remote names, whatever is configured, and refuses what has no meaning", async () => {
  const url = `grpc://${await startServer({ execution: { enabled: false } })}`;
  await checkout().run("build", { KAHN_REMOTE_URL: url });
  const other = checkout();
  const env = { KAHN_REMOTE_URL: `grpc://${await closedAddress()}` };
  const named = await other.kahn(`why app#build --remote ${url}`, env);
  expect([named.stdout, named.stderr]).toEqual([expect.stringContaining(`= app#build cached on ${url}\n`), ""]);
  const instance = await other.kahn(`why app#build --remote ${url} --instance another`);
  expect(instance.stdout).toContain("? app#build depends on the outcome of lib#build");
  const codes = async (line: string) => {
    const { exitCode, stderr } = await other.kahn(line, env);
    return [exitCode, ...(stderr.match(/(?<=error\[)[a-z-]+/g) ?? [])];
  };
  expect(await codes(`why app#build --remote ${url} --cache remote:off`)).toEqual([2, "option-value"]);
  expect(await codes("why app#build --remote host:9092")).toEqual([2, "remote-address-malformed"]);
  for (const option of ["-p app", "--cache remote:r", "--remote-exec"]) {
    expect(await codes(`why ${"0".repeat(64)}/1 ${option} --remote ${url}`), option).toEqual([2, "option-value"]);
  }
});

test("why says what a run on the server would find there", async () => {
  const url = `grpc://${await startServer({ execution: { sandbox: "off" } })}`;
  const made = checkout();
  await made.run("build --remote-exec", { KAHN_REMOTE_URL: url });
  expect((await made.kahn(`why build --remote ${url} --remote-exec`)).stdout).toContain("= app#build cached\n");
});

test("with --force, or no cache to read, all that has a command would run, cached or not, and says so", async () => {
  const made = checkout();
  await made.run("build");
  const forced = await made.kahn("run build --dry --force");
  const why = "the cache was not asked (--force)";
  expect(forced.stdout).toBe(
    `▶ lib#build would run: ${why}\n▶ app#build would run: ${why}\n\n2 would run, 0 depend on those, 0 cached\n`,
  );
  const apart = await made.kahn("run build --dry --cache local:off");
  expect(apart.stdout).toContain("▶ app#build would run: the cache was not asked (--cache has none to read)\n");
  const json = await made.kahn("run build --dry --force --json");
  expect(json.stdout.split("\n").map((line) => line && JSON.parse(line))).toMatchObject([
    { kind: "run", label: "lib#build", reasons: [{ code: "forced" }] },
    { kind: "run", label: "app#build", reasons: [{ code: "forced" }] },
    "",
  ]);
  const run = await made.run("build --force");
  expect(run.finished).toMatchObject({ executed: 2 });
});
