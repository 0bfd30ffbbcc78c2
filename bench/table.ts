/** Measured runs as a table: medians, minima, and how many times the best each is. */

/** One run. */
export interface Measurement {
  readonly n: number;
  readonly peer: string;
  readonly scenario: string;
  readonly wallMs: number;
  readonly cpuMs: number;
  /** What was wrong with it; such a run counts for nothing. */
  readonly fault?: string;
  readonly isFloor: boolean;
}

/** Markdown, one table for each scenario, sorted by processor time. Ratios are to the best that is no floor. */
export function table(measurements: readonly Measurement[]): string {
  const scenarios = [...new Set(measurements.map((each) => each.scenario))];
  return scenarios
    .map((scenario) =>
      section(
        scenario,
        measurements.filter((each) => each.scenario === scenario),
      ),
    )
    .join("\n\n");
}

function section(scenario: string, measurements: readonly Measurement[]): string {
  const rows = [...new Set(measurements.map((each) => each.peer))].flatMap((peer) => {
    const own = measurements.filter((each) => each.peer === peer);
    const valid = own.filter((each) => each.fault === undefined);
    const [first] = valid;
    if (first === undefined) return [];
    const cpu = valid.map((each) => each.cpuMs);
    const wall = valid.map((each) => each.wallMs);
    return [{ peer, isFloor: first.isFloor, runs: valid.length, void: own.length - valid.length, cpu, wall }];
  });
  const peers = rows.filter((row) => !row.isFloor);
  const bestCpu = Math.min(...peers.map((row) => median(row.cpu)));
  const bestWall = Math.min(...peers.map((row) => median(row.wall)));
  const lines = rows
    .sort((a, b) => median(a.cpu) - median(b.cpu))
    .map((row) => {
      const cpu = [median(row.cpu), Math.min(...row.cpu)].map(Math.round);
      const wall = [median(row.wall), Math.min(...row.wall)].map(Math.round);
      const cpuRatio = `${(median(row.cpu) / bestCpu).toFixed(2)}×`;
      const wallRatio = `${(median(row.wall) / bestWall).toFixed(2)}×`;
      const runs = row.void === 0 ? row.runs : `${row.runs} (${row.void} void)`;
      return `| ${[row.peer, ...cpu, cpuRatio, ...wall, wallRatio, runs].join(" | ")} |`;
    });
  return [
    `**N=${measurements[0]!.n}, ${scenario}**`,
    "",
    "| tool | CPU ms median | min | to the best | wall ms median | min | to the best | runs |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
    ...lines,
  ].join("\n");
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
