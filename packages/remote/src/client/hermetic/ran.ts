/** What came of running an action apart from the workspace, on a server or here; and which of two goes into the workspace. */
import type { ActionResult, Problem } from "@kahn/core";

/** How it ended. */
export type Ran =
  /** The command ended by itself; `result.exitCode` tells how. */
  | {
      readonly kind: "completed";
      readonly result: ActionResult;
      readonly durationMs: number;
      /** Files that it left and nobody declared. */
      readonly undeclared: readonly string[];
      /** True when a server had the result and ran nothing. */
      readonly isCached: boolean;
    }
  | { readonly kind: "timed-out"; readonly durationMs: number; readonly result: ActionResult | undefined }
  | { readonly kind: "cancelled" }
  | { readonly kind: "errored"; readonly problem: Problem }
  /** The server is gone, or has no time for us. */
  | { readonly kind: "down"; readonly problem: Problem };

/** One of two that run the same. */
export interface Side {
  /** Never rejects. */
  readonly ran: Promise<Ran>;
  /** Ends it; `ran` comes all the same, after the last process has ended. */
  cancel(): void;
}

/** How a race ended. */
export interface RaceEnd {
  readonly winner: "here" | "there";
  readonly ran: Ran;
  /** What the other one came to; `cancelled` when it was not waited for. */
  readonly other: Ran;
}

/**
 * Lets two sides race.
 *
 * The first success wins, and the other side is ended. A side that fails in any way leaves the race to the other: the
 * two see different programs, so that a failure counts only when it is no worse on the other side. When none succeeds,
 * what the command itself did says most, and of two the same kind the server's.
 */
export async function race(sides: { readonly here: Side; readonly there: Side }): Promise<RaceEnd> {
  const { here, there } = sides;
  const first = await Promise.race([
    there.ran.then((ran) => ({ winner: "there", ran }) as const),
    here.ran.then((ran) => ({ winner: "here", ran }) as const),
  ]);
  const loser = first.winner === "here" ? there : here;
  if (isSuccess(first.ran)) {
    loser.cancel();
    await loser.ran;
    return { ...first, other: { kind: "cancelled" } };
  }
  const second = { winner: first.winner === "here" ? "there" : "here", ran: await loser.ran } as const;
  const [better, other] = rank(second) < rank(first) ? [second, first] : [first, second];
  return { ...better, other: other.ran };
}

/** True when the command ran and succeeded. */
export function isSuccess(ran: Ran): boolean {
  return ran.kind === "completed" && ran.result.exitCode === 0;
}

/** Less is better. */
function rank({ winner, ran }: Pick<RaceEnd, "winner" | "ran">): number {
  const byKind = { completed: 1, "timed-out": 2, cancelled: 3, errored: 4, down: 5 }[ran.kind];
  return 2 * (isSuccess(ran) ? 0 : byKind) + (winner === "there" ? 0 : 1);
}
