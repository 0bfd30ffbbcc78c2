/**
 * Which caches a run uses, and how: `--cache`, the server that is meant, the configuration, in this order.
 *
 * Owns: the reading of the option, and what counts where several say something.
 */
import type { CacheConfig, RemoteConfig } from "@kahn/cas";
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import { type ServerOption, serverMeant } from "../remote/server-choice.ts";

/** What may be done with a cache. */
export type CacheMode = "rw" | "r" | "off";

/** What `--cache` says; what it leaves out is as configured. */
export interface CacheOption {
  readonly local?: CacheMode;
  readonly remote?: CacheMode;
}

/** The caches of a run. */
export interface CacheChoice {
  readonly local: CacheMode;
  readonly remote: CacheMode;
  /** Left out when none is configured; `remote` is then `off`. */
  readonly server?: RemoteConfig;
}

/** Why no cache is asked, where nobody said `--force`. */
export const NONE_TO_READ = "--cache has none to read";

const MODES: readonly string[] = ["rw", "r", "off"] satisfies CacheMode[];
const NEXT = "Write local:MODE, remote:MODE or both with a comma between; MODE is rw, r or off.";

/** Reads `local:rw,remote:r`. */
export function parseCacheOption(text: string): Result<CacheOption, Problem<"option-value">> {
  const option: { local?: CacheMode; remote?: CacheMode } = {};
  for (const part of text.split(",")) {
    const [where = "", mode = ""] = part.split(":", 2).map((each) => each.trim());
    const isKnown = (where === "local" || where === "remote") && MODES.includes(mode) && part.split(":").length === 2;
    if (!isKnown) return err(problem("option-value", `--cache cannot be "${text}"`, { next: NEXT }));
    option[where as "local" | "remote"] = mode as CacheMode;
  }
  return ok(option);
}

/** The problem of a run that is to be executed by a server, and there is none. */
export function execUnset(): Problem<"remote-exec-unset"> {
  return problem("remote-exec-unset", "--remote-exec needs a server, and none is configured", {
    next: "Name one: cache.remote.url in kahn.jsonc, or KAHN_REMOTE_URL.",
  });
}

/** What a run's caches are decided by. */
export interface CacheChoiceFrom {
  readonly option: CacheOption | undefined;
  readonly config: CacheConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A server that is named for this once is asked, whatever mode is configured. */
  readonly named?: ServerOption | undefined;
}

/** Decides. `remote-cache-unset`: a remote cache is asked for by option, and none is configured. */
export function cacheChoice({ option, config, env, named }: CacheChoiceFrom): Result<CacheChoice, Problem> {
  const server = serverMeant({ config, env, option: named });
  const local = option?.local ?? "rw";
  if (server === undefined) {
    if (option?.remote === undefined || option.remote === "off") return ok({ local, remote: "off" });
    return err(
      problem("remote-cache-unset", "--cache asks for a remote cache, and none is configured", {
        next: "Name one: cache.remote.url in kahn.jsonc, or KAHN_REMOTE_URL.",
      }),
    );
  }
  const mode = named?.url === undefined || server.mode !== "off" ? server.mode : "r";
  return ok({ local, remote: option?.remote ?? mode, server });
}
