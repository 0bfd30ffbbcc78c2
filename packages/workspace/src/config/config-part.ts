/** What one configuration file contributes. */
import type { Problem } from "@kahn/core";
import type { ConfigText } from "./config-text.ts";

/** One file's part of the configuration. */
export interface ConfigPart<Config> {
  readonly config: Config;
  readonly text: ConfigText;
  /** Keys of tasks that do not build on less specific entries. */
  readonly standalone: ReadonlySet<string>;
  /** Tasks that the project opts out of. */
  readonly removed: readonly string[];
  readonly warnings: readonly Problem[];
}
