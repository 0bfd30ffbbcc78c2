/** `kahn run --graph`: the graph as text, and nothing else. */
import { type GraphFormat, graphText } from "@kahn/report";
import { EXIT } from "../../cli/command.ts";
import type { PlannedRequest } from "../../session/run/plan.ts";
import type { WorkspaceSession } from "../../session/workspace-session.ts";

/** Prints the planned graph to standard output. */
export function printGraph(session: WorkspaceSession, planned: PlannedRequest, format: GraphFormat): number {
  session.host.stdout.write(graphText(planned.nodes, format));
  return EXIT.done;
}
