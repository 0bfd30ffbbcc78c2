/** What the ports of a flow do together, under runs that are left, taken over, and told things by others. */
import assert from "node:assert/strict";
import { barrier } from "../definition/construct.ts";
import { defineGraph } from "../definition/graph.ts";
import { END, type FlowGraph } from "../definition/nodes.ts";
import { reduce } from "../definition/reducers.ts";
import { state } from "../definition/state.ts";
import type { Flow } from "../runtime/flow.ts";
import { createFlow } from "../runtime/flow.ts";
import { eventsOf } from "../runtime/reading/history.ts";
import type { FlowPortsSubject, PortExperiment } from "./ports-subject.ts";

const S = state({ log: state.value<readonly string[]>([], reduce.append), big: state.value("") });
const BIG = "x".repeat(20_000);

/** `a`, then a person, then `b`; `act` is told of each execution. */
function reviewed(act: (path: string) => unknown = () => {}): FlowGraph {
  const node = {
    run: async ({ path }: { readonly path: string }) => {
      await act(path);
      return { add: { log: path }, set: { big: `${path}${BIG}` } };
    },
  };
  return defineGraph(S, {
    id: "contract",
    start: "a",
    nodes: { a: node, ask: barrier({ timeout: "30d", onTimeout: "reject" }), b: node },
    edges: [
      ["a", "ask"],
      ["ask", "b"],
      ["b", END],
    ],
  }) as FlowGraph;
}

/** A flow of one more process. Locks are kept by whoever took them, so a process that "dies" has none. */
async function flowOn(open: FlowPortsSubject["open"], hasLocks: boolean): Promise<Flow> {
  const { locks, inboxes, ...ports } = await open();
  const shared = hasLocks
    ? { ...(locks === undefined ? {} : { locks }), ...(inboxes === undefined ? {} : { inboxes }) }
    : {};
  return createFlow({ ...ports, ...shared });
}

type Values = { readonly log: readonly string[]; readonly big: string };

const logOf = ({ state: values }: { readonly state: unknown }) => (values as Values).log;
const bigOf = ({ state: values }: { readonly state: unknown }) => (values as Values).big;

/** The cases, by sentence. */
export const FLOW_CASES: Readonly<Record<string, PortExperiment>> = {
  "runs: one that was left goes on in another process, with its steps, its state and its open barrier": async (
    open,
  ) => {
    const ran: string[] = [];
    const graph = reviewed((path) => ran.push(path));
    const flow = await flowOn(open, true);
    const run = await flow.start(graph, {}, { id: "left" });
    const before = await run.settled();
    await run.leave();
    const other = await flowOn(open, true);
    const resumed = await other.resume("left", graph);
    const after = await resumed.settled();
    assert.deepEqual({ ...after, status: before.status }, before);
    assert.equal((await resumed.decide("ask#1", { approve: true })).ack, "accepted");
    const result = await resumed.result;
    assert.deepEqual([result.status, logOf(result), ran], ["completed", ["a#1", "b#1"], ["a#1", "b#1"]]);
    assert.equal(bigOf(result), `b#1${BIG}`);
  },
  "runs: events are told again in every process, byte for byte": async (open) => {
    const flow = await flowOn(open, true);
    const run = await flow.start(reviewed(), {}, { id: "told" });
    await run.settled();
    await run.decide("ask#1", { reject: "no" }, { by: "ann" });
    await run.result;
    const tell = (each: Flow) => {
      const events = eventsOf("told", each.look());
      assert.ok(events.ok);
      return JSON.stringify(events.value);
    };
    const events = tell(flow);
    assert.ok(events.includes('"by":"ann"'));
    assert.equal(tell(await flowOn(open, true)), events);
  },
  "runs: an owner that sleeps while its run is taken over writes nothing, and is told so": async (open) => {
    let wake: () => void = () => {};
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const first = await (await flowOn(open, false)).start(
      reviewed(() => asleep),
      {},
      { id: "taken" },
    );
    const flow = await flowOn(open, false);
    const second = await flow.resume("taken", reviewed());
    await second.settled();
    wake();
    const lost = await first.result;
    assert.deepEqual([lost.status, lost.problem?.code], ["suspended", "flow-run-taken"]);
    await second.decide("ask#1", { approve: true });
    assert.deepEqual(logOf(await second.result), ["a#1", "b#1"]);
    const seen = (await flowOn(open, false)).peek("taken");
    assert.ok(seen.ok);
    assert.deepEqual([seen.value.status, logOf(seen.value)], ["completed", ["a#1", "b#1"]]);
  },
  "runs: what nobody executes is decided by whoever decides, and heeded by who resumes": async (open) => {
    const flow = await flowOn(open, true);
    const run = await flow.start(reviewed(), {}, { id: "decided" });
    await run.settled();
    await run.leave();
    const other = await flowOn(open, true);
    const said = await other.decide("decided", { target: "ask#1", decision: { approve: true } }, reviewed());
    assert.equal(said.ack, "accepted");
    const resumed = await (await flowOn(open, true)).resume("decided", reviewed());
    assert.deepEqual(logOf(await resumed.result), ["a#1", "b#1"]);
  },
  "runs: what another process executes is refused to a second owner, and told through its inbox": async (open) => {
    const { locks, inboxes } = await open();
    if (locks === undefined || inboxes === undefined) return;
    const owner = await flowOn(open, true);
    const run = await owner.start(reviewed(), {}, { id: "owned" });
    await run.settled();
    const other = await flowOn(open, true);
    await assert.rejects(other.resume("owned", reviewed()));
    assert.equal(
      (await other.command("owned", { kind: "decide", target: "ask#1", decision: { approve: true } })).ack,
      "accepted",
    );
    assert.equal((await run.result).status, "completed");
  },
  "runs: ids that are taken are refused, and a checkpoint changes nothing but the way back": async (open) => {
    const flow = await flowOn(open, true);
    const run = await flow.start(reviewed(), {}, { id: "once" });
    await run.settled();
    await run.checkpoint("here");
    await run.leave();
    await assert.rejects((await flowOn(open, true)).start(reviewed(), {}, { id: "once" }));
    const resumed = await (await flowOn(open, true)).resume("once", reviewed());
    await resumed.decide("ask#1", { approve: true });
    const result = await resumed.result;
    assert.deepEqual([logOf(result), bigOf(result)], [["a#1", "b#1"], `b#1${BIG}`]);
  },
};
