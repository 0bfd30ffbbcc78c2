/** `kahn flow graph`: a graph as a drawing, or what a run did of it. */
import { dirname } from "node:path";
import { eventsOf, type FlowEvent, toDot, toMermaid } from "@kahn/workflow";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import { parseGraphPlace } from "../../session/flow/graph-module.ts";
import { DIR_OPTION, FILE_OPTION, sessionFor } from "./options.ts";

type Mark = "done" | "open" | "failed";

/** The command. */
export const flowGraph: Command = {
  name: "flow graph",
  usage: "flow graph FILE[#NAME] | RUN [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [
    { name: "format", value: "FORMAT", choices: ["mermaid", "dot"], help: "mermaid (default) or dot, of Graphviz" },
    FILE_OPTION,
    DIR_OPTION,
  ],
  description: `
Draws the graph of a file, or that of a run with its nodes coloured: green was done, yellow runs or waits, red failed.
Also checks the graph: everything that is wrong with it is told at once.`,
  examples: [
    ["kahn flow graph release.ts", "for a page that shows Mermaid"],
    ["kahn flow graph last --format dot | dot -Tsvg > run.svg", "what the last run did"],
  ],
  async run(host, given) {
    const [text = ""] = given.positionals;
    const isFile = /\.[mc]?[jt]s(#|$)/.test(text);
    const place = parseGraphPlace(text, host.directory);
    const near = isFile ? { near: dirname(place.file) } : {};
    const opened = await sessionFor(host, given, { command: "graph", ...near });
    if (!opened.ok) return refuse(host, opened.problem);
    const session = opened.value;
    const draw = given.value("format") === "dot" ? toDot : toMermaid;
    if (isFile) {
      const graph = await session.load(place);
      if (!graph.ok) return refuse(host, graph.problem);
      host.stdout.write(draw(graph.value));
      return EXIT.done;
    }
    const run = session.find(text);
    if (!run.ok) return refuse(host, [run.problem]);
    const summary = session.summary(run.value);
    if (!summary.ok) return refuse(host, [summary.problem]);
    const graph = await session.graphOf(summary.value);
    if (!graph.ok) return refuse(host, graph.problem);
    const events = eventsOf(run.value, session.look());
    if (!events.ok) return refuse(host, [events.problem]);
    host.stdout.write(draw(graph.value, marksOf(events.value)));
    return EXIT.done;
  },
};

/** What became of each node of the graph itself; the last visit counts. */
function marksOf(events: readonly FlowEvent[]): ReadonlyMap<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const event of events) {
    if (!("path" in event) || event.path.includes("/")) continue;
    const name = event.path.replace(/#\d+$/, "");
    if (event.type === "node.started") marks.set(name, "open");
    else if (event.type === "node.committed") marks.set(name, "done");
    else if (event.type === "node.failed") marks.set(name, "failed");
  }
  return marks;
}
