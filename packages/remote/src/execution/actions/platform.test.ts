import assert from "node:assert/strict";
import { test } from "vitest";
import { DEFAULT_PLATFORM_POLICY, fitsPool, poolOf, workerHas } from "./platform.ts";

const pool = (properties: Readonly<Record<string, string>>): string => {
  const platform = Object.entries(properties).map(([name, value]) => ({ name, value }));
  const made = poolOf(platform, DEFAULT_PLATFORM_POLICY);
  assert.ok(made.ok, made.ok ? "" : made.problem);
  return made.value;
};
const WORKER = workerHas({ OSFamily: ["linux"], ISA: ["x86-64"], Pool: ["", "default"] });

test("properties and values that mean the same need the same, in any order", () => {
  const expected = pool({ OSFamily: "linux", ISA: "x86-64" });
  for (const same of [
    { ISA: "x86_64", OSFamily: "Linux" },
    { Arch: "amd64", OSFamily: "LINUX" },
    { OSFamily: "linux", Arch: "x86-64", "container-image": "docker://debian" },
  ]) {
    assert.equal(pool(same), expected);
  }
  assert.ok(fitsPool(WORKER, expected));
});

test("a worker fits when it has every value that is asked for", () => {
  assert.ok(fitsPool(WORKER, pool({})));
  assert.ok(fitsPool(WORKER, pool({ Pool: "default" })));
  assert.ok(!fitsPool(WORKER, pool({ Pool: "gpu" })));
  assert.ok(!fitsPool(WORKER, pool({ OSFamily: "linux", ISA: "arm64" })));
  assert.ok(fitsPool(workerHas({ ISA: ["arm64", "x86-64"] }), pool({ Arch: "aarch64" })));
});

test("a property that is not known is refused by name, and so are those that every object has", () => {
  for (const name of ["gpu", "constructor", "__proto__"]) {
    const refused = poolOf([{ name, value: "1" }], DEFAULT_PLATFORM_POLICY);
    assert.ok(!refused.ok && refused.problem.includes(JSON.stringify(name)));
  }
});

test("a value cannot pass for two", () => {
  const sly = poolOf([{ name: "Pool", value: 'x"\nISA="arm-a64' }], DEFAULT_PLATFORM_POLICY);
  assert.ok(sly.ok && !fitsPool(workerHas({ Pool: ["x"], ISA: ["arm64"] }), sly.value));
});
