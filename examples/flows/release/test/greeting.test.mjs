import assert from "node:assert/strict";
import { test } from "node:test";
import { greeting } from "../dist/greeting.mjs";

test("a name is greeted in the language asked for, else in English", () => {
  assert.equal(greeting("Ann", "fr"), "Bonjour, Ann!");
  assert.equal(greeting("Ann"), "Hello, Ann!");
  assert.equal(greeting("Ann", "xx"), "Hello, Ann!");
});
