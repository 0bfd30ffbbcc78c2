/** What people and machines read of a run, made from its events alone. */
export type { DrawnNode } from "./drawn-node.ts";
export { type GraphFormat, graphText } from "./graph-text.ts";
export { JsonReporter } from "./json-reporter.ts";
export { missLine, missText } from "./miss-text.ts";
export { type Paint, painter } from "./paint.ts";
export { PlainReporter } from "./plain-reporter.ts";
export { problemText } from "./problem-text.ts";
export type { OutputMode } from "./run-output.ts";
export { emptyRunView, foldRunEvent, labelOf, type RunView } from "./run-view.ts";
export { settledText } from "./settled-text.ts";
export { summaryText } from "./summary.ts";
export { TerminalReporter } from "./terminal-reporter.ts";
export { bufferSink, type TextSink } from "./text-sink.ts";
export { textTable } from "./text-table.ts";
export { countText, durationText, sizeText } from "./units.ts";
