/** `kahn flow replay`: whether a run would go the same way with the graph of today. */
import { countText, painter } from "@kahn/report";
import { type ReplayDifference, replay } from "@kahn/workflow";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import { DIR_OPTION, FILE_OPTION, JSON_OPTION, runFor } from "./options.ts";

/** The command. */
export const flowReplay: Command = {
  name: "flow replay",
  usage: "flow replay [RUN] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 1,
  options: [{ ...FILE_OPTION, help: "the file of another graph to try" }, DIR_OPTION, JSON_OPTION],
  description: `
Goes through the journal of a run with the graph as its file has it now. No node runs: what each wrote is taken from the
journal, and only its way on is asked of the graph. Exit code 0: every step goes the same way; 1: some do not.`,
  examples: [
    ["kahn flow replay last", "before a changed graph is deployed"],
    ["kahn flow replay 01JH --file next.ts", "with another file"],
  ],
  async run(host, given) {
    const meant = await runFor(host, given, { command: "replay" });
    if (!meant.ok) return refuse(host, meant.problem);
    const { session, run } = meant.value;
    const summary = session.summary(run);
    if (!summary.ok) return refuse(host, [summary.problem]);
    const graph = await session.graphOf(summary.value);
    if (!graph.ok) return refuse(host, graph.problem);
    const found = replay(run, graph.value, session.look());
    if (!found.ok) return refuse(host, [found.problem]);
    const paint = painter(host.stdout.colour);
    if (given.has("json")) for (const each of found.value) host.stdout.write(`${JSON.stringify(each)}\n`);
    else if (found.value.length === 0) host.stdout.write(`${paint("✔", "green")} ${run} goes the same way\n`);
    else {
      for (const each of found.value) host.stdout.write(`${differenceText(each)}\n`);
      host.stdout.write(
        `${paint("✖", "red")} ${countText(found.value.length, "step")} of ${run} would go another way\n`,
      );
    }
    return found.value.length === 0 ? EXIT.done : EXIT.failed;
  },
};

function differenceText({ seq, path, what, recorded, now, why }: ReplayDifference): string {
  const place = `step ${seq} ${path}:`;
  const went = recorded.length === 0 ? "the end" : recorded.join(", ");
  switch (what) {
    case "route":
      return `${place} went to ${went}, and would go to ${now.length === 0 ? "the end" : now.join(", ")}`;
    case "node-missing":
      return `${place} the graph has no such node`;
    case "key-missing":
      return `${place} the state has no key ${recorded.join(", ")}`;
    case "cannot-route":
      return `${place} went to ${went}, and would go nowhere: ${why ?? "no edge takes it"}`;
  }
}
