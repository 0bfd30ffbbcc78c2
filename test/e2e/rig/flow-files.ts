/** Graphs as files of a workspace, for tests of `kahn flow`. */

/** Imports, and a note of each visit in `visits.log`, so that a test sees how often a node really ran. */
const HEAD = `import { appendFileSync } from "node:fs";
import { barrier, defineGraph, END, fail, map, reduce, state } from "kahn/flow";
const visit = (name: string) => appendFileSync(new URL("visits.log", import.meta.url), name + "\\n");
const sleep = (ms: number, signal?: AbortSignal) => new Promise<void>((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); });
});
`;

/** Draft, then a person, who may send it back, then publish. */
export const REVIEW = `${HEAD}
const S = state({ topic: state.value("nothing"), notes: state.value<string[]>([], reduce.append), done: state.value(false) });
export default defineGraph(S, {
  id: "review", version: "1", start: "draft", maxSteps: 50,
  nodes: {
    draft: { run: async ({ state: { topic }, emit }) => {
      visit("draft");
      if (topic === "bad") fail("a bad topic", { code: "topic-bad" });
      emit("thinking of " + topic);
      return { set: { notes: ["a note on " + topic] } };
    } },
    approve: barrier({ timeout: "24h", payload: (s) => ({ notes: s.notes }), onReject: { goto: "draft" } }),
    publish: { run: async () => { visit("publish"); return { set: { done: true } }; } },
  },
  edges: [["draft", "approve"], ["approve", "publish"], ["publish", END]],
});
`;

/** Five nodes in a row; the third takes as long as `hold` says, in milliseconds. */
export const CHAIN = `${HEAD}
const S = state({ hold: state.value(0), deaf: state.value(false), log: state.value<string[]>([], reduce.append) });
const plain = (name: string) => ({ run: async () => { visit(name); return { set: { log: [name] } }; } });
export default defineGraph(S, {
  id: "chain", version: "1", start: "a", maxSteps: 50,
  nodes: {
    a: plain("a"), b: plain("b"),
    c: { run: async ({ state: { hold, deaf }, signal }) => {
      visit("c");
      await sleep(hold, deaf ? undefined : signal);
      return { set: { log: ["c"] } };
    } },
    d: plain("d"), e: plain("e"),
  },
  edges: [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"], ["e", END]],
});
`;

/** One barrier that asks for a comment, and times out soon. */
export const QUICK = `${HEAD}
const S = state({ comment: state.value("") });
export const asks = defineGraph(S, {
  id: "asks", version: "1", start: "ask", maxSteps: 10,
  nodes: { ask: barrier({ accept: { comment: "string" }, decided: (o) => ({ set: { comment: o.kind === "approve" ? o.payload.comment : o.kind } }) }) },
  edges: [["ask", END]],
});
export const soon = async () => defineGraph(S, {
  id: "soon", version: "1", start: "ask", maxSteps: 10,
  nodes: { ask: barrier({ timeout: 80, onTimeout: "skip", decided: (o) => ({ set: { comment: o.kind } }) }) },
  edges: [["ask", END]],
});
`;
