/**
 * The `cache` section of the configuration.
 *
 * Owns:  its schema, defaults and descriptions; `kahn` composes and reads the file.
 * Never: reads the environment: `KAHN_CACHE_DIR` is applied by whoever wires the store.
 */
import type { ConfigSection, DigestFunction } from "@kahn/core";
import { parseDurationMs, parseSizeBytes } from "@kahn/core";
import * as v from "valibot";
import { DEFAULT_MAX_AGE_MS, DEFAULT_MAX_SIZE_BYTES } from "./garbage-collector.ts";
import { type RemoteConfig, remoteSchema } from "./remote-config.ts";

/** The cache's configuration with defaults filled in. */
export interface CacheConfig {
  /** As written, relative to the main worktree's root; `undefined` means `.kahn/cache` there. */
  readonly dir: string | undefined;
  readonly maxSizeBytes: number;
  readonly maxAgeMs: number;
  readonly digest: Extract<DigestFunction, "sha256">;
  /** How outputs are restored where a task does not say. */
  readonly outputMode: "copy" | "link";
  /** A shared cache. */
  readonly remote: RemoteConfig | undefined;
}

const written = v.union([v.string(), v.number()], 'Expected text such as "10GB", or a number.');

const size = v.pipe(
  written,
  v.check((it) => parseSizeBytes(it) !== undefined, 'Write a size such as "10GB" or "512MiB", or a number of bytes.'),
  v.transform((it) => parseSizeBytes(it) ?? 0),
);

const age = v.pipe(
  written,
  v.check(
    (it) => parseDurationMs(it) !== undefined,
    'Write a duration such as "30d" or "12h", or a number of milliseconds.',
  ),
  v.transform((it) => parseDurationMs(it) ?? 0),
);

const schema = v.pipe(
  v.optional(
    v.strictObject({
      dir: v.optional(
        v.pipe(
          v.string(),
          v.nonEmpty("Name a directory."),
          v.description(
            "Directory of the local cache, relative to the workspace's root. Default: .kahn/cache of the main worktree.",
          ),
        ),
      ),
      maxSize: v.optional(
        v.pipe(
          size,
          v.description(
            "Largest size of the local cache. What was not used for the longest time goes first. Default: 10GB.",
          ),
        ),
      ),
      maxAge: v.optional(v.pipe(age, v.description("What nothing has used for this long is removed. Default: 30d."))),
      digest: v.optional(
        v.pipe(
          v.picklist(["sha256"], "only sha256 is built so far"),
          v.description("Digest function of all keys and blobs; only sha256 so far."),
        ),
      ),
      outputMode: v.optional(
        v.pipe(
          v.picklist(["copy", "link"]),
          v.description(
            "copy: outputs are files of their own. link: outputs are read-only hard links into the cache. Default: copy.",
          ),
        ),
      ),
      remote: v.optional(v.pipe(remoteSchema, v.description("A shared cache: its url and mode."))),
    }),
    {},
  ),
  v.transform(
    (it): CacheConfig => ({
      dir: it.dir,
      maxSizeBytes: it.maxSize ?? DEFAULT_MAX_SIZE_BYTES,
      maxAgeMs: it.maxAge ?? DEFAULT_MAX_AGE_MS,
      digest: it.digest ?? "sha256",
      outputMode: it.outputMode ?? "copy",
      remote: it.remote,
    }),
  ),
);

/** The section `cache`. */
export const cacheConfig: ConfigSection<CacheConfig> = {
  key: "cache",
  schema: schema as ConfigSection<CacheConfig>["schema"],
};
