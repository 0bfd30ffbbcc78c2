/** What each port of a flow does by itself. A port that is not given is not tested. */
import assert from "node:assert/strict";
import type { Problem, Result } from "@kahn/core";
import type { PortExperiment } from "./ports-subject.ts";

function value<T>(result: Result<T, Problem>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

/** The cases, by sentence. */
export const PORT_CASES: Readonly<Record<string, PortExperiment>> = {
  "values: what was put is found by its digest, in every process, byte for byte": async (open) => {
    const { values } = await open();
    if (values === undefined) return;
    const bytes = Buffer.from([0, 255, 10, 13, 200, ...Buffer.from("ü".repeat(5000))]);
    const digest = value(values.put(bytes));
    assert.equal(value(values.put(Buffer.from(bytes))), digest);
    value(await values.flush());
    const found = value((await open()).values!.get(digest));
    assert.deepEqual(Buffer.from(found ?? []), bytes);
    assert.notEqual(value(values.put(Buffer.from("another"))), digest);
    assert.equal(value(values.get(digest.replace(/[0-9a-f]{64}/, "0".repeat(64)) as typeof digest)), undefined);
  },
  "locks: a run has one owner, other runs have theirs, and who lets go leaves it to the next": async (open) => {
    const [one, other] = [(await open()).locks, (await open()).locks];
    if (one === undefined || other === undefined) return;
    const held = value(await one.acquire("run"));
    assert.notEqual(held.isHeld?.(), false);
    const refused = await other.acquire("run");
    assert.ok(!refused.ok, "two processes own one run");
    assert.match(refused.problem.code, /^[a-z]+(-[a-z]+)+$/);
    assert.notEqual(refused.problem.message, "");
    value(await other.acquire("another")).release();
    held.release();
    held.release();
    const next = await acquired(() => other.acquire("run"));
    next.release();
  },
  "inboxes: commands come to the owner in order, once each, and its answers to their senders": async (open) => {
    const [owner, sender] = [(await open()).inboxes, (await open()).inboxes];
    if (owner === undefined || sender === undefined) return;
    const got: unknown[] = [];
    const ids = new Set<string>();
    const watching = owner.watch("run", async ({ id, command }) => {
      got.push(command);
      ids.add(id);
      return { answer: command };
    });
    const other = owner.watch("another", async () => assert.fail("a command came to another run"));
    assert.deepEqual(value(await sender.send("run", { n: 1 })), { answer: { n: 1 } });
    assert.deepEqual(value(await sender.send("run", { n: 2 })), { answer: { n: 2 } });
    await watching.close();
    await other.close();
    assert.deepEqual(got, [{ n: 1 }, { n: 2 }]);
    assert.equal(ids.size, 2);
  },
  "store: what was put is found by name and by prefix, in every process, and deleted for all": async (open) => {
    const [one, other] = [(await open()).store, (await open()).store];
    if (one === undefined || other === undefined) return;
    const odd = { "": [null, true, -0.5, "ü\n😀"] };
    for (const key of ["b/2", "a", "b/10", "b/1", "../b/x"]) await one.put("people", key, { key });
    await one.put("people", "b/2", odd);
    await one.put("places", "b/1", "elsewhere");
    assert.deepEqual(await other.get("people", "b/2"), odd);
    assert.equal(await other.get("people", "absent"), undefined);
    assert.equal(await other.get("nowhere", "a"), undefined);
    assert.deepEqual(
      (await other.search("people", "b/")).map(([key]) => key),
      ["b/1", "b/10", "b/2"],
    );
    assert.deepEqual(await other.search("places", ""), [["b/1", "elsewhere"]]);
    await other.delete("people", "b/1");
    await other.delete("people", "b/1");
    assert.equal(await one.get("people", "b/1"), undefined);
    assert.equal((await one.search("people", "")).length, 4);
  },
};

/** Who lets go may need a moment to be gone: asking takes one. */
async function acquired<T>(acquire: () => Promise<Result<T, Problem>>): Promise<T> {
  let result = await acquire();
  for (let tries = 0; !result.ok && tries < 200; tries++) result = await acquire();
  return value(result);
}
