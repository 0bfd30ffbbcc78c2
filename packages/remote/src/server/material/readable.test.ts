/** Paths that actions may read: which are taken, and what an action sees of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { digestOf } from "@kahn/core";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { memoryFileSystem, virtualClock } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { methodOf } from "../../grpc/index.ts";
import { digestMessage } from "../../names/request-digest.ts";
import type { Operation } from "../../proto/generated/operations.ts";
import { Action, Command, ExecuteResponse, ExecutionMethods } from "../../proto/generated/remote-execution.ts";
import { testServer } from "../../server.fixture.ts";
import { realPlace } from "../../store/store.fixture.ts";
import { checkServerConfig } from "./check.ts";

const place = realPlace();
const processes = directRunner({
  clock: nodeClock(),
  guardian: startGuardian({ token: `readable-${process.pid}`, graceMs: 100 }),
});
afterAll(async () => {
  await processes.close();
  nodeFileSystem().removeTree(`${place.root}-readable`);
  place.cleanup();
});

async function problems(settings: string): Promise<readonly string[]> {
  const fs = memoryFileSystem();
  for (const folder of ["/etc/kahn", "/opt/tools/bin", "/data/store"]) fs.makeDirectory(folder);
  fs.writeFile("/etc/kahn/users", "ann:{SHA}C+7Hteo/D9vJXQ3UfzxbwnXaijM=\n");
  fs.symlink("/data", "/opt/link");
  const checked = await checkServerConfig(
    { file: { name: "server.yaml", text: `dir: /data/store\naccess: { htpasswd: users }\n${settings}` } },
    { fs, clock: virtualClock(), resolvePath: (path) => (path.startsWith("/") ? path : `/etc/kahn/${path}`) },
  );
  return checked.ok ? [] : checked.problem.map(({ code, message }) => `${code}: ${message}`);
}

// Goal: nothing that the server keeps for itself is shown by mistake. Method: each way to name it, also through a link.
test("a path that is not there, that shows what is the server's, or that a sandbox has itself is told by --check", async () => {
  const refused = async (path: string) => {
    const [first = "", ...more] = await problems(`execution: { readable: ["${path}"] }`);
    assert.deepEqual(more, []);
    return first.replace(/^serve-readable-refused: execution.readable names /, "");
  };
  assert.equal(await refused("/opt/tools"), "");
  assert.equal(await refused("/opt/tools/"), "");
  assert.equal(await refused("/opt/none"), "/opt/none, which is not there");
  assert.equal(await refused("/data"), "/data, which holds the server's own folder /data/store");
  assert.equal(await refused("/data/store"), "/data/store, which holds the server's own folder /data/store");
  assert.equal(await refused("/opt/link"), "/opt/link, which holds the server's own folder /data/store");
  assert.equal(await refused("/opt/link/store"), "/opt/link/store, which holds the server's own folder /data/store");
  assert.equal(await refused("/etc"), "/etc, which holds the file of access.htpasswd, /etc/kahn/users");
  assert.equal(await refused("/tmp/x"), "/tmp/x, and a sandbox has a /tmp of its own");
  for (const wrong of ["opt", "/", "", "/opt/../data", "/opt/.", "//opt"]) {
    assert.match(await refused(wrong), /execution\.readable\[0\] must be an absolute path/, wrong);
  }
});

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const canSandbox = spawnSync("/usr/bin/bwrap", bwrap).status === 0;

test.runIf(canSandbox)(
  "an action in a sandbox reads what is readable, through a link too, and can change none of it",
  async () => {
    const outside = mkdtempSync("/var/tmp/kahn-readable-");
    mkdirSync(`${outside}/v1`);
    writeFileSync(`${outside}/v1/tool`, "echo a tool\n", { mode: 0o755 });
    writeFileSync(`${outside}/secret`, "no");
    symlinkSync("v1", `${outside}/current`);
    const store = await place.open();
    const it = await testServer({
      config: `dir: ${place.root}-readable\nexecution: { sandbox: enforce, slots: 1, readable: ["${outside}/current"] }\n`,
      fs: nodeFileSystem(),
      ports: { processes, store },
    });
    try {
      const script = `. ${outside}/current/tool; ls ${outside}; echo x 2>&- > ${outside}/current/tool || echo kept; true`;
      const put = async (bytes: Uint8Array) => {
        assert.ok((await store.blobs.write(digestOf(bytes), bytes)).ok);
        return digestMessage(digestOf(bytes));
      };
      const command = await put(Command.encode({ arguments: ["/bin/sh", "-c", script] }));
      const action = await put(Action.encode({ commandDigest: command, inputRootDigest: await put(Buffer.alloc(0)) }));
      const call = it.channel().read(methodOf("server-streaming", ExecutionMethods.execute), { actionDigest: action });
      let last: Operation | undefined;
      for await (const operation of call.messages) last = operation;
      assert.ok(last?.result?.kind === "response");
      const { result } = ExecuteResponse.decode(last.result.value.value);
      assert.equal(Buffer.from(result?.stdoutRaw ?? []).toString(), "a tool\ncurrent\nkept\n");
    } finally {
      await it.close();
      rmSync(outside, { recursive: true });
    }
  },
);
