/** The cache behind a server, of its configuration. */
import type { ActionCache, FileSystem, Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import { readText } from "../access/open-access.ts";
import type { RemoteClient } from "../client/index.ts";
import { checkAddress, openClient } from "../client/index.ts";
import type { ServerConfig } from "../operation/server-settings.ts";
import type { BackedStore } from "../store/backed-store.ts";
import { backedStore } from "../store/backed-store.ts";
import type { BackingCache } from "../store/backing-cache.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { ServerPorts } from "./ports.ts";

/** Connections are one for each instance; results of further ones are not looked for behind. */
const INSTANCES_MAX = 64;

/**
 * Puts the cache that is configured behind the store; `undefined` when none is.
 *
 * @returns `serve-backing-unavailable` for an address that is none or a folder that cannot be made, `serve-file-unreadable` for its token or its authorities.
 */
export function openBacking(
  { backing, dir }: ServerConfig,
  ports: ServerPorts,
  store: ServerStore,
): Result<BackedStore | undefined, readonly Problem[]> {
  if (backing === undefined) return ok(undefined);
  const { fs, clock, random, resolvePath, report = () => {} } = ports;
  const problems: Problem[] = [];
  const token = backing.tokenFile === undefined ? undefined : readText(ports, backing.tokenFile, problems)?.trim();
  const { authorities } = backing;
  const trusted = authorities === undefined ? undefined : readText(ports, authorities, problems);
  const tls = trusted === undefined ? {} : { tls: { authorities: trusted } };
  const headers: Readonly<Record<string, string>> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const open = (instance: string) => openClient({ url: backing.url, fs, clock, random, instance, headers, ...tls });
  const base = open(backing.instance);
  if (!base.ok) problems.push(unavailable(backing.url, base.problem));
  if (!base.ok || problems.length > 0) return err(problems);
  const folder = `${resolvePath(dir)}/backing`;
  const made = emptyFolder(fs, folder);
  if (!made.ok) {
    base.value.close();
    return err([made.problem]);
  }
  return ok(
    backedStore({
      ...{ store, clock, random, folder, report, write: backing.write, keep: backing.keep },
      backing: new Backing(base.value, (instance) => {
        const client = open(backing.instance === "" ? instance : `${backing.instance}/${instance}`);
        return client.ok ? client.value : undefined;
      }),
      remove: (path) => void fs.remove(path),
    }),
  );
}

/** What `openBacking` would refuse, without opening anything. */
export function backingProblems(
  { backing }: Pick<ServerConfig, "backing">,
  ports: Pick<ServerPorts, "fs" | "resolvePath">,
): readonly Problem[] {
  if (backing === undefined) return [];
  const problems: Problem[] = [];
  for (const file of [backing.tokenFile, backing.authorities]) {
    if (file !== undefined) readText(ports, file, problems);
  }
  const address = checkAddress(backing.url);
  return address === undefined ? problems : [...problems, unavailable(backing.url, address)];
}

function unavailable(url: string, cause: Problem): Problem {
  const next = "Correct backing.url.";
  return problem("serve-backing-unavailable", `the cache behind, ${url}, cannot be used`, { next, cause });
}

/** For blobs on their way. A server that was killed left its own: they belong to nobody, for this one has the folder's lock. */
function emptyFolder(fs: FileSystem, folder: string): Result<void, Problem> {
  try {
    fs.removeTree(folder);
    fs.makeDirectory(folder);
    return ok(undefined);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    const next = "Give this user the right to make and remove folders there, or choose another folder (--dir).";
    return err(problem("serve-backing-unavailable", `${folder} cannot be made anew (${error.code})`, { next }));
  }
}

/** One client for blobs and the empty instance, and one for the results of each other instance. */
class Backing implements BackingCache {
  /** What clients of ours ask for. */
  readonly digestFunction = "sha256";
  readonly #base: RemoteClient;
  readonly #open: (instance: string) => RemoteClient | undefined;
  readonly #clients = new Map<string, RemoteClient>();

  constructor(base: RemoteClient, open: (instance: string) => RemoteClient | undefined) {
    this.#base = base;
    this.#open = open;
  }

  get blobs() {
    return this.#base.tier.blobs;
  }

  actionsOf(instance: string): ActionCache | undefined {
    if (instance === "") return this.#base.tier.actions;
    const known = this.#clients.get(instance);
    if (known !== undefined) return known.tier.actions;
    // Plain HTTP has no instances: what is not the same must not become it.
    if (this.#base.server === undefined || this.#clients.size >= INSTANCES_MAX) return undefined;
    const client = this.#open(instance);
    if (client !== undefined) this.#clients.set(instance, client);
    return client?.tier.actions;
  }

  close(): void {
    for (const client of [this.#base, ...this.#clients.values()]) client.close();
  }
}
