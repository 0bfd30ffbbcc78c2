/**
 * Where one action is looked for: a server, and the local cache of the workspace, if there is one.
 *
 * Owns: the order in which they are asked, and what is said when none has it.
 */
import type { DiskStore } from "@kahn/cas";
import {
  type ActionResult,
  type BlobStore,
  type Digest,
  type DigestFunction,
  digestHash,
  digestOfParts,
  err,
  ok,
  type Problem,
  problem,
  type Result,
  randomHex,
} from "@kahn/core";
import { openClient, type RemoteClient } from "@kahn/remote/client";
import { findActionDigests, readStoredAction, type StoredAction } from "@kahn/remote/look";
import type { ParsedArguments } from "../../cli/arguments.ts";
import type { Host } from "../../cli/host.ts";
import { cacheSection } from "../cache-limits.ts";
import { clientOptions } from "../remote/client.ts";
import { lastRanThere } from "../remote/ran-there.ts";
import { serverMeant, serverOption } from "../remote/server-choice.ts";
import { type SystemPorts, systemPorts } from "../system-ports.ts";
import { openSession, type WorkspaceSession } from "../workspace-session.ts";
import type { ActionName } from "./name.ts";

/** Opens what the options name. @param fn of the digests that are looked for. */
export async function openActionPlace(
  host: Host,
  given: ParsedArguments,
  fn: DigestFunction,
): Promise<Result<ActionPlace, readonly Problem[]>> {
  const opened = await openSession(host);
  const section = opened.ok ? cacheSection(opened.value.model) : undefined;
  const server = serverMeant({ config: section, env: host.env, option: serverOption(given) });
  // A server can be asked from anywhere, and whatever is wrong with the workspace.
  if (!opened.ok && server === undefined) {
    return err(opened.problem.every(({ code }) => code === "workspace-not-found") ? [unset()] : opened.problem);
  }
  const session = opened.ok ? opened.value : undefined;
  const ports = session?.ports ?? systemPorts(host);
  if (server === undefined) return ok(new ActionPlace({ ports, session, client: undefined }));
  const root = session?.model.root ?? host.directory;
  const run = `look-${randomHex(ports.random, 8)}`;
  const options = clientOptions({ ports, root, env: host.env }, { server, run });
  if (!options.ok) return err([options.problem]);
  const client = openClient({ ...options.value, digestFunction: fn });
  return client.ok ? ok(new ActionPlace({ ports, session, client: client.value })) : err([client.problem]);
}

interface PlaceParts {
  readonly ports: SystemPorts;
  readonly session: WorkspaceSession | undefined;
  readonly client: RemoteClient | undefined;
}

/** Stores that may have an action. Close it. */
export class ActionPlace {
  readonly ports: SystemPorts;
  readonly client: RemoteClient | undefined;
  /** For messages. */
  readonly name: string;
  readonly #session: WorkspaceSession | undefined;

  constructor({ ports, session, client }: PlaceParts) {
    this.ports = ports;
    this.client = client;
    this.#session = session;
    const names = [client?.tier.name, session === undefined ? undefined : "the local cache"];
    this.name = names.filter((name) => name !== undefined).join(" and ");
  }

  /** The local cache, which is asked first. */
  get local(): Pick<DiskStore, "blobs" | "actions"> | undefined {
    return this.#session?.store;
  }

  /** A small blob of whoever has it. */
  readonly blobs: Pick<BlobStore, "read"> = {
    read: async (digest) => {
      const here = await this.local?.blobs.read(digest);
      if (here?.ok === true && here.value !== undefined) return here;
      return (await this.client?.tier.blobs.read(digest)) ?? here ?? ok(undefined);
    },
  };

  /**
   * The action of a name, whose size is found out if it was not given. The key of a task that a server ran means the action
   * that ran there.
   */
  async find(name: ActionName): Promise<Result<StoredAction, Problem>> {
    const named = await this.#named(name);
    if (named.ok) return named;
    const own = this.#ranAs(name);
    return own === undefined ? named : await this.#stored(own);
  }

  async #named(name: ActionName): Promise<Result<StoredAction, Problem>> {
    const digest = await this.#digestOf(name);
    return digest.ok ? await this.#stored(digest.value) : digest;
  }

  async #stored(digest: Digest): Promise<Result<StoredAction, Problem>> {
    const action = await readStoredAction(this.blobs, digest);
    if (!action.ok) return action;
    if (action.value !== undefined) return ok(action.value);
    const recorded = await this.recorded(digest);
    return err(recorded === undefined ? unknown(digest, this.name) : notExecutable(digest));
  }

  /** The result that is recorded for an action; trouble counts as none. */
  async recorded(action: Digest): Promise<ActionResult | undefined> {
    for (const store of [this.client?.tier, this.local]) {
      const found = await store?.actions.lookup(action);
      if (found?.ok === true && found.value.kind === "hit") return found.value.result;
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.client?.close();
  }

  #ranAs({ fn, hash }: ActionName): Digest | undefined {
    if (fn !== "sha256" || this.#session === undefined) return undefined;
    const isMeant = (_: string, { action }: { readonly action?: Digest }) =>
      action !== undefined && digestHash(action) === hash;
    return lastRanThere(this.#session.journals, isMeant)?.action;
  }

  async #digestOf({ text, fn, hash, sizeBytes }: ActionName): Promise<Result<Digest, Problem>> {
    const whole = sizeBytes === undefined ? undefined : digestOfParts(fn, hash, sizeBytes);
    if (whole !== undefined) return ok(whole);
    const server = this.client?.server;
    const found = server === undefined ? ok([]) : await findActionDigests(server, fn, hash);
    if (!found.ok) return found;
    const [only, ...others] = found.value;
    if (only !== undefined && others.length === 0) return ok(only);
    const why = only === undefined ? `${this.name} knows no action of this hash` : `${this.name} compares no sizes`;
    const next = `Write it with its size, as the client's log has it: ${text}/SIZE.`;
    return err(problem("digest-size-unknown", `the size of ${text} cannot be found out: ${why}`, { next }));
  }
}

function unset(): Problem<"remote-unset"> {
  return problem("remote-unset", "this is no workspace, and no server is named", {
    next: "Name the server: --remote grpc://host:9092, or KAHN_REMOTE_URL.",
  });
}

function unknown(digest: Digest, place: string): Problem<"action-unknown"> {
  const next = "Check the digest, --remote and --instance; it may have been collected.";
  return problem("action-unknown", `${place}: there is no action ${digest}`, { next });
}

function notExecutable(digest: Digest): Problem<"action-not-executable"> {
  const message = `${digest} is the key of a task that runs in its workspace: there is a result, but nothing to run elsewhere`;
  return problem("action-not-executable", message, {
    next: "Run the task with --force, or ask `kahn why TASK`. With --remote-exec tasks have actions of their own.",
  });
}
