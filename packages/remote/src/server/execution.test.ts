/** A whole server that runs actions: on disk, through gRPC, by the rules, and drained while one runs. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { type Clock, digestOf, FileSystemError } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, nodeRandom, startGuardian, tryLock } from "@kahn/system";
import { afterAll, test } from "vitest";
import { newToken } from "../access/token.ts";
import type { Channel } from "../grpc/index.ts";
import { methodOf, StatusCode, type StatusError } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import type { Operation } from "../proto/generated/operations.ts";
import {
  Action,
  ActionCacheMethods,
  Command,
  ContentAddressableStorageMethods,
  ExecuteResponse,
  ExecutionMethods,
} from "../proto/generated/remote-execution.ts";
import { bearer, testServer } from "../server.fixture.ts";
import { realPlace } from "../store/store.fixture.ts";

const place = realPlace();
const folder = mkdtempSync(`${tmpdir()}/kahn-server-`);
const clock = nodeClock();
const guardian = startGuardian({ token: `server-${process.pid}`, graceMs: 100 });
const processes = directRunner({ clock, guardian });
afterAll(async () => {
  await processes.close();
  place.cleanup();
  rmSync(folder, { recursive: true, force: true });
});

const EXECUTE = methodOf("server-streaming", ExecutionMethods.execute);
const GET = methodOf("unary", ActionCacheMethods.getActionResult);

async function upload(channel: Channel, script: string, token: string) {
  const command = Command.encode({ arguments: ["/bin/sh", "-c", script], outputPaths: ["out"] });
  const root = Buffer.alloc(0);
  const action = Action.encode({
    commandDigest: digestMessage(digestOf(command)),
    inputRootDigest: digestMessage(digestOf(root)),
  });
  const requests = [command, action].map((data) => ({ digest: digestMessage(digestOf(data)), data }));
  const method = methodOf("unary", ContentAddressableStorageMethods.batchUpdateBlobs);
  assert.ok((await channel.unary(method, { requests }, bearer(token))).ok);
  return digestMessage(digestOf(action));
}

async function execute(channel: Channel, actionDigest: ReturnType<typeof digestMessage>, token: string) {
  const call = channel.read(EXECUTE, { actionDigest }, bearer(token));
  let last: Operation | undefined;
  while (await call.messages.ready()) last = call.messages.poll();
  assert.ok(last?.done === true && last.result?.kind === "response");
  return ExecuteResponse.decode(last.result.value.value);
}

test("actions are run by whom the rules let, and what an untrusted caller had run is not given to others", async () => {
  const [trusted, pull] = [newToken(nodeRandom()), newToken(nodeRandom())];
  const it = await testServer({
    config: `
dir: ${folder}
access:
  tokens: [{ name: main, hash: "${trusted.hash}" }, { name: pull, hash: "${pull.hash}" }]
  rules:
    - { who: "token:main", allow: all }
    - { who: "token:pull", allow: [read, cas.write, exec], overlay: pulls }
execution: { sandbox: off, slots: 1 }
`,
    fs: nodeFileSystem(),
    ports: { clock, processes, store: await place.open() },
  });
  const channel = it.channel();
  const action = await upload(channel, "echo said; echo made > out", pull.token);
  const response = await execute(channel, action, pull.token);
  assert.deepEqual([response.status?.code ?? 0, response.result?.exitCode, response.cachedResult], [0, 0, false]);
  assert.equal(response.result?.outputFiles[0]?.path, "out");
  const seen = async (token: string) => {
    const answer = await channel.unary(GET, { actionDigest: action }, bearer(token));
    return answer.ok ? "found" : answer.problem.code;
  };
  assert.deepEqual([await seen(pull.token), await seen(trusted.token)], ["found", StatusCode.notFound]);
  assert.equal((await execute(channel, action, trusted.token)).cachedResult, false);
  assert.equal(await seen(trusted.token), "found");

  execFileSync("mkfifo", [`${folder}/gate`]);
  const slow = await upload(channel, `read line < ${folder}/gate; echo late > out`, trusted.token);
  const running = execute(channel, slow, trusted.token);
  while (it.server.status().execution?.running === 0) await new Promise((resolve) => setImmediate(resolve));
  const drained = it.server.drain(20_000);
  await writeFile(`${folder}/gate`, "go\n");
  assert.equal((await running).result?.exitCode, 0);
  channel.close();
  await drained;
  await it.close();
  assert.deepEqual(it.reported, []);
});

// Goal: TERM loses nobody's action: the client that waited for it fetches what it made. Method: a client that reads only
// once new connections are refused, which is when the server would have gone.
test("who waited for the last action of a drained server still fetches its output; nobody else comes, nothing else runs", async () => {
  const config = `dir: ${folder}/last\nexecution: { sandbox: off, slots: 1 }\n`;
  const it = await testServer({ config, fs: nodeFileSystem(), ports: { clock, processes, store: await place.open() } });
  const channel = it.channel();
  execFileSync("mkfifo", [`${folder}/last-gate`]);
  const action = await upload(channel, `read line < ${folder}/last-gate; seq 100000 > out`, "");
  const running = execute(channel, action, "");
  while (it.server.status().execution?.running === 0) await new Promise((resolve) => setImmediate(resolve));
  const drained = it.server.drain(600_000);
  await writeFile(`${folder}/last-gate`, "go\n");
  const made = (await running).result?.outputFiles[0]?.digest;
  assert.ok(made !== undefined);
  while (await takesConnections(it.url)) await new Promise((resolve) => setImmediate(resolve));
  const read = methodOf("unary", ContentAddressableStorageMethods.batchReadBlobs);
  const fetched = await channel.unary(read, { digests: [made] });
  assert.ok(fetched.ok);
  assert.equal(fetched.value.responses[0]?.data?.length, 588_895);
  const another = channel.read(EXECUTE, { actionDigest: action, skipCacheLookup: true });
  await assert.rejects(another.messages.ready(), (error: StatusError) => error.status.code === StatusCode.unavailable);
  channel.close();
  assert.deepEqual(await drained, { kind: "drained" });
  await it.server.closed;
  assert.deepEqual(it.reported, []);
});

function takesConnections(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

// Goal: an action that goes on writing until it is killed does not lose its folder under it, and a folder that cannot be
// removed does not keep the server. Method: a file system that notes whether the run was there, and then refuses.
test("a server that is closed waits for the end of its actions before it removes what they work in", async () => {
  const dir = `${folder}/closing`;
  const files = nodeFileSystem();
  const runsThere: boolean[] = [];
  let isOpen = false;
  const fs = Object.assign(Object.create(files) as typeof files, {
    removeTree: (path: string) => {
      if (!isOpen || path !== `${dir}/work`) return files.removeTree(path);
      runsThere.push(existsSync(`${dir}/work/runs/1`));
      throw new FileSystemError("ENOTEMPTY", "rmdir", path);
    },
  });
  const config = `dir: ${dir}\nexecution: { sandbox: off, slots: 1 }\n`;
  const it = await testServer({ config, fs, ports: { clock, processes, store: await place.open() } });
  isOpen = true;
  const channel = it.channel();
  const action = await upload(channel, `echo > ${folder}/begun; exec sleep 1000`, "");
  const call = channel.read(EXECUTE, { actionDigest: action });
  while (!existsSync(`${folder}/begun`)) await new Promise((resolve) => setImmediate(resolve));
  await it.server.drain(0);
  await it.server.closed;
  call.cancel();
  channel.close();
  assert.deepEqual(runsThere, [false]);
  assert.deepEqual(
    it.reported.map(({ code }) => code),
    ["exec-root-failed"],
  );
});

// Goal: a server that was told to go lets its process go: a timer that is left would keep it for the whole grace.
test("a server that has nothing to do is drained without waiting, and leaves no timer", async () => {
  const waiting = new Set<object>();
  const watched: Clock = {
    ...{ nowMs: () => clock.nowMs(), monotonicMs: () => clock.monotonicMs() },
    setTimer: (delayMs, fire) => {
      const entry = {};
      waiting.add(entry);
      const timer = clock.setTimer(delayMs, () => {
        waiting.delete(entry);
        fire();
      });
      return {
        cancel: () => {
          waiting.delete(entry);
          timer.cancel();
        },
      };
    },
  };
  const config = `dir: ${folder}/idle\nexecution: { sandbox: off }\n`;
  const it = await testServer({
    config,
    fs: nodeFileSystem(),
    ports: { clock: watched, processes, store: await place.open() },
  });
  assert.ok(it.server.status().execution !== undefined);
  assert.deepEqual(await it.server.drain(600_000), { kind: "drained" });
  await it.server.closed;
  assert.equal(waiting.size, 0);
});

test("a second server on one folder is refused and touches nothing; when the first has gone, one may start", async () => {
  const dir = `${folder}/taken`;
  const lock = (path: string) => tryLock({ path, clock, owner: { label: "test", command: "test" } });
  const config = `dir: ${dir}\nexecution: { sandbox: off }\n`;
  const start = async () =>
    testServer({ config, fs: nodeFileSystem(), ports: { clock, processes, lock, store: await place.open() } });
  const first = await start();
  nodeFileSystem().writeFile(`${dir}/work/running`, Buffer.from("x"));
  await assert.rejects(start(), (error: Error) => {
    assert.match(error.message, /serve-dir-taken/);
    assert.match(error.message, new RegExp(`process ${process.pid}`));
    return true;
  });
  assert.ok(nodeFileSystem().lstat(`${dir}/work/running`) !== undefined);
  await first.close();
  await (await start()).close();
});
