/** All checks, in the order of the list of obligations. */
import type { Check } from "./check.ts";
import { ACTION_RESULT_CHECKS } from "./checks/action-results.ts";
import { ASSET_CHECKS } from "./checks/assets.ts";
import { BLOB_CHECKS } from "./checks/blobs.ts";
import { CAPABILITY_CHECKS } from "./checks/capabilities.ts";
import { CHUNK_CHECKS } from "./checks/chunks.ts";
import { COMMAND_CHECKS } from "./checks/commands.ts";
import { DIGEST_CHECKS } from "./checks/digests.ts";
import { EXECUTION_CHECKS } from "./checks/executions.ts";
import { LOG_CHECKS } from "./checks/logs.ts";
import { STREAM_READ_CHECKS } from "./checks/stream-reads.ts";
import { STREAM_WRITE_CHECKS } from "./checks/stream-writes.ts";
import { TREE_CHECKS } from "./checks/trees.ts";

/** Every check. */
export const CHECKS: readonly Check[] = [
  ...DIGEST_CHECKS,
  ...CAPABILITY_CHECKS,
  ...BLOB_CHECKS,
  ...TREE_CHECKS,
  ...CHUNK_CHECKS,
  ...STREAM_READ_CHECKS,
  ...STREAM_WRITE_CHECKS,
  ...ACTION_RESULT_CHECKS,
  ...EXECUTION_CHECKS,
  ...COMMAND_CHECKS,
  ...ASSET_CHECKS,
  ...LOG_CHECKS,
];

/** What the sections are about. */
export const SECTIONS: Readonly<Record<string, string>> = {
  "2.1": "Digests, names, limits",
  "2.2": "Capabilities",
  "2.3": "Content-addressable storage",
  "2.4": "ByteStream",
  "2.5": "Action cache",
  "2.6": "Execution",
  "2.7": "Remote Asset",
  "2.8": "LogStream",
};

/** Checks whose names contain one of the patterns, in which `*` stands for anything; all for no pattern. */
export function selectedChecks(patterns: readonly string[]): readonly Check[] {
  if (patterns.length === 0) return CHECKS;
  const expressions = patterns.map((pattern) => {
    const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(parts.join(".*"));
  });
  return CHECKS.filter(({ name, section }) =>
    expressions.some((each) => each.test(name) || section === each.source.replace("\\", "")),
  );
}
