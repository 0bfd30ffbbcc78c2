/**
 * What a server reads from the files that its configuration names: who may come, and the certificates it shows.
 *
 * Owns:      what of it a running server takes over anew, and what waits for its next start.
 * Invariant: material is whole: a file that is not right is a problem, and then nothing of any file is used.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ServerAccess } from "../../access/open-access.ts";
import { openAccess, readText } from "../../access/open-access.ts";
import { wholeSettings } from "../../operation/server-config.ts";
import type { ServerConfig } from "../../operation/server-settings.ts";
import type { PortTls } from "../../port/index.ts";
import { checkTls } from "../../port/index.ts";
import type { ServerPorts } from "../ports.ts";
import { readableProblems } from "./readable.ts";

/** Read and checked. */
export interface ServerMaterial {
  readonly access: ServerAccess;
  /** `undefined` for a server without TLS. */
  readonly tls: PortTls | undefined;
}

type MaterialPorts = Pick<ServerPorts, "fs" | "clock" | "resolvePath" | "checkPassword">;

/**
 * Reads the files.
 *
 * @returns or every problem: `serve-open-to-network`, `serve-file-unreadable`, `serve-htpasswd-invalid`,
 *          `serve-jwks-invalid`, `serve-signing-key-invalid`, `tls-material-invalid`, `serve-readable-refused`.
 */
export function readMaterial(config: ServerConfig, ports: MaterialPorts): Result<ServerMaterial, readonly Problem[]> {
  const tls = readTls(config, ports);
  const access = openAccess({
    settings: config.access,
    clientCertificate: config.tls?.clientCertificate ?? "none",
    isEncrypted: config.tls !== undefined,
    addresses: config.listen,
    fs: ports.fs,
    clock: ports.clock,
    resolvePath: ports.resolvePath,
    checkPassword: ports.checkPassword,
  });
  const readable = readableProblems(config, ports);
  const problems = [...(tls.ok ? [] : tls.problem), ...(access.ok ? [] : access.problem), ...readable];
  return tls.ok && access.ok && readable.length === 0 ? ok({ tls: tls.value, access: access.value }) : err(problems);
}

/** Settings, by their keys or the sections they are in, that a running server takes over. */
const LIVE: readonly string[] = [
  ...["anonymous", "insecure", "tokens", "htpasswd", "issuers", "rules", "quotas"].map((key) => `access.${key}`),
  ...["certificate", "key", "clientAuthorities"].map((key) => `tls.${key}`),
];

/** Keys of settings that differ, and that a running server does not take over. Lists count as a whole. */
export function settingsForRestart(running: ServerConfig, next: ServerConfig): readonly string[] {
  if ((running.tls === undefined) !== (next.tls === undefined)) return ["tls", ...unlike(running, next, ["tls."])];
  return unlike(running, next, []);
}

function unlike(running: ServerConfig, next: ServerConfig, but: readonly string[]): readonly string[] {
  return wholeSettings()
    .map(({ key }) => key)
    .filter((key) => !LIVE.includes(key) && !but.some((prefix) => key.startsWith(prefix)))
    .filter((key) => JSON.stringify(valueAt(running, key)) !== JSON.stringify(valueAt(next, key)));
}

function valueAt(config: ServerConfig, key: string): unknown {
  let at: unknown = config;
  for (const part of key.split(".")) at = (at as Record<string, unknown> | undefined)?.[part];
  return at;
}

function readTls({ tls }: ServerConfig, ports: MaterialPorts): Result<PortTls | undefined, readonly Problem[]> {
  if (tls === undefined) return ok(undefined);
  const problems: Problem[] = [];
  const certificate = readText(ports, tls.certificate, problems);
  const key = readText(ports, tls.key, problems);
  const { clientAuthorities, clientCertificate } = tls;
  const authorities = clientAuthorities === undefined ? undefined : readText(ports, clientAuthorities, problems);
  if (certificate === undefined || key === undefined || problems.length > 0) return err(problems);
  const read = { certificate, key, clientCertificate };
  const material = authorities === undefined ? read : { ...read, clientAuthorities: authorities };
  const checked = checkTls(material);
  return checked.ok ? ok(material) : err([checked.problem]);
}
