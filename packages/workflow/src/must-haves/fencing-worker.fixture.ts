/**
 * Test fixture: a process that executes a run whose second node takes until the file `DIRECTORY/go` is there.
 *
 *   node fencing-worker.mjs DIRECTORY RUN
 *
 * Each execution of a node appends its path to `DIRECTORY/effects`. Prints the result as JSON when the run has ended
 * here, and before it each event that ended a stream.
 */
import { appendFileSync, existsSync } from "node:fs";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import {
  barrier,
  createFlow,
  defineGraph,
  END,
  type FlowGraph,
  inFolder,
  isTerminal,
  reduce,
  state,
} from "../index.ts";

const S = state({ log: state.value<readonly string[]>([], reduce.append) });

/** `first`, `hold` until there is a file, `ask` a person, `last`. */
export function heldGraph(directory: string): FlowGraph {
  const did = (path: string) => {
    appendFileSync(`${directory}/effects`, `${path}\n`);
    return { add: { log: path } };
  };
  return defineGraph(S, {
    id: "held",
    start: "first",
    nodes: {
      first: { run: ({ path }) => did(path) },
      hold: {
        run: async ({ path }) => {
          const output = did(path);
          while (!existsSync(`${directory}/go`)) await new Promise((resolve) => setTimeout(resolve, 5));
          return output;
        },
      },
      ask: barrier({}),
      last: { run: ({ path }) => did(path) },
    },
    edges: [
      ["first", "hold"],
      ["hold", "ask"],
      ["ask", "last"],
      ["last", END],
    ],
  }) as FlowGraph;
}

const [program = "", directory = "", id = ""] = process.argv.slice(1);
if (program.endsWith("fencing-worker.mjs")) {
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() };
  const flow = createFlow({
    ...inFolder({ ...ports, directory }),
    hooks: [(event) => void (isTerminal(event) && console.log(JSON.stringify(event)))],
  });
  const run = await flow.start(heldGraph(directory), {}, { id });
  console.log(JSON.stringify(await run.result));
}
