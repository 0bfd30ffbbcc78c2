/** The five situations in which a task runner is measured, and how many scripts each must really run. */
import { appendFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peers.ts";
import type { WorkspaceFacts } from "./workspace.ts";

/** One situation. */
export interface Scenario {
  /** What `--scenarios` calls it. */
  readonly letter: string;
  readonly title: string;
  readonly repetitions: number;
  /** Brings a workspace into the situation. */
  prepare(directory: string, peer: Peer, facts: WorkspaceFacts): void;
  /** How many scripts must run; anything else makes the run void. */
  executed(facts: WorkspaceFacts): number;
}

/** In the order in which they are measured: each finds the cache that those before it filled. */
export const SCENARIOS: readonly Scenario[] = [
  {
    letter: "a",
    title: "cold",
    repetitions: 1,
    prepare(directory, peer) {
      remove(directory, peer.cache);
      inPackages(directory, ["dist", ...(peer.packageCache ?? [])]);
    },
    executed: (facts) => 2 * facts.n,
  },
  { letter: "b", title: "no-op", repetitions: 7, prepare: () => undefined, executed: () => 0 },
  {
    letter: "c",
    title: "restore, every dist/ removed",
    repetitions: 5,
    prepare: (directory) => inPackages(directory, ["dist"]),
    executed: () => 0,
  },
  {
    letter: "d",
    title: "one source of a leaf edited",
    repetitions: 5,
    prepare: (directory, _, facts) => edit(directory, facts.leaf),
    executed: (facts) => 2 * facts.leafClosure,
  },
  {
    letter: "e",
    title: "one source of the root edited",
    repetitions: 3,
    prepare: (directory, _, facts) => edit(directory, facts.root),
    executed: (facts) => 2 * facts.rootClosure,
  },
];

let edits = Date.now();

function edit(directory: string, folder: string): void {
  appendFileSync(join(directory, "packages", folder, "src/f03.ts"), `// ${edits++}\n`);
}

function inPackages(directory: string, names: readonly string[]): void {
  for (const folder of readdirSync(join(directory, "packages"))) remove(join(directory, "packages", folder), names);
}

function remove(directory: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(directory, name), { recursive: true, force: true });
}
