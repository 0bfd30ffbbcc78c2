import { memoryFileSystem, seededRandom } from "@kahn/testing";
import { journalStoreContract } from "@kahn/testing/contract";
import { describe, test } from "vitest";
import { fileJournalStore } from "./file-journal-store.ts";

// Goal: files keep the contract of every journal store. Method: the suite of the port, over a file system in memory;
// once with segments so small that every append begins one.
for (const segmentBytes of [16 * 1024 * 1024, 1]) {
  const cases = journalStoreContract(() => {
    const fs = memoryFileSystem();
    const storeOn = (on: typeof fs) => fileJournalStore({ fs: on, directory: "/state/journals", segmentBytes });
    return {
      store: storeOn(fs),
      afterKill: () => storeOn(fs.killProcess()),
      afterPowerLoss: () => storeOn(fs.crash(seededRandom(7))),
      tearTail: (id) => {
        const folder = `/state/journals/${id}`;
        const logs = fs.readDirectory(folder)!.filter(({ name }) => name.endsWith(".log"));
        const last = logs
          .map(({ name }) => name)
          .sort()
          .at(-1)!;
        const handle = fs.openAppend(`${folder}/${last}`);
        handle.append(Buffer.from([9, 9, 9, 9, 200, 0, 0, 0, 1, 0, 0, 1, 0x7b]));
        handle.close();
      },
    };
  });
  describe(`segments of ${segmentBytes} bytes`, () => {
    for (const { name, run } of cases) test(name, run);
  });
}
