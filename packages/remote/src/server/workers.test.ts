/** Persistent workers behind a whole server: who gets one, who shares it, and that nobody can tell by what comes out. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import type { Digest, FileNode } from "@kahn/core";
import { digestOf, encodeDirectory } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { afterAll, afterEach, test } from "vitest";
import type { SeenOperation } from "../execution/execution-server.fixture.ts";
import { METHODS, seen } from "../execution/execution-server.fixture.ts";
import type { Channel } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import type { ActionResult } from "../proto/generated/remote-execution.ts";
import { Action, ActionResult as ActionResultCodec, Command } from "../proto/generated/remote-execution.ts";
import type { TestServer } from "../server.fixture.ts";
import { testServer } from "../server.fixture.ts";
import type { ServerStore } from "../store/server-store.ts";
import { realPlace } from "../store/store.fixture.ts";

/** A compiler: upper-cases, or meets two others first. Alone, as a worker of JSON, and of protobuf. Says who it is. */
const TOOL = `
const fs = require("fs");
function compile([out, from], dir) {
  const at = (path) => (dir ? dir + "/" + path : path);
  fs.writeFileSync(at(out), fs.readFileSync(at(from), "utf8").toUpperCase());
}
function varint(bytes, at) {
  let value = 0, shift = 0;
  for (; at < bytes.length; shift += 7) {
    value += (bytes[at] & 127) * 2 ** shift;
    if (bytes[at++] < 128) return [value, at];
  }
}
function fieldsOf(bytes) {
  const fields = [];
  for (let at = 0; at < bytes.length; ) {
    let tag, value;
    [tag, at] = varint(bytes, at);
    [value, at] = varint(bytes, at);
    if ((tag & 7) === 2) { fields.push([tag >> 3, bytes.subarray(at, at + value)]); at += value; }
    else fields.push([tag >> 3, value]);
  }
  return fields;
}
const argv = process.argv.slice(2);
if (!argv.includes("--persistent_worker")) {
  compile(fs.readFileSync(argv.at(-1).slice(1), "utf8").trim().split("\\n"));
} else {
  const json = argv.includes("--json");
  const held = [];
  const done = ({ args, id, dir }) => {
    compile(args, dir);
    const output = "worker " + process.pid;
    if (json) return process.stdout.write(JSON.stringify({ requestId: id, exitCode: 0, output }) + "\\n");
    const body = Buffer.concat([Buffer.from([18, output.length]), Buffer.from(output), Buffer.from(id ? [24, id] : [])]);
    process.stdout.write(Buffer.concat([Buffer.from([body.length]), body]));
  };
  const take = (work) => {
    if (!argv.includes("--meet")) return done(work);
    held.push(work);
    if (held.length === 3) for (const each of held.splice(0)) done(each);
  };
  let bytes = Buffer.alloc(0);
  process.stdin.on("data", (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (;;) {
      if (json) {
        const end = bytes.indexOf(10);
        if (end < 0) return;
        const { arguments: args, requestId: id = 0, sandboxDir: dir } = JSON.parse(bytes.subarray(0, end));
        bytes = bytes.subarray(end + 1);
        take({ args, id, dir });
      } else {
        const head = varint(bytes, 0);
        if (!head || bytes.length < head[0] + head[1]) return;
        const work = { args: [], id: 0, dir: "" };
        for (const [field, value] of fieldsOf(bytes.subarray(head[1], head[0] + head[1]))) {
          if (field === 1) work.args.push(value.toString());
          if (field === 3) work.id = value;
          if (field === 6) work.dir = value.toString();
        }
        bytes = bytes.subarray(head[0] + head[1]);
        take(work);
      }
    }
  });
}`;

const place = realPlace();
const guardian = startGuardian({ token: `workers-${process.pid}`, graceMs: 100 });
const processes = directRunner({ clock: nodeClock(), guardian });
const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(async () => {
  await processes.close();
  nodeFileSystem().removeTree(`${place.root}-workers`);
  place.cleanup();
});

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
/** A sandbox shows no program but the system's own. */
const canSandbox = process.execPath.startsWith("/usr/") && spawnSync("/usr/bin/bwrap", bwrap).status === 0;
const LEVELS = canSandbox ? (["off", "enforce"] as const) : (["off"] as const);

async function serve(settings = "", sandbox: "off" | "enforce" = "off") {
  const config = `dir: ${place.root}-workers\nexecution: { sandbox: "${sandbox}", slots: 3${settings} }\n`;
  const store = await place.open();
  const server = await testServer({ config, fs: nodeFileSystem(), ports: { store, processes } });
  servers.push(server);
  return { store, channel: server.channel(), server };
}

interface Compilation {
  readonly text: string;
  readonly tool?: string;
  readonly flags?: readonly string[];
  readonly platform?: Readonly<Record<string, string>>;
  readonly instance?: string;
  readonly isMarked?: boolean;
}

async function put(store: ServerStore, bytes: Uint8Array): Promise<Digest> {
  assert.ok((await store.blobs.write(digestOf(bytes), bytes)).ok);
  return digestOf(bytes);
}

