import { journalStoreContract } from "@kahn/testing/contract";
import { test } from "vitest";
import { memoryJournals } from "./memory-journals.ts";

// Memory has no second life: what "the next process" finds is the store itself.
const cases = journalStoreContract(() => {
  const store = memoryJournals();
  return { store, afterKill: () => store };
});
for (const { name, run } of cases) test(`journals in memory: ${name}`, run);
