import { describe, test } from "vitest";
import type { ContractCase } from "./contract.ts";
import {
  actionCacheContract,
  blobStoreContract,
  clockContract,
  contractRepository,
  fileSystemContract,
  gitContract,
  journalStoreContract,
  processContractScripts,
  processRunnerContract,
  randomContract,
} from "./contract.ts";
import { fakeGit } from "./fake-git.ts";
import { fakeProcessRunner } from "./fake-process-runner.ts";
import { memoryActionCache } from "./memory-action-cache.ts";
import { memoryBlobStore } from "./memory-blob-store.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { memoryJournalStore } from "./memory-journal-store.ts";
import { seededRandom } from "./seeded-random.ts";
import { settled, virtualClock } from "./virtual-clock.ts";

// Goal: the fakes keep the contracts that the real implementations keep, so that a test passed with a fake means
// something. Method: each contract suite against the implementation of this package.
function contract(title: string, cases: readonly ContractCase[]): void {
  describe(title, () => {
    for (const { name, run } of cases) test(name, run);
  });
}

contract(
  "a virtual clock",
  clockContract(() => {
    const clock = virtualClock();
    return { clock, pass: async (ms) => clock.advance(ms) };
  }),
);

contract(
  "seeded randomness",
  randomContract(() => ({ random: seededRandom(1) })),
);

for (const privileged of [false, true]) {
  contract(
    `a memory file system for ${privileged ? "root" : "an ordinary user"}`,
    fileSystemContract(() => {
      const clock = virtualClock();
      const fs = memoryFileSystem({ clock, privileged, mounts: { "/other": 2 }, files: { "/tmp/root/": "" } });
      return {
        fs,
        root: "/tmp/root",
        privileged,
        tick: () => clock.advance(10),
        otherDevice: "/other",
        makeOther: (path) => fs.makeOther(path),
      };
    }),
  );
}

contract(
  "a fake process runner",
  processRunnerContract(() => {
    const clock = virtualClock();
    const fs = memoryFileSystem({ clock, files: { "/w/": "" } });
    const runner = fakeProcessRunner({ clock, fs, scripts: processContractScripts() });
    return {
      runner,
      fs,
      root: "/w",
      path: "/bin",
      pass: async (ms) => {
        await settled();
        clock.advance(ms);
      },
      isQuiet: (pid) => runner.started.every((process) => process.pid !== pid || process.isQuiet),
    };
  }),
);

contract(
  "a fake git",
  gitContract(() => ({ git: fakeGit(contractRepository("/w")), root: "/w", outside: "/elsewhere" })),
);

contract(
  "a memory journal store",
  journalStoreContract(() => {
    const store = memoryJournalStore();
    return {
      store,
      afterKill: () => store.killProcess(),
      afterPowerLoss: () => store.crash(),
      tearTail: (id) => store.tear(id, 5),
    };
  }),
);

contract(
  "a memory blob store",
  blobStoreContract(() => {
    const fs = memoryFileSystem({ files: { "/w/": "" } });
    const store = memoryBlobStore(fs);
    return { store, fs, root: "/w", lose: (digest) => store.evict(digest), damage: (digest) => store.corrupt(digest) };
  }),
);

contract(
  "a memory action cache",
  actionCacheContract(() => {
    const blobs = memoryBlobStore(memoryFileSystem());
    return { cache: memoryActionCache(blobs), blobs, lose: (digest) => blobs.evict(digest) };
  }),
);