async function compile({ store, channel }: { store: ServerStore; channel: Channel }, of: Compilation) {
  const { text, tool = TOOL, flags = [], platform = { persistentWorkerKey: "k" }, isMarked = true } = of;
  const node = async (name: string, content: string): Promise<FileNode> => ({
    ...{ name, digest: await put(store, Buffer.from(content)), executable: false },
    ...(isMarked && name === "tool.js" ? { isTool: true } : {}),
  });
  const files = [await node("args", "out\nsource\n"), await node("source", text), await node("tool.js", tool)];
  const root = await put(store, encodeDirectory({ files, directories: [], symlinks: [] }));
  const command = Command.encode({
    arguments: [process.execPath, "tool.js", ...flags, "@args"],
    environmentVariables: [{ name: "PATH", value: dirname(process.execPath) }],
    outputPaths: ["out"],
  });
  const properties = Object.entries(platform).map(([name, value]) => ({ name, value }));
  const action = Action.encode({
    commandDigest: digestMessage(await put(store, command)),
    inputRootDigest: digestMessage(root),
    platform: { properties },
  });
  const actionDigest = digestMessage(await put(store, action));
  const call = channel.read(METHODS.execute, { actionDigest, instanceName: of.instance ?? "", skipCacheLookup: true });
  let last: SeenOperation | undefined;
  for await (const operation of call.messages) last = seen(operation);
  assert.equal(last?.response?.status?.code ?? 0, 0, last?.response?.status?.message);
  const result = last?.response?.result;
  assert.ok(result !== undefined && result.exitCode === 0, JSON.stringify(last?.response));
  return { outputs: outputsOf(result), worker: Buffer.from(result.stderrRaw).toString() };
}

/** All of a result that a cache is for: what was made, not when nor what was said. */
function outputsOf({ outputFiles, outputDirectories, outputSymlinks, exitCode }: ActionResult): string {
  return Buffer.from(ActionResultCodec.encode({ outputFiles, outputDirectories, outputSymlinks, exitCode })).toString(
    "hex",
  );
}

const numbersOf = async ({ server }: Awaited<ReturnType<typeof serve>>) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return ["starts", "reuses"].map((what) => Number(text.match(`kahn_persistent_worker_${what}_total (\\d+)`)?.[1]));
};

for (const [protocol, sandbox] of LEVELS.flatMap((level) => [["proto", level] as const, ["json", level] as const])) {
  test(`100 actions of one tool have one process, by ${protocol}, and make what they make alone (${sandbox})`, async () => {
    const it = await serve("", sandbox);
    const flags = protocol === "json" ? ["--json"] : [];
    const platform = { persistentWorkerKey: "k", persistentWorkerProtocol: protocol };
    const workers = new Set<string>();
    for (let index = 0; index < 100; index++) {
      const { outputs, worker } = await compile(it, { text: `text ${index}`, flags, platform });
      workers.add(worker);
      if (index % 25 > 0) continue;
      const alone = await compile(it, { text: `text ${index}`, flags, platform: {} });
      assert.deepEqual(alone, { outputs, worker: "" });
    }
    assert.equal(workers.size, 1);
    assert.match([...workers][0]!, /^worker \d+$/);
    assert.deepEqual(await numbersOf(it), [1, 99]);
  });
}

test.each(LEVELS)("another tool, other flags or other callers have another process (%s)", async (sandbox) => {
  const it = await serve(", workers: { max: 4 }", sandbox);
  const variants: readonly Partial<Compilation>[] = [
    ...[{}, { tool: `${TOOL}\n// newer` }, { flags: ["--quiet"] }, { instance: "other" }],
  ];
  const workers = new Set<string>();
  for (const variant of [...variants, ...variants]) workers.add((await compile(it, { text: "a", ...variant })).worker);
  // In a sandbox each has the same number.
  if (sandbox === "off") assert.deepEqual([workers.size, workers.has("")], [variants.length, false]);
  assert.deepEqual(await numbersOf(it), [variants.length, variants.length]);
});

test("a multiplex worker does several pieces at once, each in its own directory", async () => {
  const it = await serve();
  const platform = {
    ...{ persistentWorkerKey: "k", persistentWorkerProtocol: "json" },
    ...{ "supports-multiplex-workers": "1", "supports-multiplex-sandboxing": "1" },
  };
  // The tool answers none before it has three.
  const flags = ["--json", "--meet"];
  const texts = ["one", "two", "three"];
  const all = await Promise.all(texts.map((text) => compile(it, { text, flags, platform })));
  assert.equal(new Set(all.map(({ worker }) => worker)).size, 1);
  for (const [index, { outputs }] of all.entries()) {
    assert.equal(outputs, (await compile(it, { text: texts[index]!, platform: {} })).outputs);
  }
});

test("an action whose tools are not marked, and one on a server without workers, runs by itself", async () => {
  const it = await serve();
  assert.equal((await compile(it, { text: "a", isMarked: false })).worker, "");
  await servers.pop()?.close();
  const without = await serve(", workers: { enabled: false }");
  assert.equal((await compile(without, { text: "a" })).worker, "");
});

test("no process of a worker is left when the server has gone", async () => {
  const it = await serve();
  const { worker } = await compile(it, { text: "a" });
  const pid = Number(worker.slice("worker ".length));
  process.kill(pid, 0);
  await servers.pop()?.close();
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});
