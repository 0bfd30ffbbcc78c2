/**
 * Actions that misbehave: with a sandbox they fail, without one the store is unharmed; and none outlives the server.
 *
 * Method: the built `kahn serve` and a client that shares nothing with it; what an action did is seen from outside of it.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../e2e/rig/kahn-process.ts";
import { digestOf, ReapiClient, type Tree } from "./rig/reapi-client.ts";
import { sandboxAbsence } from "./rig/sandbox.ts";
import { endServers, type Served, serve } from "./rig/served.ts";

/** 20,000 at the full scale. */
const FOLDERS = Number(process.env.KAHN_TEST_SCALE ?? 1) >= 10 ? 200 : 30;

/** Seconds that nobody else sleeps. */
const SLEEP = 87_000 + (process.pid % 900);

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

const TREE: Tree = { in: "input\n", folder: { deep: "deep\n" } };

/** Ways to change an input, each of which another action would see if inputs were the store's own files. */
const VANDALS = {
  overwrite: "echo evil > in",
  append: "echo evil >> folder/deep",
  "in place": "printf evil | dd of=in conv=notrunc 2>/dev/null",
  "make writable": "chmod 777 in && echo evil > in",
  "rights and times": "chmod 000 in; touch -t 200001010000 in",
  replace: "mv in folder/in; echo evil > in",
};
/** The one that writes nothing. In a sandbox all others fail. */
const HARMLESS = "rights and times";

describe.each(["enforce", "off"] as const)("actions with sandbox: %s", { timeout: 120_000 }, (sandbox) => {
  const absent = sandbox === "off" ? undefined : sandboxAbsence();
  // As daemons do: another session, another folder, nothing open, and a parent that has gone.
  const away = `(cd /; setsid sh -c '(sleep ${SLEEP} &)' </dev/null >/dev/null 2>&1 &)`;
  const outside = mkdtempSync(join(tmpdir(), "kahn-outside-"));
  let server: Served;
  let client: ReapiClient;

  beforeAll(async () => {
    if (absent !== undefined) return;
    writeFileSync(join(outside, "secret"), "secret\n");
    server = await serve({ config: `execution: { sandbox: ${sandbox} }` });
    client = new ReapiClient(server.address);
  });
  afterAll(async () => {
    client?.close();
    await endServers(outside, server?.base ?? outside);
  });

  test("an action that changes its inputs changes nobody else's", async ({ skip }) => {
    skip(absent !== undefined, absent);
    for (const [way, script] of Object.entries(VANDALS)) {
      const { status, result } = await client.run(script, { inputs: TREE, salt: way });
      const fails = status?.code === 3 || result!.exitCode !== 0;
      expect(fails, `${way}: ${status?.message}`).toBe(sandbox === "enforce" && way !== HARMLESS);
      for (const text of ["input\n", "deep\n"]) {
        const pieces: Buffer[] = [];
        await client.read(digestOf(Buffer.from(text)), (bytes) => void pieces.push(bytes));
        expect(Buffer.concat(pieces).toString(), way).toBe(text);
      }
      const after = await client.run("cat in folder/deep", { inputs: TREE, salt: `after ${way}` });
      expect(after.result!.stdoutRaw.toString(), way).toBe("input\ndeep\n");
    }
  });

  test("a sandboxed action reaches no network and nothing outside; no action gets the server's environment", async ({
    skip,
  }) => {
    skip(absent !== undefined, absent);
    let connections = 0;
    const listener = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as { port: number };
    const connect = await client.run(`exec /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port}'`);
    const read = await client.run(`cat ${join(outside, "secret")}`);
    const write = await client.run(`echo x > ${join(outside, "written")}`);
    const store = await client.run(`ls ${server.store}`);
    const environment = await client.run("env");
    await new Promise((resolve) => listener.close(resolve));
    const exits = [connect, read, write, store].map(({ result }) => result!.exitCode === 0);
    if (sandbox === "enforce") {
      expect(exits).toEqual([false, false, false, false]);
      expect(connections).toBe(0);
      expect(readdirSync(outside)).toEqual(["secret"]);
    } else expect(exits).toEqual([true, true, true, true]);
    expect(environment.result!.stdoutRaw.toString()).not.toMatch(/HOME=|USER=/);
  });

  test(`an action of ${FOLDERS * 100} inputs starts`, async ({ skip }) => {
    skip(absent !== undefined, absent);
    const folders = Array.from({ length: FOLDERS }, (_, at): [string, Tree] => {
      return [`d${at}`, Object.fromEntries(Array.from({ length: 100 }, (_, it) => [`f${it}`, `${at} ${it}`]))];
    });
    const { status, result } = await client.run(`find . -type f | wc -l; cat d${FOLDERS - 1}/f99`, {
      inputs: Object.fromEntries(folders),
    });
    expect([status?.message ?? "", result?.stdoutRaw.toString()]).toEqual(["", `${FOLDERS * 100}\n${FOLDERS - 1} 99`]);
  });

  test("kill -9 of the server ends its actions, and all that they started", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const script = `${away}; sleep ${SLEEP} & sleep ${SLEEP}`;
    const running = client.run(script).catch((error: { code: number }) => error.code);
    await until("the action runs", () => sleepers().length >= 3);
    server = await server.killAndRestart();
    expect(await running).toBe(14);
    await until("every process of the action has ended", () => sleepers().length === 0);
    const after = new ReapiClient(server.address);
    expect((await after.run("echo back")).result!.stdoutRaw.toString()).toBe("back\n");
    after.close();
  });

  test("an action at its limit is DEADLINE_EXCEEDED, and all that it started is ended", async ({ skip }) => {
    skip(absent !== undefined, absent);
    const again = new ReapiClient(server.address);
    const script = `echo begun; ${away}; sleep ${SLEEP} & trap '' TERM; sleep ${SLEEP}`;
    const { status, result } = await again.run(script, { timeoutSeconds: 1 });
    expect([status?.code, result?.stdoutRaw.toString()]).toEqual([4, "begun\n"]);
    expect(sleepers()).toEqual([]);
    again.close();
  });
});
