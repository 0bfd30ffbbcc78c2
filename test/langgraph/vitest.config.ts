/** Runs the suites of this folder against the packages that are installed in it. */
import { createRequire } from "node:module";
import { defineConfig } from "vitest/config";

const require = createRequire(import.meta.url);

export default defineConfig({
  // The bridge loads LangGraph's package by its name, from where Kahn is; here it is beside the tests.
  resolve: {
    alias: {
      "@langchain/langgraph-checkpoint": require.resolve("@langchain/langgraph-checkpoint").replace(/\.cjs$/, ".js"),
    },
  },
  test: { include: ["*.suite.ts"], globals: true, watch: false, pool: "threads", isolate: false },
});
