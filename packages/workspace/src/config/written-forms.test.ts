import { parseDurationMs, taskId } from "@kahn/core";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TaskReference } from "../model.ts";
import { normalizeGlob } from "./glob-form.ts";
import { suggest } from "./suggestion.ts";
import { formatTaskReference, parseTaskReference } from "./task-reference.ts";

test("durations are sums of units, or milliseconds", () => {
  const cases: [string | number, number | undefined][] = [
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    ["250ms", 250],
    [" 2 d ", 172_800_000],
    [90, 90],
    [0, 0],
    [-1, undefined],
    [Number.NaN, undefined],
    ["5", undefined],
    ["5 min", undefined],
    ["", undefined],
    ["m", undefined],
  ];
  for (const [written, expected] of cases) expect(parseDurationMs(written), String(written)).toBe(expected);
});

// Goal: what is shown can be read again. Method: every kind of reference with names that packages and scripts may have.
test("a reference that is written and read again is the same", () => {
  const name = fc.stringMatching(/^[a-z@][a-z0-9@/:._-]{0,12}$/);
  const reference: fc.Arbitrary<TaskReference> = fc.oneof(
    name.map((task) => ({ kind: "same-project" as const, task })),
    name.map((task) => ({ kind: "dependencies" as const, task })),
    fc.tuple(name, name).map(([project, task]) => ({ kind: "exact" as const, id: taskId(project, task) })),
  );
  fc.assert(
    fc.property(reference, (each) => {
      expect(parseTaskReference(formatTaskReference(each))).toEqual({ ok: true, value: each });
    }),
    { numRuns: 100 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});

test("a reference that names nothing is refused with the reason", () => {
  for (const written of ["", "^", "#build", "pkg#", "^pkg#build", "  "]) {
    expect(parseTaskReference(written).ok, written).toBe(false);
  }
  expect(parseTaskReference("//#lint")).toEqual({ ok: true, value: { kind: "exact", id: "//#lint" } });
});

test("a normal glob keeps what it means and never leaves the workspace", () => {
  const cases: [string, string, string | undefined][] = [
    ["src/**", "packages/a", "src/**"],
    ["./src/./**/*.ts", "packages/a", "src/**/*.ts"],
    ["!dist/**", "packages/a", "!dist/**"],
    ["dist/", "packages/a", "dist/**"],
    [".", "packages/a", "**"],
    ["/tsconfig.json", "packages/a", "/tsconfig.json"],
    ["!/docs/", "packages/a", "!/docs/**"],
    ["../b/src/**", "packages/a", "/packages/b/src/**"],
    ["!../b", "packages/a", "!/packages/b"],
    ["../../root.json", "packages/a", "/root.json"],
    ["src/../lib/*", "packages/a", "/packages/a/lib/*"],
    ["$default", "packages/a", "$default"],
    ["../../../x", "packages/a", undefined],
    ["/../x", "packages/a", undefined],
    ["", "packages/a", undefined],
    ["!", "packages/a", undefined],
    ["~/x", "packages/a", undefined],
    ["C:/x", "packages/a", undefined],
    ["file:///x", "packages/a", undefined],
    ["$HOME/x", "packages/a", undefined],
    ["!$default", "packages/a", undefined],
  ];
  for (const [written, base, expected] of cases) {
    const normal = normalizeGlob(written, base);
    expect(normal.ok ? normal.value : undefined, written).toBe(expected);
  }
});

// Goal: normal forms are fixed points and hold no dot segments. Method: random paths of dots, names and wildcards.
test("normalising a normal glob changes nothing", () => {
  const segment = fc.constantFrom(".", "..", "a", "b.c", "*", "**", "x*y", "");
  const glob = fc.tuple(fc.constantFrom("", "!", "/", "!/"), fc.array(segment, { maxLength: 6 }));
  fc.assert(
    fc.property(glob, fc.constantFrom("", "p", "p/q"), ([prefix, segments], base) => {
      const normal = normalizeGlob(prefix + segments.join("/"), base);
      if (!normal.ok) return;
      expect(normal.value).not.toMatch(/(^!?|\/)\.{1,2}(\/|$)/);
      expect(normalizeGlob(normal.value, base)).toEqual(normal);
    }),
    { numRuns: 300 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});

test("the closest name is suggested when it is close, and the list when none is", () => {
  expect(suggest("ouputs", ["inputs", "outputs"], "keys")).toBe('Did you mean "outputs"?');
  expect(suggest("zzz", ["build", "test"], "tasks")).toBe("Known tasks: build, test.");
  expect(suggest("zzz", [], "tasks")).toBe("There are no tasks.");
});
