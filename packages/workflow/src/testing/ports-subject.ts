/** What a suite of a flow's ports is given. */
import type { FlowOptions } from "../runtime/run/services.ts";

/** The ports of a flow that keep something. */
export type FlowPorts = Pick<FlowOptions, "clock" | "random" | "journals" | "values" | "store" | "locks" | "inboxes"> &
  Required<Pick<FlowOptions, "journals">>;

/** The stores under test. */
export interface FlowPortsSubject {
  /** What one more process finds: each call gives ports of their own on the same stores. Ports left out are not tested. */
  readonly open: () => FlowPorts | Promise<FlowPorts>;
  /** Resolves when a case has taken too long and has failed; default never, for test runners have limits of their own. */
  readonly patience?: () => Promise<void>;
  /** Called after each case, whatever its outcome. */
  readonly cleanup?: () => void | Promise<void>;
}

/** One sentence's experiment. */
export type PortExperiment = (open: FlowPortsSubject["open"]) => Promise<void>;
