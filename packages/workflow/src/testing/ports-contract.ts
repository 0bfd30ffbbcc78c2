/**
 * What the stores of a flow must do, whoever makes them: journals, values, locks, inboxes and the long-term store, each
 * by itself, and together under runs that are left, taken over and told things by others.
 *
 * Owns: a list of sentences with the experiment that checks each; no test framework.
 * Note: the records of a journal have a suite of their own, `journalStoreContract`; a journal store passes both.
 */
import assert from "node:assert/strict";
import { FLOW_CASES } from "./flow-cases.ts";
import { PORT_CASES } from "./port-cases.ts";
import type { FlowPortsSubject, PortExperiment } from "./ports-subject.ts";

/** A case: give `name` and `run` to whatever runs tests. `run` rejects when the sentence does not hold. */
export interface FlowPortsCase {
  readonly name: string;
  run(): Promise<void>;
}

/** The cases for the stores of a flow, over fresh ones each. */
export function flowPortsContract(make: () => FlowPortsSubject | Promise<FlowPortsSubject>): readonly FlowPortsCase[] {
  const experiments: Readonly<Record<string, PortExperiment>> = { ...PORT_CASES, ...FLOW_CASES };
  return Object.entries(experiments).map(([name, experiment]) => ({
    name,
    run: async () => {
      const { open, patience, cleanup } = await make();
      const late = patience?.().then(() => assert.fail("it never came to an end"));
      try {
        await (late === undefined ? experiment(open) : Promise.race([experiment(open), late]));
      } finally {
        late?.catch(() => {});
        await cleanup?.();
      }
    },
  }));
}
