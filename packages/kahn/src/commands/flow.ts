/** `kahn flow`: durable workflows. */
import type { CommandGroup } from "../cli/command.ts";

/** The commands, in the order of the help. */
export const flow: CommandGroup = {
  usage: "flow COMMAND",
  description: `
Runs graphs that keep state, wait for people and survive the death of their process. A graph is the default export of
a TypeScript or JavaScript file, made with defineGraph of kahn/flow. Runs are kept in .kahn/state/flows of the file's
workspace; RUN is a run's id, the beginning of one, or "last".`,
  commands: [
    {
      name: "run",
      summary: "Start a run of a graph and follow it",
      load: async () => (await import("./flow/run.ts")).flowRun,
    },
    {
      name: "resume",
      summary: "Take up a run where it stands",
      load: async () => (await import("./flow/resume.ts")).flowResume,
    },
    {
      name: "decide",
      summary: "Approve, reject, change or reroute what waits for a person",
      load: async () => (await import("./flow/decide.ts")).flowDecide,
    },
    {
      name: "cancel",
      summary: "Stop a run; nothing goes on unless it is resumed",
      load: async () => (await import("./flow/cancel.ts")).flowCancel,
    },
    {
      name: "list",
      summary: "List runs and what they wait for",
      load: async () => (await import("./flow/list.ts")).flowList,
    },
    {
      name: "show",
      summary: "Show a run: its history, its state now or at any step",
      load: async () => (await import("./flow/show.ts")).flowShow,
    },
    {
      name: "fork",
      summary: "Begin a new run from any step of another",
      load: async () => (await import("./flow/fork.ts")).flowFork,
    },
    {
      name: "graph",
      summary: "Draw a graph, or what a run did of it",
      load: async () => (await import("./flow/graph.ts")).flowGraph,
    },
    {
      name: "replay",
      summary: "Say where a run would go another way with the graph of today",
      load: async () => (await import("./flow/replay.ts")).flowReplay,
    },
  ],
  examples: [
    ["kahn flow run release.ts", "run a graph, and be asked at its barriers"],
    ["kahn flow list --status waiting", "what waits for a decision"],
    ["kahn flow decide last review --approve", "from any shell"],
    ["kahn flow resume last", "go on after a crash, a Ctrl-C or a decision"],
  ],
};
