// Goal: of two runs of one action exactly one counts, the first success; a failure counts only when nothing succeeds.
// Method: every pair of ends, in both orders; a side that is cancelled says so.
import { expect, test } from "vitest";
import { isSuccess, type RaceEnd, type Ran, race, type Side } from "./ran.ts";

const completed = (exitCode: number): Ran => ({
  kind: "completed",
  result: { outputFiles: [], outputDirectories: [], outputSymlinks: [], exitCode, metadata: { worker: "w" } },
  durationMs: 1,
  undeclared: [],
  isCached: false,
});
const problem = { code: "x", severity: "error", message: "x" } as const;
const ENDS: readonly Ran[] = [
  completed(0),
  completed(1),
  { kind: "timed-out", durationMs: 1, result: undefined },
  { kind: "errored", problem },
  { kind: "down", problem },
];

/** A side that ends when it is told to, or when it is cancelled. */
function scripted() {
  let end!: (ran: Ran) => void;
  const state = { isCancelled: false };
  const ran = new Promise<Ran>((resolve) => {
    end = resolve;
  });
  const side: Side = {
    ran,
    cancel: () => {
      state.isCancelled = true;
      end({ kind: "cancelled" });
    },
  };
  return { side, end, state };
}

async function raced(first: "here" | "there", ends: { readonly here: Ran; readonly there: Ran }) {
  const sides = { here: scripted(), there: scripted() };
  const racing = race({ here: sides.here.side, there: sides.there.side });
  const second = first === "here" ? "there" : "here";
  sides[first].end(ends[first]);
  await new Promise((resolve) => setImmediate(resolve));
  const isSecondCancelled = sides[second].state.isCancelled;
  sides[second].end(ends[second]);
  return { end: await racing, isSecondCancelled };
}

/** Every race there is. */
async function eachRace(check: (race: Race) => void): Promise<void> {
  for (const here of ENDS) {
    for (const there of ENDS) {
      for (const first of ["here", "there"] as const)
        check({ first, here, there, ...(await raced(first, { here, there })) });
    }
  }
}

interface Race {
  readonly first: "here" | "there";
  readonly here: Ran;
  readonly there: Ran;
  readonly end: RaceEnd;
  readonly isSecondCancelled: boolean;
}

test("the first success wins at once and ends the other side; what is no success ends nobody", () =>
  eachRace(({ first, here, there, end, isSecondCancelled }) => {
    const won = first === "here" ? here : there;
    expect(isSecondCancelled).toBe(isSuccess(won));
    if (isSuccess(won)) expect(end).toStrictEqual({ winner: first, ran: won, other: { kind: "cancelled" } });
  }));

test("a success counts whoever has it, and the failure beside it is known", () =>
  eachRace(({ first, here, there, end }) => {
    const [won, late] = first === "here" ? [here, there] : [there, here];
    if (isSuccess(won) || !isSuccess(late)) return;
    expect(end).toStrictEqual({ winner: first === "here" ? "there" : "here", ran: late, other: won });
  }));

test("of two that did not succeed, what the command did says most, and then the server, in either order", () =>
  eachRace(({ here, there, end }) => {
    if (isSuccess(here) || isSuccess(there)) return;
    const isHere = ENDS.indexOf(here) < ENDS.indexOf(there);
    expect(end).toStrictEqual(
      isHere ? { winner: "here", ran: here, other: there } : { winner: "there", ran: there, other: here },
    );
  }));
