/**
 * Runs checks against a server, several at once: many of them wait for a command that sleeps.
 *
 * Invariant: every check has an outcome, whatever a server does; checks share nothing but the server.
 */
import type { Check } from "./check.ts";
import type { CheckedServer } from "./checked-server.ts";
import { CheckFailed, CheckSkipped } from "./expectations.ts";

/** What came of a check; `why` is a sentence for people. */
export type Verdict =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "skipped"; readonly why: string };

/** A check with its verdict. */
export interface CheckOutcome {
  readonly check: Check;
  readonly verdict: Verdict;
}

/** How checks are run. */
export interface RunPlan {
  /** How many at once. */
  readonly lanes: number;
  /** Hears of each, in the order of the checks, as soon as it and those before it are over. */
  readonly tell?: (outcome: CheckOutcome) => void;
}

/** Runs checks. @returns outcomes in the order of the checks. */
export async function runChecks(
  server: CheckedServer,
  checks: readonly Check[],
  { lanes, tell = () => {} }: RunPlan,
): Promise<readonly CheckOutcome[]> {
  const outcomes: (CheckOutcome | undefined)[] = checks.map(() => undefined);
  let next = 0;
  let told = 0;
  const lane = async (): Promise<void> => {
    while (next < checks.length) {
      const index = next++;
      const check = checks[index]!;
      outcomes[index] = { check, verdict: await verdictOf(server, check) };
      for (let done = outcomes[told]; done !== undefined; done = outcomes[++told]) tell(done);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes.map((outcome) => outcome!);
}

async function verdictOf(server: CheckedServer, check: Check): Promise<Verdict> {
  const reason = check.unless(server.features);
  if (reason !== undefined) return { kind: "skipped", why: reason };
  try {
    await check.run(server);
    return { kind: "passed" };
  } catch (error) {
    if (error instanceof CheckSkipped) return { kind: "skipped", why: error.message };
    if (error instanceof CheckFailed) return { kind: "failed", why: error.message };
    // A message that cannot be read, or one that is not as it must be: the server's doing as far as can be known.
    return { kind: "failed", why: `what the server sent cannot be read: ${(error as Error).message}` };
  }
}

/** True unless an obligation that binds was not met. */
export function isConformant(outcomes: readonly CheckOutcome[]): boolean {
  return !outcomes.some(({ check, verdict }) => check.level === "must" && verdict.kind === "failed");
}
