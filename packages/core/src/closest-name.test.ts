import { expect, test } from "vitest";
import { closestName } from "./closest-name.ts";

test("the closest name is found when it is close: a swap of neighbours counts as one edit", () => {
  expect(closestName("ouputs", ["inputs", "outputs"])).toBe("outputs");
  expect(closestName("biuld", ["lint", "build"])).toBe("build");
  expect(closestName("rnu", ["runs", "run"])).toBe("run");
  expect(closestName("dependsON", ["dependsOn"])).toBe("dependsOn");
  expect(closestName("ui", ["@acme/ui", "web"])).toBe("@acme/ui");
  expect(closestName("zzz", ["build", "test"])).toBeUndefined();
});
