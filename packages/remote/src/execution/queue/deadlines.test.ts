import assert from "node:assert/strict";
import { forEachSeed } from "@kahn/testing";
import { test } from "vitest";
import { Deadlines } from "./deadlines.ts";

test("deadlines behave like a sorted list, however keys come, go and come back", async () => {
  await forEachSeed({ name: "deadlines", count: 50, scaleEnv: process.env.KAHN_TEST_SCALE }, ({ random }) => {
    const deadlines = new Deadlines<number>(100);
    let model: { key: number; dueMs: number }[] = [];
    let nowMs = 0;
    for (let event = 0; event < 500; event++) {
      nowMs += random.int(0, 5);
      const key = random.int(0, 30);
      const act = random.pick(["add", "add", "delete", "take"] as const);
      if (act === "add" && !model.some((each) => each.key === key)) model.push({ key, dueMs: nowMs + 100 });
      if (act === "add") deadlines.add(key, nowMs);
      else if (act === "delete") {
        assert.equal(
          deadlines.delete(key),
          model.some((each) => each.key === key),
        );
        model = model.filter((each) => each.key !== key);
      } else {
        const due = model.filter(({ dueMs }) => dueMs <= nowMs).map((each) => each.key);
        assert.deepEqual(deadlines.take(nowMs), due);
        model = model.filter(({ dueMs }) => dueMs > nowMs);
      }
      assert.deepEqual([deadlines.size, deadlines.first], [model.length, model[0]?.key]);
      assert.equal(deadlines.nextMs, model[0]?.dueMs ?? Number.POSITIVE_INFINITY);
    }
  });
});
