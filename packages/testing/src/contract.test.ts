import { digestOf, type ExecuteRequest, problem } from "@kahn/core";
import { describe, test } from "vitest";
import type { ContractCase, ExecutorScenario } from "./contract.ts";
import {
  actionCacheContract,
  actionExecutorContract,
  actionProviderContract,
  blobStoreContract,
  clockContract,
  contractRepository,
  fileSystemContract,
  gitContract,
  journalStoreContract,
  processContractScripts,
  processRunnerContract,
  randomContract,
  taskRunnerContract,
} from "./contract.ts";
import { type ActionScript, fakeActionExecutor } from "./fake-action-executor.ts";
import { fakeActionProvider } from "./fake-action-provider.ts";
import { fakeGit } from "./fake-git.ts";
import { fakeProcessRunner } from "./fake-process-runner.ts";
import { fakeTaskRunner } from "./fake-task-runner.ts";
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

const MAKES: ActionScript = { stdout: "out\n", stderr: "err\n", outputs: { "dist/made": "made\n" } };
const HANGS: ActionScript = { stdout: "ready\n", hangs: true };

contract(
  "a fake action executor",
  actionExecutorContract(async () => {
    const clock = virtualClock();
    const fs = memoryFileSystem({ clock, files: { "/w/": "" } });
    const blobs = memoryBlobStore(fs);
    const scripts: Record<ExecutorScenario, ActionScript> = {
      succeeds: MAKES,
      "succeeds-again": { ...MAKES, durationMs: 0 },
      "makes-other": { ...MAKES, outputs: { "dist/made": "other\n" } },
      "makes-nothing": {},
      fails: { stdout: "out\n", exitCode: 3 },
      hangs: HANGS,
      "times-out": HANGS,
      "cannot-start": { errored: problem("command-failed", "cannot be started") },
    };
    const nodes = Object.fromEntries(
      Object.keys(scripts).map((label) => [
        label,
        { outputs: ["dist/made"], ...(label === "times-out" ? { timeoutMs: 500 } : {}) },
      ]),
    );
    const provider = fakeActionProvider({ fs, workspaceRoot: "/w", nodes });
    const requests = new Map<string, ExecuteRequest>();
    for (const label of Object.keys(scripts)) {
      const resolved = await provider.resolve(label);
      if (resolved.ok) requests.set(label, { action: digestOf(label), resolved: resolved.value, attempt: 1 });
    }
    return {
      executor: fakeActionExecutor({ clock, blobs, fs, scripts }),
      blobs,
      request: (scenario) => requests.get(scenario)!,
      passTimeout: async () => clock.advance(500),
    };
  }),
);

contract(
  "a fake action provider",
  actionProviderContract(() => {
    const fs = memoryFileSystem({ files: { "/w/b.txt": "b", "/w/a.txt": "a", "/w/src/ü.txt": "u" } });
    const nodes = {
      test: { requires: ["build"], after: ["lint"], inputs: ["a.txt"], uncachedBecause: "tests are run each time" },
      build: { inputs: ["b.txt", "a.txt", "src/ü.txt"], outputs: ["dist", "a-out"], env: { B: "1", A: "2" } },
      lint: { claim: { slots: 0, mutexes: [{ name: "m", mode: "shared" as const }] } },
    };
    const edit = (label: string) => {
      const [input] = label === "test" ? ["a.txt"] : ["b.txt"];
      fs.writeFile(`/w/${input}`, "edited");
      return input!;
    };
    return { provider: fakeActionProvider({ fs, workspaceRoot: "/w", nodes }), editInput: edit };
  }),
);

contract(
  "a fake task runner",
  taskRunnerContract(() => ({
    runner: fakeTaskRunner({
      clock: virtualClock(),
      tasks: { good: "succeeds", bad: () => "fails", long: { end: "hangs" } },
    }),
    workspaceRoot: "/w",
    tasks: { succeeding: "good", failing: "bad", hanging: "long", unknown: "nobody#nothing" },
  })),
);
