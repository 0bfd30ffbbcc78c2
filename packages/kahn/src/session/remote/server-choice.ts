/**
 * Which server is meant: `--remote`, `KAHN_REMOTE_URL`, the configuration, in this order.
 *
 * Invariant: headers and certificates of the configuration go to the server it names, or that the environment puts in its
 *            place, and to no other: what `--remote` names may be anybody's.
 */
import type { CacheConfig, RemoteConfig } from "@kahn/cas";
import type { OptionSpec, ParsedArguments } from "../../cli/arguments.ts";

/** The default of `cache.remote.tokenEnv`. */
const TOKEN_VARIABLE = "KAHN_REMOTE_TOKEN";

/** What a command line says of the server. */
export interface ServerOption {
  /** Of `--remote`; `undefined`: as configured. */
  readonly url: string | undefined;
  /** Of `--instance`; `undefined`: as configured. */
  readonly instance: string | undefined;
}

/** What servers are chosen by. */
export interface ServerChoiceFrom {
  /** Left out where there is no workspace. */
  readonly config?: CacheConfig | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Left out by commands that have no such option. */
  readonly option?: ServerOption | undefined;
}

/** Options of every command that asks a server itself. */
export const SERVER_OPTIONS: readonly OptionSpec[] = [
  { name: "remote", value: "URL", help: "the server (default: KAHN_REMOTE_URL, or cache.remote.url of kahn.jsonc)" },
  { name: "instance", value: "NAME", help: "the server's instance (default: as configured, or none)" },
];

/** Reads `--remote` and `--instance`. */
export function serverOption(given: Pick<ParsedArguments, "value">): ServerOption {
  return { url: given.value("remote"), instance: given.value("instance") };
}

/** The server, with all that is configured for it; `undefined` when none is named anywhere. */
export function serverMeant({ config, env, option }: ServerChoiceFrom): RemoteConfig | undefined {
  const known = configuredServer(config?.remote, env);
  const { url = known?.url, instance } = option ?? {};
  if (url === undefined) return undefined;
  const server = url === known?.url ? known : plainServer(url, known?.tokenEnv);
  return instance === undefined ? server : { ...server, instance };
}

function configuredServer(remote: RemoteConfig | undefined, env: ServerChoiceFrom["env"]): RemoteConfig | undefined {
  const url = env.KAHN_REMOTE_URL;
  return url === undefined || url === "" ? remote : { ...plainServer(url), ...remote, url };
}

function plainServer(url: string, tokenEnv = TOKEN_VARIABLE): RemoteConfig {
  return { url, mode: "rw", instance: "", headers: {}, tokenEnv };
}
