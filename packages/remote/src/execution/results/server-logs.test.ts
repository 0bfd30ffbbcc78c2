/** `ExecuteResponse.server_logs`: there when a run failed and something more is known, in the store, and only then. */
import assert from "node:assert/strict";
import { problem } from "@kahn/core";
import type { HermeticOutcome } from "@kahn/exec";
import { afterEach, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { messageDigest } from "../../names/request-digest.ts";
import type { ExecutionServer } from "../execution-server.fixture.ts";
import { completed, startExecution, timedOut } from "../execution-server.fixture.ts";

const open: ExecutionServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function run(outcome: HermeticOutcome) {
  const server = await startExecution();
  open.push(server);
  const stream = server.execute(await server.put());
  (await server.runner.next()).finish(outcome);
  const response = await stream.response();
  const texts: Record<string, string> = {};
  for (const [name, { digest, humanReadable }] of response.serverLogs) {
    assert.equal(humanReadable, true);
    const own = messageDigest(digest, "sha256");
    assert.ok(own.ok);
    const bytes = await server.store.blobs.read(own.value);
    assert.ok(bytes.ok && bytes.value !== undefined, `${name} is not in the store`);
    texts[name] = Buffer.from(bytes.value).toString();
  }
  return { texts, response };
}

test("what kept us from running an action is a log: the whole problem, and what the sandbox said", async () => {
  const broken = problem("sandbox-failed", "the sandbox broke down", {
    facts: [["program", "/usr/bin/bwrap"]],
    next: "Run it again.",
  });
  const log = { of: "sandbox", text: Buffer.from("bwrap: No permissions\n") } as const;
  const { texts, response } = await run({ kind: "errored", problem: broken, log });
  assert.equal(response.status?.code, StatusCode.internal);
  assert.deepEqual(texts, {
    server: "sandbox-failed: the sandbox broke down\n  program: /usr/bin/bwrap\nRun it again.\n",
    sandbox: "bwrap: No permissions\n",
  });
});

test("what a persistent worker said is a log of a failed action and of one that ran into its limit", async () => {
  const log = { of: "worker", text: Buffer.from("stack overflow") } as const;
  const failing = await run({
    ...(completed({ exitCode: 1 }) as Extract<HermeticOutcome, { kind: "completed" }>),
    log,
  });
  assert.deepEqual([failing.response.result?.exitCode, failing.texts], [1, { worker: "stack overflow" }]);
  const late = await run({ ...(timedOut("so far") as Extract<HermeticOutcome, { kind: "timed-out" }>), log });
  assert.equal(late.response.status?.code, StatusCode.deadlineExceeded);
  assert.equal(Buffer.from(late.response.result!.stdoutRaw).toString(), "so far");
  assert.deepEqual(late.texts, { worker: "stack overflow" });
});

test("an action that went well, or that is itself at fault, has no logs", async () => {
  assert.deepEqual((await run(completed() as HermeticOutcome)).texts, {});
  assert.deepEqual((await run({ kind: "invalid", problem: problem("command-invalid", "no") })).texts, {});
});
