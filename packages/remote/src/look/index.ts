/** Looking into one action of a server: what it is, how it differs from another, and running it again. */
export { ACTION_PARTS, type ActionDifference, compareActions } from "./action-difference.ts";
export { type ActionExecution, type ActionExecutionEnd, executeAction } from "./execute-action.ts";
export { findActionDigests } from "./find-action.ts";
export { countInputs, type InputCounts } from "./input-trees.ts";
export { hermeticRequestOf, readStoredAction, type StoredAction } from "./stored-action.ts";
export { type OutputPlace, writeOutputs } from "./write-outputs.ts";
