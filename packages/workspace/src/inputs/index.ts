/** From declared patterns to input files. */
export { DefaultFiles } from "./default-files.ts";
export { OutputMask } from "./output-mask.ts";
export type { PatternList } from "./pattern-set.ts";
export { compilePatterns, coversTree, listMatches, mayOverlap, rootOf } from "./pattern-set.ts";
export type { GitEnvironment } from "./repository.ts";
export type { InputRequest, InputTrouble } from "./task-inputs.ts";
export { TaskInputs } from "./task-inputs.ts";
