/**
 * LangGraph's public conformance suite for checkpoint savers, on ours: 718 tests and the 8 of delta channels, each
 * with journals in memory and in files.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KahnSaver } from "@kahn/workflow/langgraph";
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { afterAll } from "vitest";
import { fileStorage, memoryStorage, openSaver } from "./saver.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "kahn-langgraph-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inMemory = { checkpointerName: "kahn, in memory", createCheckpointer: () => openSaver(memoryStorage()) };
validate(inMemory);
deltaChannelHistoryTests(inMemory);

const inFiles = {
  checkpointerName: "kahn, in files",
  createCheckpointer: () => openSaver(fileStorage(mkdtempSync(join(folder, "saver-")))),
  destroyCheckpointer: (saver: KahnSaver) => saver.close(),
};
validate(inFiles);
deltaChannelHistoryTests(inFiles);
