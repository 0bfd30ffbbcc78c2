/**
 * The graph that crash tests kill: more than 200 steps of every kind of node, in rounds.
 *
 * A round: a parallel of a task, a task that fails twice, a barrier that times out, and subgraphs nested to depth 3
 * with a barrier at the bottom; maps over data and over subgraphs; a join; barriers decided exactly, early, for every
 * occurrence, and by their timeouts; failures that take error edges; cached nodes and an action; values above 4 KiB,
 * blobs, and something that is done once per visit.
 *
 * Invariant: the final state depends neither on the order in which nodes end nor on the times.
 */
import type { Clock } from "@kahn/core";
import type { Blob, FlowGraph, FlowRun } from "../index.ts";
import {
  action,
  barrier,
  condition,
  defineGraph,
  END,
  fail,
  map,
  parallel,
  reduce,
  state,
  subgraph,
} from "../index.ts";
import type { FlowRecord } from "../machine/state/records.ts";

/** What the nodes use, and whom they tell that they run. */
export interface CrashProbe {
  readonly clock: Clock;
  /** Multiplies every time; default 1. */
  readonly pace?: number;
  /** Called at the beginning of each execution. */
  did(path: string, attempt: number): void;
}

/** The id of the run. */
export const RUN = "r";
/** How fast it goes in processes, which have real clocks. */
export const PACE = 0.1;
/** What the command of its action gives. */
export const BUILT = {
  kind: "succeeded",
  stdout: "built",
  stderr: "",
  cached: false,
  workspaceRoot: "/work",
  outputs: [],
} as const;
/** How often the graph goes round. */
export const ROUNDS = 6;
/** So many executions are under way at once at most. */
export const WIDTH = 4;
/** Nodes that a cache may spare: they run once more when it is deleted. */
export const isCachedNode = (path: string): boolean => /^(memo|build)#/.test(path);

/** What nodes of every graph are given. */
interface Here {
  readonly path: string;
  readonly attempt: number;
}

const Inner = state({ v: state.value(0, reduce.sum), list: state.value<readonly string[]>([], reduce.append) });

const Outer = state({
  round: state.value(0, reduce.sum),
  total: state.value(0, reduce.sum),
  names: state.value<readonly string[]>([], reduce.append),
  seen: state.value<readonly string[]>([], reduce.union),
  best: state.value(0, reduce.max),
  longest: state.value(
    "",
    reduce.custom<string>("longest", (a, b) => (b.length > a.length ? b : a), ""),
  ),
  text: state.value(""),
  blobs: state.value<readonly Blob[]>([], reduce.append),
});

