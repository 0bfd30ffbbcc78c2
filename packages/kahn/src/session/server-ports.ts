/** The ports of this machine for a server: its processes are started by a small process, for the server's own grows. */
import { lookup } from "node:dns/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Problem } from "@kahn/core";
import { randomHex } from "@kahn/core";
import type { ServerPorts } from "@kahn/remote";
import { passwordThread } from "@kahn/remote";
import { hashThread, livenessOf, ownIdentity, spawnerRunner, tryLock } from "@kahn/system";
import type { SessionHost } from "../cli/host.ts";
import { VERSION } from "../version.ts";
import { bundledFile } from "./bundled-file.ts";
import { systemPorts } from "./system-ports.ts";

/** How long actions of a server that was killed may take to end. */
const ORPHAN_GRACE_MS = 5000;

/** What a server is given. */
export interface ServerPortOptions {
  /** Absolute; paths of the configuration are meant from here. */
  readonly base: string;
  readonly report: (problem: Problem) => void;
}

/** Makes the ports; `close` lets go of the processes. */
export function serverPorts(
  host: SessionHost,
  { base, report }: ServerPortOptions,
): { readonly ports: ServerPorts; close(): Promise<void> } {
  const { fs, clock, random } = systemPorts(host);
  const bundled = (name: string) => bundledFile(fs, name, fileURLToPath(import.meta.url));
  const spawner = bundled("spawner.mjs");
  const checker = bundled("passwords.mjs");
  const passwords = checker === undefined ? undefined : passwordThread(checker);
  const hasher = bundled("hasher.mjs");
  const hashers = hasher === undefined ? undefined : hashThread({ program: hasher, clock, report });
  const guardian = { token: `serve-${randomHex(random, 16)}`, graceMs: ORPHAN_GRACE_MS };
  const processes =
    spawner === undefined ? undefined : spawnerRunner({ clock, guardian, command: [host.nodePath, spawner] });
  const ports: ServerPorts = {
    clock,
    random,
    fs,
    resolvePath: (path) => resolve(base, path),
    version: VERSION,
    owner: ownIdentity(),
    livenessOf,
    lock: (path) => tryLock({ path, clock, owner: { label: "kahn serve", command: "kahn serve" } }),
    processors: host.processorCount,
    print: (lines) => host.stdout.write(lines),
    report,
    origins: {
      fetch: (url, options) => fetch(url, options),
      resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
    },
    post: async (url, body, signal) => {
      const headers = { "content-type": "application/json" };
      return (await fetch(url, { method: "POST", headers, body, signal })).status;
    },
    ...(processes === undefined ? {} : { processes }),
    ...(passwords === undefined ? {} : { checkPassword: passwords.check }),
    ...(hashers === undefined ? {} : { hashers }),
  };
  const close = async (): Promise<void> => {
    await Promise.all([processes?.close(), passwords?.close(), hashers?.close()]);
  };
  return { ports, close };
}
