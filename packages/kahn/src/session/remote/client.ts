/**
 * From the configuration to a client of a server: address, credentials, certificates.
 *
 * Invariant: a secret comes out of the environment or a file, and goes nowhere but to the server.
 */
import type { RemoteConfig } from "@kahn/cas";
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import { type ClientOptions, type RemoteClient, remoteProblem } from "@kahn/remote/client";
import { VERSION } from "../../version.ts";
import type { RemoteAsked } from "../run/store-set.ts";
import type { SystemPorts } from "../system-ports.ts";

/** Where a client is made. */
export interface ClientPlace {
  readonly ports: Pick<SystemPorts, "fs" | "clock" | "random">;
  /** Absolute; paths of certificates start from it. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Why a server cannot run actions. @param otherwise what to do without one. */
export async function executionRefused(
  { server, tier }: RemoteClient,
  otherwise: string,
): Promise<Problem | undefined> {
  const or = `Or ${otherwise.charAt(0).toLowerCase()}${otherwise.slice(1)}.`;
  const next = `${otherwise}, or name a server that executes (\`kahn serve\` does).`;
  if (server === undefined) {
    return problem("remote-exec-unsupported", `${tier.name} is a plain HTTP cache, which runs nothing`, { next });
  }
  const features = await server.features();
  if (!features.ok) {
    const { message, next: mend } = remoteProblem(server, features.problem);
    return problem("remote-exec-unavailable", `it cannot be asked to run anything: ${message}`, {
      next: `${mend} ${or}`,
    });
  }
  switch (features.value.executes) {
    case "yes":
      return undefined;
    case "no":
      return problem("remote-exec-unsupported", `${server.name} does not run actions`, { next });
    case "denied":
      return problem("remote-exec-denied", `${server.name} runs actions, and not for these credentials`, {
        next: `${server.credentials ?? "Check the credentials."} The right \`exec\` is needed (access.rules of \`kahn serve\`). ${or}`,
      });
  }
}

/** From the configuration to what a client is made of. */
export function clientOptions(
  place: ClientPlace,
  { server, run }: Pick<RemoteAsked, "server"> & { readonly run: string },
): Result<ClientOptions, Problem> {
  const { fs, clock, random } = place.ports;
  const headers = headersOf(server, place.env);
  if (!headers.ok) return headers;
  const tls = tlsOf(server, place);
  if (!tls.ok) return tls;
  return ok({
    url: server.url,
    fs,
    clock,
    random,
    instance: server.instance,
    headers: headers.value,
    credentials: credentialsText(server, place.env),
    caller: { tool: "kahn", version: VERSION, invocation: run },
    ...(tls.value === undefined ? {} : { tls: tls.value }),
  });
}

/** What the server is shown, by the names of the settings; empty for nothing. */
export function credentialsShown({ tokenEnv, tls, headers }: RemoteConfig, env: ClientPlace["env"]): string[] {
  const shown: string[] = [];
  const isConfigured = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  if (isConfigured) shown.push("the header of cache.remote.headers");
  else if (env[tokenEnv]) shown.push(`the token in ${tokenEnv}`);
  if (tls?.cert !== undefined) shown.push("the certificate of cache.remote.tls.cert");
  return shown;
}

/** What to do about credentials that will not do. */
function credentialsText(server: RemoteConfig, env: ClientPlace["env"]): string {
  const { tokenEnv } = server;
  const shown = credentialsShown(server, env);
  if (shown.length > 0) return `Check ${shown.join(" and ")}, and what it may do there.`;
  return `No token was sent: put it into ${tokenEnv} (cache.remote.tokenEnv names another variable).`;
}

/** The token, and headers in which `${NAME}` stands for a variable. */
function headersOf(
  { headers, tokenEnv }: RemoteConfig,
  env: Readonly<Record<string, string | undefined>>,
): Result<Readonly<Record<string, string>>, Problem> {
  const all: Record<string, string> = {};
  const token = env[tokenEnv];
  if (token !== undefined && token !== "") all.authorization = `Bearer ${token}`;
  for (const [name, written] of Object.entries(headers)) {
    const absent: string[] = [];
    const value = written.replace(/\$\{(\w+)\}/g, (_, variable: string) => {
      const found = env[variable];
      if (found === undefined) absent.push(variable);
      return found ?? "";
    });
    if (absent.length > 0) {
      return err(
        problem(
          "remote-cache-variable-unset",
          `header "${name}" of cache.remote needs ${absent.join(", ")}, which is not set`,
          {
            next: "Set it, or take the header out of the configuration.",
          },
        ),
      );
    }
    all[name.toLowerCase()] = value;
  }
  return ok(all);
}

function tlsOf({ tls }: RemoteConfig, { ports, root }: ClientPlace): Result<ClientOptions["tls"], Problem> {
  if (tls === undefined) return ok(undefined);
  const read: Record<string, Buffer> = {};
  for (const [member, path] of [
    ["authorities", tls.ca],
    ["certificate", tls.cert],
    ["key", tls.key],
  ] as const) {
    if (path === undefined) continue;
    const absolute = path.startsWith("/") ? path : `${root}/${path}`;
    const bytes = ports.fs.readFile(absolute);
    if (bytes === undefined) {
      const next = "Correct the path, which starts from the workspace's root.";
      return err(
        problem("remote-cache-file-missing", `${absolute}, named by cache.remote.tls, is not there`, { next }),
      );
    }
    read[member] = Buffer.from(bytes);
  }
  return ok({ ...read, ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }) });
}
