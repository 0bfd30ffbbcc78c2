import { describe, test } from "vitest";
import type { ContractCase } from "./contract.ts";
import { clockContract, fileSystemContract, randomContract } from "./contract.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { seededRandom } from "./seeded-random.ts";
import { virtualClock } from "./virtual-clock.ts";

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
