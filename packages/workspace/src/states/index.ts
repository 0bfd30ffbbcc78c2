/** The work tree's files and what is known of them. */
export { Directory } from "./directory.ts";
export type { FileStatesOptions } from "./file-states-options.ts";
export { openFileStates } from "./open-file-states.ts";
export type { FileTrouble } from "./work-tree-states.ts";
export { WorkTreeStates } from "./work-tree-states.ts";
