/** What every step of a simulation is given. */
import type { SeededRandom } from "@kahn/testing";
import type { World } from "./world.ts";

/** What one step is given. */
export interface StepContext {
  readonly world: World;
  readonly random: SeededRandom;
  /** Says what is done, for the reproduction. */
  readonly tell: (text: string) => void;
  readonly tally: (what: string) => void;
  readonly violations: string[];
}
