/** Durable state graphs: definition, execution, decisions, history. */

export { action, barrier, condition, map, parallel, subgraph } from "./definition/construct.ts";
export { toDot, toMermaid } from "./definition/draw.ts";
export { fail } from "./definition/failure.ts";
export { buildGraph, defineGraph, dynamicGraph } from "./definition/graph.ts";
export type { PayloadOf } from "./definition/nodes.ts";
export { END } from "./definition/nodes.ts";
export { reduce } from "./definition/reducers.ts";
export { state } from "./definition/state.ts";
export { createFlow } from "./runtime/flow.ts";
export { memoryJournals } from "./runtime/memory-journals.ts";
