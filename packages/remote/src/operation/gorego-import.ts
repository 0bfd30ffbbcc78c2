/**
 * A goREgo server's `config.yaml` as a configuration of ours.
 *
 * Invariant: every key that was set is either taken over or named in a warning, with what stands for it here.
 */
import type { Problem, Result } from "@kahn/core";
import { closestName, ok, warning } from "@kahn/core";
import type { ConfigDocument, ConfigSource } from "./config-document.ts";
import { parseConfigDocument } from "./config-document.ts";
import { isRecord } from "./setting-kinds.ts";

/** What was made of it. */
export interface ImportedConfig {
  /** YAML for `kahn serve --config`. */
  readonly text: string;
  /** `serve-import-left-out` for each key without a counterpart. */
  readonly warnings: readonly Problem[];
}

type Settings = Record<string, unknown>;

/** Takes a key over, or says why not. */
type Take = (value: unknown, settings: Settings) => string | undefined;

const HERE = "is not needed here";

const KEYS: Readonly<Record<string, Take>> = {
  listen_addr: (value, settings) => put(settings, "listen", value),
  "tls.enabled": () => undefined,
  "tls.cert_file": (value, settings) => put(settings, "tls.certificate", value),
  "tls.key_file": (value, settings) => put(settings, "tls.key", value),
  "tls.ca_file": (value, settings) => put(settings, "tls.clientAuthorities", value),
  "tls.client_auth": (value, settings) => {
    const known = CLIENT_AUTH.get(value);
    if (known === undefined) return "has a value that is unknown";
    put(settings, "tls.clientCertificate", known);
    const isLoose = value === "request" || value === "require";
    return isLoose ? "is taken over as a demand for certificates that are verified" : undefined;
  },
  "local_cache.enabled": (value) => (value === false ? "cannot be false: a server here always has a store" : undefined),
  "local_cache.dir": (value, settings) => put(settings, "dir", value),
  "local_cache.max_size_gb": (value, settings) => put(settings, "store.maxSize", `${String(value)}GiB`),
  force_update_atime: () => `${HERE}: use is recorded without the file system's times`,
  log_level: (value, settings) =>
    value === "debug" || value === "info" ? put(settings, "telemetry.accessLog", "-") : undefined,
  "backing_cache.target": (value, settings) => put(settings, "backing.url", withScheme(String(value))),
  "backing_cache.compression": () => `${HERE}: both sides agree on it`,
  "backing_cache.put_retry_count": () => `${HERE}: what cannot be sent is tried again`,
  "backing_cache.tls.enabled": () => undefined,
  "backing_cache.tls.ca_file": (value, settings) => put(settings, "backing.authorities", value),
  "execution.enabled": (value, settings) => put(settings, "execution.enabled", value),
  "execution.concurrency": (value, settings) => put(settings, "execution.slots", value),
  "execution.queue_size": (value, settings) => put(settings, "execution.queueMax", value),
  "execution.build_root": () => "has no counterpart: actions run in the folder `work` of `dir`",
  "sandbox.enabled": (value, settings) => put(settings, "execution.sandbox", value === true ? "enforce" : "off"),
  "sandbox.network_isolation": (value, settings) => put(settings, "execution.network", value === false),
  "sandbox.binary_path": () => `${HERE}: the sandbox is bubblewrap`,
  "sandbox.writable_paths": () => "has no counterpart: actions write their outputs and /tmp",
  "sandbox.kill_delay": () => HERE,
  "telemetry.metrics_addr": (_value, settings) => {
    put(settings, "telemetry.openMetrics", true);
    return "has no counterpart: /metrics is on the port of the server";
  },
  "telemetry.tracing_endpoint": () => "has no counterpart: set telemetry.traces to the collector's address for HTTP",
};

const CLIENT_AUTH: ReadonlyMap<unknown, string> = new Map([
  ["none", "none"],
  ["request", "verify-if-given"],
  ["verify_if_given", "verify-if-given"],
  ["require", "require"],
  ["require_and_verify", "require"],
]);

/** Keys under which everything is left out alike. */
const GROUPS: readonly (readonly [prefix: string, why: string])[] = [
  ["backing_cache.tls.", "has no counterpart: a server shows the one behind it a token (backing.tokenFile)"],
  ["cluster.", "has no counterpart: a server here is one node"],
  ["telemetry.", "has no counterpart"],
];

/** Translates. @returns `serve-config-syntax` for a file that is no YAML. */
export async function importGoregoConfig(source: ConfigSource): Promise<Result<ImportedConfig, readonly Problem[]>> {
  const parsed = await parseConfigDocument(source);
  if (!parsed.ok) return parsed;
  const document = parsed.value;
  const settings: Settings = {};
  const warnings: Problem[] = [];
  const written = leaves(document.value);
  const isOn = (name: string) => written.some(([path, value]) => path.join(".") === name && value === true);
  const isEncrypted = isOn("tls.enabled");
  for (const [path, value] of written) {
    const key = path.join(".").replace(/^execution\.sandbox\./, "sandbox.");
    const isIdle = key.startsWith("tls.") && key !== "tls.enabled" && !isEncrypted;
    const why = isIdle ? "counts for nothing, since tls.enabled is not true" : takeKey(key, value, settings);
    if (why !== undefined) warnings.push(leftOut(document, path, why));
  }
  const { backing } = settings as { backing?: { url?: string } };
  if (isOn("backing_cache.tls.enabled") && backing?.url !== undefined) {
    backing.url = backing.url.replace(/^grpc:/, "grpcs:");
  }
  if (!written.some(([path]) => path[0] === "listen_addr")) put(settings, "listen", ":50051");
  const { stringify } = await import("yaml");
  const hasClients = isRecord(settings.tls) && settings.tls.clientCertificate === "require";
  const head = hasClients ? HEAD : `${HEAD}${OPEN}`;
  return ok({ text: `${head}${stringify(settings)}`, warnings });
}

const HEAD = "# Made from a configuration of goREgo.\n";
const OPEN = `# goREgo asks nobody who they are. A server here does not start like that on an address that others reach:
# set up access.tokens (\`kahn serve-token\` makes one), or access.insecure on a network that you trust wholly.
`;

function takeKey(key: string, value: unknown, settings: Settings): string | undefined {
  if (Object.hasOwn(KEYS, key)) return KEYS[key]!(value, settings);
  const group = GROUPS.find(([prefix]) => key.startsWith(prefix));
  if (group !== undefined) return group[1];
  const closest = closestName(key, Object.keys(KEYS));
  return closest === undefined ? "is no key of goREgo" : `is no key of goREgo; ${closest} is`;
}

function leftOut(document: ConfigDocument, path: readonly string[], why: string): Problem {
  const where = document.placeOf(path);
  const next = "Look whether it is missed.";
  return warning("serve-import-left-out", `${path.join(".")} ${why}`, { where, next });
}

function leaves(value: unknown, path: readonly string[] = []): readonly (readonly [readonly string[], unknown])[] {
  if (!isRecord(value)) return path.length === 0 ? [] : [[path, value]];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]));
}

function put(settings: Settings, key: string, value: unknown): undefined {
  const path = key.split(".");
  let at = settings;
  for (const part of path.slice(0, -1)) {
    at[part] ??= {};
    at = at[part] as Settings;
  }
  at[path.at(-1)!] = value;
}

function withScheme(target: string): string {
  return target.includes("://") ? target : `grpc://${target}`;
}