/** Builds the graph for one life of a run. */
export function crashGraph({ clock, did, pace = 1 }: CrashProbe): FlowGraph {
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(ms * pace, resolve));
  const began = ({ path, attempt }: Here) => did(path, attempt);
  const adds = (v: number, ms = 0) => ({
    run: async (context: Here) => {
      began(context);
      if (ms > 0) await pause(ms);
      return { add: { v } };
    },
  });
  const leaf = defineGraph(Inner, {
    id: "leaf",
    start: "x",
    nodes: { x: adds(1, 2), ask: barrier({ decided: () => ({ add: { list: "asked" } }) }), y: adds(2) },
    edges: [
      ["x", "ask"],
      ["ask", "y"],
      ["y", END],
    ],
  });
  const middle = defineGraph(Inner, {
    id: "middle",
    start: "m",
    nodes: {
      m: adds(3),
      pair: parallel({
        p: adds(4, 1),
        q: subgraph({ graph: leaf, input: (s) => ({ v: s.v }), output: (s) => ({ add: { v: s.v, list: s.list } }) }),
      }),
    },
    edges: [
      ["m", "pair"],
      ["pair", END],
    ],
  });
  const outer = defineGraph(Inner, {
    id: "outer",
    start: "o",
    maxSteps: 20,
    nodes: {
      o: adds(5),
      deeper: subgraph({ graph: middle, input: () => ({}), output: (s) => ({ add: { v: s.v, list: s.list } }) }),
      w: adds(10_000, 1),
      again: condition([["w", (s) => s.v < 40_000]]),
    },
    edges: [
      ["o", "deeper"],
      ["deeper", "w"],
      ["w", "again"],
      ["again", END],
    ],
  });
  const plain = defineGraph(Inner, {
    id: "plain",
    start: "a",
    nodes: { a: adds(6, 1), b: barrier({ timeout: 9 * pace, onTimeout: "skip" }), c: adds(7) },
    edges: [
      ["a", "b"],
      ["b", "c"],
      ["c", END],
    ],
  });
  const tells = (name: string, ms: number) => ({
    run: async (context: Here) => {
      began(context);
      await pause(ms);
      return { add: { total: 1, seen: name } };
    },
  });
  const forAbort = {
    run: async (context: Here & { readonly signal: AbortSignal }) => {
      began(context);
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    },
  };
  const fails = (ms: number) => ({
    run: async (context: Here) => {
      began(context);
      await pause(ms);
      return fail("as planned");
    },
  });
  return defineGraph(Outer, {
    id: "crash",
    start: "begin",
    maxSteps: 2000,
    nodes: {
      begin: {
        run: (context) => {
          began(context);
          return {
            add: { round: 1, names: `round ${context.state.round + 1} ${"of a name that is long ".repeat(30)}` },
          };
        },
      },
      fan: parallel({
        left: tells("left", 3),
        flaky: {
          retry: { max: 3, delay: 40 * pace, backoff: "fixed", jitter: 0 },
          run: async (context) => {
            began(context);
            await pause(1);
            if (context.attempt < 3) fail("not yet", { class: "Retryable" });
            return { set: { best: context.attempt }, add: { names: `attempt ${context.attempt}` } };
          },
        },
        quick: barrier({ timeout: 60 * pace, onTimeout: "approve", decided: () => ({ add: { total: 10 } }) }),
        deep: subgraph({
          graph: outer,
          input: () => ({}),
          output: (s) => ({ add: { total: s.v, names: [...s.list] } }),
        }),
      }),
      each: map({
        over: (s) => [0, 1, 2, 3, 4, 5].map((n) => ({ n, from: s.round, ballast: "b".repeat(1000) })),
        limit: 3,
        run: async (context) => {
          began(context);
          await pause(context.item.n % 3);
          return { add: { total: context.item.n, names: `item ${context.item.n} of ${context.item.from}` } };
        },
      }),
      nested: map({
        over: () => [1, 2],
        body: (item) =>
          subgraph({ graph: plain, input: () => ({ v: Number(item) }), output: (s) => ({ add: { total: s.v } }) }),
      }),
      spread: tells("spread", 0),
      a: tells("a side", 2),
      b: tells("a side", 1),
      meet: { join: "all", ...tells("meet", 0) },
      gate: barrier({
        accept: { note: "string" },
        payload: (s) => ({ round: s.round, long: "p".repeat(5000) }),
        decided: (outcome) => (outcome.kind === "approve" ? { add: { names: outcome.payload.note } } : {}),
      }),
      late: barrier({ timeout: 80 * pace, onTimeout: "reject", onReject: { goto: "risky" } }),
      risky: fails(1),
      mend: tells("mend", 0),
      some: parallel({ ok: tells("some", 1), bad: fails(2) }, { strategy: "collect" }),
      fast: parallel({ waits: forAbort, dies: fails(2) }),
      heal: tells("heal", 0),
      memo: {
        cache: { key: () => "the same in every round" },
        run: async (context) => {
          began(context);
          return { add: { total: 100 } };
        },
      },
      build: action({
        work: { command: ["compile", "everything"] },
        cache: { key: (s) => s.round },
        result: (outcome) => ({ add: { seen: outcome.kind === "command" ? outcome.stdout : "nothing" } }),
      }),
      big: {
        run: async (context) => {
          began(context);
          const { round } = context.state;
          const drawn = await context.once("draw", () => {
            did(`${context.path}!draw`, 1);
            return "d".repeat(100 + round);
          });
          const blobs = Array.from({ length: 45 }, (_, index) =>
            context.putBlob(`blob ${index} of ${round} `.repeat(20)),
          );
          return { set: { text: `${round}${"t".repeat(6000)}`, longest: drawn, blobs } };
        },
      },
      ahead: barrier({ decided: () => ({ add: { total: 1000 } }) }),
      // Large values that only the state still names are read back.
      last: {
        run: async (context) => {
          began(context);
          const { blobs } = context.state;
          const bytes = blobs.map((blob) => context.readBlob(blob).byteLength);
          return { add: { total: bytes.reduce((sum, size) => sum + size, 0) } };
        },
      },
    },
    edges: [
      ["begin", "fan"],
      ["fan", "each"],
      ["each", "nested"],
      ["nested", "spread"],
      ["spread", ["a", "b"]],
      ["a", "meet"],
      ["b", "meet"],
      ["meet", "gate"],
      ["gate", "late"],
      ["late", "risky"],
      ["risky", "mend"],
      { from: "risky", to: "mend", onError: ["Terminal"] },
      ["mend", "some"],
      ["some", "fast"],
      ["fast", "heal"],
      { from: "fast", to: "heal", onError: ["Terminal"] },
      ["heal", "memo"],
      ["memo", "build"],
      ["build", "big"],
      ["big", "ahead"],
      ["ahead", "last"],
      { from: "last", to: "begin", when: (s) => s.round < ROUNDS },
      ["last", END],
    ],
  }) as FlowGraph;
}

/** Decides in advance what has not been decided yet; what an earlier life recorded is left alone. */
export async function decideAhead(run: FlowRun, records: readonly FlowRecord[]): Promise<void> {
  const recorded = new Set(records.flatMap((record) => (record.k === "dec" ? [record.v ?? record.node] : [])));
  const wildcard = "fan/deep/deeper/pair/q/ask";
  if (!recorded.has(wildcard)) await run.decide({ node: wildcard }, { approve: true }, { count: ROUNDS, by: "ann" });
  for (let round = 1; round <= ROUNDS; round++) {
    if (!recorded.has(`ahead#${round}`)) await run.decide(`ahead#${round}`, { approve: true }, { by: "bob" });
  }
}

/** Decides an open barrier that waits for a person, if there is one; the others time out. */
export async function decideOpen(run: FlowRun): Promise<boolean> {
  const open = run.peek().barriers.find(({ node }) => node === "gate");
  if (open === undefined) return false;
  await run.decide(open.barrier as never, { approve: true, payload: { note: "go on" } }, { by: "ann" });
  return true;
}
