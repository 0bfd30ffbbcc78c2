/** Programs that some tests use where they are installed: which there are, and what is skipped without them. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** What is not tested without each. */
const OPTIONAL = {
  bwrap: "enforced sandboxes",
  strace: "traced reads and writes",
  cargo: "builds of real Cargo workspaces",
  bazel: "a real Bazel against the server",
  "nats-server": "queues on NATS",
};

/** @returns {string[]} one line for each program */
export function optionalTools() {
  return Object.entries(OPTIONAL).map(([program, what]) => {
    const path = find(program);
    return path === undefined ? `${program} not found: skips ${what}` : `${program} found: ${path}`;
  });
}

/** @param {string} program */
function find(program) {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return undefined;
}
