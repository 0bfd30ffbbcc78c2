/** A process that saves checkpoints to a thread and prints the id of each that was acknowledged: `DIRECTORY WRITER COUNT`. */
import { writeSync } from "node:fs";
import * as peer from "@langchain/langgraph-checkpoint";
import { fileSaverStorage, openKahnSaver } from "../../packages/kahn/dist/flow-langgraph.mjs";

const [directory = "", writer = "", count = "0"] = process.argv.slice(2);
const opened = await openKahnSaver({ storage: fileSaverStorage({ directory, lockKeptMs: 2 }), peer });
if (!opened.ok) throw new Error(opened.problem.message);
const thread = { configurable: { thread_id: "shared", checkpoint_ns: "" } };
for (let n = 0; n < Number(count); n++) {
  const id = `${String(n).padStart(6, "0")}-${writer}`;
  const value = `${id} `.repeat(n % 10 === 0 ? 1000 : 1);
  const checkpoint = { ...peer.emptyCheckpoint(), id, channel_values: { value }, channel_versions: { value: n } };
  await opened.value.put(thread, checkpoint, { source: "loop", step: n, parents: {} }, { value: n });
  writeSync(1, `${id}\n`);
}
opened.value.close();
