/**
 * Seeded simulations: many runs of one experiment, each repeatable by its seed.
 *
 * Never: reads the environment itself; `testScale` is told what KAHN_TEST_SCALE says.
 */
import type { SeededRandom } from "./seeded-random.ts";
import { seededRandom } from "./seeded-random.ts";

/** How many runs, and from which seed on. */
export interface SimulationOptions {
  /** What is simulated, for messages. */
  readonly name: string;
  /** Runs at scale 1. */
  readonly count: number;
  /** The first seed; default 1. To repeat a failure give its seed here and a count of 1. */
  readonly seed?: number;
  /** The value of KAHN_TEST_SCALE (`process.env.KAHN_TEST_SCALE`); multiplies the count. */
  readonly scaleEnv?: string | undefined;
  /** Told once at the end how many runs there were and what they counted; default: nobody. */
  readonly report?: (line: string) => void;
}

/** One run of a simulation. */
export interface SimulatedRun {
  readonly seed: number;
  readonly random: SeededRandom;
  /** Counts something worth knowing about the experiment, such as faults that fired: proof that it happens at all. */
  tally(what: string): void;
}

/** What the runs of a simulation counted. */
export interface SimulationOutcome {
  readonly runs: number;
  readonly tallies: Readonly<Record<string, number>>;
}

/** A simulated run failed; `cause` is why, `seed` repeats it. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
  readonly seed: number;
  constructor(simulation: string, seed: number, cause: unknown) {
    const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(`${simulation}: seed ${seed} fails (repeat with { seed: ${seed}, count: 1 }): ${reason}`, { cause });
    this.seed = seed;
  }
}

/**
 * Runs an experiment once for each seed, one after the other.
 *
 * @throws SimulationError at the first seed that fails.
 */
export async function forEachSeed(
  options: SimulationOptions,
  experiment: (run: SimulatedRun) => Promise<void> | void,
): Promise<SimulationOutcome> {
  const first = options.seed ?? 1;
  const runs = Math.max(1, Math.round(options.count * testScale(options.scaleEnv)));
  const tallies: Record<string, number> = {};
  const tally = (what: string) => {
    tallies[what] = (tallies[what] ?? 0) + 1;
  };
  for (let seed = first; seed < first + runs; seed++) {
    try {
      await experiment({ seed, random: seededRandom(seed), tally });
    } catch (error) {
      throw new SimulationError(options.name, seed, error);
    }
  }
  const counted = Object.entries(tallies).map(([what, times]) => `${what} ${times}`);
  options.report?.(`${options.name}: ${[`${runs} runs from seed ${first}`, ...counted].join(", ")}`);
  return { runs, tallies };
}

/** The number in KAHN_TEST_SCALE; 1 when it is absent or not a positive number. */
export function testScale(scaleEnv: string | undefined): number {
  const scale = Number(scaleEnv);
  return scale > 0 && Number.isFinite(scale) ? scale : 1;
}
