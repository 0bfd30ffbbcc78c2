/** What people and machines read of a run, made from its events alone. */

export { barriersText, type FlowEnd, failureText, flowEndText } from "./flow/end-text.ts";
export { type FinishedRun, writeFlowEvent, writeFlowFinished } from "./flow/json-reporter.ts";
export { errorText, flowLine } from "./flow/line.ts";
export { payloadExamples } from "./flow/payload-example.ts";
export { type FlowReporter, flowReporter } from "./flow/reporter.ts";
export { clip, jsonOf, stateText, valueText } from "./flow/value-text.ts";
export { emptyFlowView, type FlowView, foldFlowEvent, parentOf } from "./flow/view.ts";
export type { DrawnNode } from "./graph/drawn-node.ts";
export { type GraphFormat, graphText } from "./graph/text.ts";
export { JsonReporter } from "./run/json-reporter.ts";
export { missLine, missText } from "./run/miss-text.ts";
export type { OutputMode } from "./run/output.ts";
export { PlainReporter } from "./run/plain-reporter.ts";
export { settledText } from "./run/settled-text.ts";
export { summaryText } from "./run/summary.ts";
export { TerminalReporter } from "./run/terminal-reporter.ts";
export { emptyRunView, foldRunEvent, labelOf, type RunView } from "./run/view.ts";
export { type Paint, painter } from "./text/paint.ts";
export { problemText } from "./text/problem.ts";
export { shellWord } from "./text/shell-word.ts";
export { bufferSink, type TextSink } from "./text/sink.ts";
export { textTable } from "./text/table.ts";
export { countText, durationText, sizeText } from "./text/units.ts";
