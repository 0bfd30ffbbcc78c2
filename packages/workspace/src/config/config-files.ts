/** Names of configuration files. */

/** Configuration files that are data. They may stand at the root and in projects. */
export const DATA_CONFIGS = ["kahn.jsonc", "kahn.json"] as const;

/** Configuration files that are programs. They stand at the root only. */
export const MODULE_CONFIGS = ["kahn.config.mts", "kahn.config.ts", "kahn.config.mjs", "kahn.config.js"] as const;
