// Goal: a task that a server ran can be looked into: its action is named wherever the run is told, in the server's log of
// calls, and found by the task's own key.
// Method: a workspace and a server in this process.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Checkout, startServer } from "../checkout.fixture.ts";

test("the action of a task is in --json, runs show, why and the server's log; its key means it, too", async () => {
  const workspace = new Checkout({
    "package.json": { name: "root", private: true, scripts: { build: "echo built > out; echo said" } },
    "kahn.jsonc": { tasks: { build: { inputs: ["package.json"], outputs: ["out"] } } },
  });
  const accessLog = join(workspace.directory, "access.log");
  const url = `grpc://${await startServer({ access: { anonymous: "all" }, telemetry: { accessLog } })}`;
  const env = { KAHN_REMOTE_URL: url };
  const apart = await workspace.kahn("run build --cache remote:off,local:off", env);
  expect(apart.stdout).toContain("the cache was not asked (--cache has none to read)");
  const ran = await workspace.run("build --remote-exec", env);
  const settled = ran.events.find(({ kind }) => kind === "node.settled");
  if (settled?.kind !== "node.settled") throw new Error(ran.stdout + ran.stderr);
  const action = settled.ran?.action ?? "";
  expect(action).toMatch(/^sha256:[0-9a-f]{64}/);
  expect(action).not.toBe(settled.action);
  for (const line of ["runs show", "why build", `why ${action}`, `why ${settled.action}`]) {
    const { exitCode, stdout, stderr } = await workspace.kahn(line, env);
    expect([exitCode, stdout], line + stderr).toEqual([
      0,
      expect.stringContaining(`action ${line.startsWith("why sha") ? "     " : ""}${action}`),
    ]);
  }
  expect(JSON.parse((await workspace.kahn("why build --json", env)).stdout)).toMatchObject({
    ran: { where: url, action },
  });
  const again = await workspace.kahn(`exec ${settled.action?.replace(/^sha256:|\/.*$/g, "")}`, env);
  expect([again.exitCode, again.stdout]).toEqual([0, "said\n"]);
  const calls = readFileSync(accessLog, "utf8")
    .split("\n")
    .filter((line) => line.includes(action.slice(7, 71)));
  expect(calls.join("\n")).toMatch(/Execute/);
  expect(calls.join("\n")).toMatch(/BatchUpdateBlobs/);
});
