/** Test runner configuration: threads without isolation (tests share no globals), source resolved directly. */
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "tools/**/*.test.ts", "bench/*.test.ts", "test/**/*.test.ts"],
    pool: "threads",
    isolate: false,
    // The default leaves one processor idle; half of the tests wait for processes anyway.
    maxWorkers: availableParallelism(),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    watch: false,
    silent: "passed-only",
  },
});
