/** Programs that tests use where they are installed. A test that misses one is skipped and named at the end of the run. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const OPTIONAL = ["bwrap", "strace", "cargo", "bazel", "nats-server", "turbo"];

/** @returns {string} one line: which there are, and which not */
export function optionalTools() {
  const found = OPTIONAL.filter(isInstalled);
  const absent = OPTIONAL.filter((program) => !found.includes(program));
  return `optional programs found: ${found.join(", ") || "none"}; absent: ${absent.join(", ") || "none"}`;
}

/** @param {string} program */
function isInstalled(program) {
  return (process.env.PATH ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false; // Not there, or not ours to run: both mean that tests cannot use it.
    }
  });
}
