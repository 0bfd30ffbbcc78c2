import { digestOf } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { PartialUploads } from "./partial-uploads.ts";

const DIGEST = digestOf("blob");

function upload() {
  const each = { aborted: 0, abort: () => void each.aborted++ };
  return each;
}

test("an upload that broke off is gone on with by its name and digest, once at a time", () => {
  const partial = new PartialUploads({ clock: virtualClock() });
  const one = upload();
  partial.begin("u", DIGEST, one);
  expect(partial.resume("u", DIGEST)).toBe("busy");
  partial.suspend("u", DIGEST, one);
  expect(partial.resume("v", DIGEST)).toBe(undefined);
  expect(partial.resume("u", digestOf("other"))).toBe(undefined);
  expect(partial.find("u", DIGEST)).toBe(one);
  expect(partial.resume("u", DIGEST)).toBe(one);
  expect(partial.resume("u", DIGEST)).toBe("busy");
  partial.end("u", DIGEST, one);
  expect(partial.find("u", DIGEST)).toBe(undefined);
  expect(one.aborted).toBe(0);
});

test("an upload is kept for its time, and then aborted, and no timer is left", async () => {
  const clock = virtualClock();
  const partial = new PartialUploads({ clock, keptMs: 1000 });
  const [early, late] = [upload(), upload()];
  partial.begin("early", DIGEST, early);
  partial.suspend("early", DIGEST, early);
  await clock.advance(600);
  partial.begin("late", DIGEST, late);
  partial.suspend("late", DIGEST, late);
  await clock.advance(399);
  expect([early.aborted, late.aborted]).toStrictEqual([0, 0]);
  await clock.advance(1);
  expect([early.aborted, late.aborted]).toStrictEqual([1, 0]);
  await clock.advance(600);
  expect([early.aborted, late.aborted]).toStrictEqual([1, 1]);
  expect(partial.find("late", DIGEST)).toBe(undefined);
});

test("of too many the first goes; a second one of the same name is not kept; closing aborts all", () => {
  const partial = new PartialUploads({ clock: virtualClock(), uploadsMax: 2 });
  const uploads = [upload(), upload(), upload()];
  for (const [index, each] of uploads.entries()) {
    partial.begin(`${index}`, DIGEST, each);
    partial.suspend(`${index}`, DIGEST, each);
  }
  expect(uploads.map(({ aborted }) => aborted)).toStrictEqual([1, 0, 0]);
  const twin = upload();
  partial.resume("1", DIGEST);
  partial.begin("1", DIGEST, twin);
  partial.suspend("1", DIGEST, twin);
  expect(twin.aborted).toBe(1);
  partial.close();
  expect(uploads.map(({ aborted }) => aborted)).toStrictEqual([1, 0, 1]);
});
