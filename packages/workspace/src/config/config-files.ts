/** Names of configuration files. */

/** A project's own configuration file: one name, because every project is asked for it in every start. */
export const PROJECT_CONFIG = "kahn.jsonc";

/** Configuration files of the root that are data. */
export const DATA_CONFIGS = ["kahn.jsonc", "kahn.json"] as const;

/** Configuration files that are programs. They stand at the root only. */
export const MODULE_CONFIGS = ["kahn.config.mts", "kahn.config.ts", "kahn.config.mjs", "kahn.config.js"] as const;
