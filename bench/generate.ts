/** `node tools/run-ts.mjs bench/generate.ts --n 100 --out DIR [--tool kahn] [--seed 1]`: one workspace, to try things in. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { PEERS } from "./peers.ts";
import { writeWorkspace } from "./workspace.ts";

const { values } = parseArgs({
  options: {
    n: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    tool: { type: "string", default: "kahn" },
    out: { type: "string" },
  },
});
const peer = PEERS.find((each) => each.name === values.tool);
if (values.out === undefined || peer === undefined) {
  throw new Error(`usage: --out DIR --tool ${PEERS.map((each) => each.name).join("|")}`);
}
const size = { n: Number(values.n), seed: Number(values.seed) };
console.log(JSON.stringify(writeWorkspace(resolve(values.out), size, (packages) => peer.dress(packages))));
