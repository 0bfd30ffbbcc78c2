/** People in a script: answers barriers as they open. */

import type { OpenBarrier } from "../machine/barriers/open.ts";
import type { Decision } from "../runtime/run/decision.ts";
import type { FlowRun, RunResult } from "../runtime/run/flow-run.ts";

/**
 * Answers each barrier of a run by what `script` says, until the run has ended or a barrier is left alone.
 *
 * @param script gives a decision, or `undefined` to leave the barrier to its timeout or to somebody else.
 * @returns how the run stands then.
 */
export async function decideBy<S, P>(
  run: FlowRun<S, P>,
  script: (barrier: OpenBarrier) => Decision | undefined,
): Promise<RunResult<S>> {
  const left = new Set<string>();
  for (;;) {
    const result = await run.settled();
    const open = result.barriers.filter(({ barrier }) => !left.has(barrier));
    if (result.status !== "waiting" || open.length === 0) return result;
    for (const barrier of open) {
      const decision = script(barrier);
      if (decision === undefined) left.add(barrier.barrier);
      else await run.decide(barrier.barrier as never, decision as never);
    }
  }
}
