/** Savers for the suites of this folder. */
import { openValueStore } from "@kahn/cas";
import { memoryFileSystem, memoryJournalStore, seededRandom, virtualClock } from "@kahn/testing";
import type { KahnSaverOptions, SaverStorage } from "@kahn/workflow/langgraph";
import { fileSaverStorage, openKahnSaver, saverStorage } from "@kahn/workflow/langgraph";

/** Opens a saver, or fails. */
export async function openSaver(storage: SaverStorage, options: Partial<KahnSaverOptions> = {}) {
  const opened = await openKahnSaver({ storage, ...options });
  if (!opened.ok) throw new Error(opened.problem.message);
  return opened.value;
}

/** Journals and values in memory. */
export function memoryStorage(): SaverStorage {
  const clock = virtualClock();
  const random = seededRandom(1);
  const fs = memoryFileSystem({ clock });
  return saverStorage({
    journals: memoryJournalStore(),
    values: openValueStore({ fs, clock, random, root: "/values" }),
    random,
  });
}

/** Journals and values in a folder. */
export function fileStorage(directory: string): SaverStorage {
  return fileSaverStorage({ directory });
}

/** All that a generator gives. */
export async function toArray<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
