// Goal: who starts a server for the first time is told what it does, what is wrong and what to do; who runs one for
// months can change its tokens. Method: `kahn serve` as a process.
import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { KahnProcess, until } from "./rig/kahn-process.ts";

const ANY = ["--listen", "127.0.0.1:0"];

function folder(): string {
  const base = mkdtempSync(join(tmpdir(), "kahn-serve-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return base;
}

function kahn(base: string, ...args: readonly string[]): KahnProcess {
  return new KahnProcess(args, { cwd: base, home: base });
}

/** Starts a server and waits for its address. */
async function started(base: string, ...args: readonly string[]) {
  const server = kahn(base, "serve", ...ANY, ...args);
  await until("the server listens", () => server.stdout.includes("stop"));
  const [, url] = /look +(http\S+)\/status/.exec(server.stdout) ?? [];
  expect(url, server.stderr).toBeDefined();
  return { server, url: url! };
}

test("a server says where it is, who may come, how actions run and how to look at it; two on one folder do not start", async () => {
  const base = folder();
  const { server, url } = await started(base, "--dir", "store", "--set", "execution.enabled=false");
  expect(server.stdout).toContain(`store      ${join(base, "store")}`);
  expect(server.stdout).toMatch(/access {5}everybody who reaches it may do everything\n {2}execution {2}off/);
  expect(await (await fetch(`${url}/readyz`)).text()).toBe("ok\n");
  const second = kahn(base, "serve", ...ANY, "--dir", "store");
  expect((await second.ended).exitCode).toBe(2);
  expect(second.stderr).toMatch(/serve-dir-taken.*process \d+[\s\S]*--dir/);
  server.signal("SIGTERM");
  expect((await server.ended).exitCode).toBe(0);
  expect(server.stderr).toBe("SIGTERM: draining\nstopped\n");
});

test("--check reads the files that the configuration names", async () => {
  const base = folder();
  writeFileSync(join(base, "server.yaml"), "access: { htpasswd: nowhere }\ntls: { certificate: a.pem, key: b.pem }\n");
  const check = kahn(base, "serve", "--config", "server.yaml", "--check");
  expect((await check.ended).exitCode).toBe(2);
  expect(check.stderr.match(/serve-file-unreadable/g)).toHaveLength(3);
});

test("HUP takes over tokens and a moved log, tells what waits for a restart, and refuses a wrong file", async () => {
  const base = folder();
  const write = (token: string, more = "") => {
    const hash = createHash("sha256").update(token).digest("hex");
    const text = `access: { tokens: [{ name: ci, hash: "sha256:${hash}" }] }\ntelemetry: { accessLog: calls.log }\n${more}`;
    writeFileSync(join(base, "server.yaml"), text);
  };
  write("first");
  const { server, url } = await started(base, "--dir", "store", "--config", "server.yaml");
  const status = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${url}/ac/${"a".repeat(64)}`, { headers })).status;
  };
  const hup = async (said: string) => {
    server.signal("SIGHUP");
    await until(said, () => server.stderr.includes(said));
  };
  expect([await status("first"), await status("second")]).toEqual([404, 401]);
  write("second", "store: { maxSize: 1GB }\n");
  renameSync(join(base, "calls.log"), join(base, "calls.log.1"));
  await hup("HUP: 1 token, 0 users, 0 issuers, 0 rules, 0 quotas and the certificates are read again\n");
  expect(server.stderr).toContain("changes of store.maxSize count from the next start on");
  expect([await status("first"), await status("second")]).toEqual([401, 404]);
  write("third", "acess: {}\n");
  await hup("serve-reload-refused");
  expect(server.stderr).toContain("Did you mean access?");
  expect([await status("second"), await status("third")]).toEqual([404, 401]);
  server.signal("SIGTERM");
  expect((await server.ended).exitCode).toBe(0);
});
