/**
 * Looks for results here and on a server, as a run would, and takes nothing over.
 *
 * Invariant: a hit of the server is one whose blobs are all here or there; the first trouble with it is told, and then it
 *            is asked no more.
 */
import { type DiskStore, missingBlobs, type RemoteConfig } from "@kahn/cas";
import type { ActionCache, BlobStore, CacheLookup, Digest, Problem, Result, StoreProblem } from "@kahn/core";
import { ok, randomHex, warning } from "@kahn/core";
import { Lanes, openClient, type RemoteClient } from "@kahn/remote/client";
import type { WorkspaceSession } from "../workspace-session.ts";
import { clientOptions } from "./client.ts";

/** What is asked. */
export interface LookupPlace {
  readonly server: RemoteConfig;
  /** Asked first; left out by a run that does not read it. */
  readonly local: Pick<DiskStore, "blobs" | "actions"> | undefined;
  readonly onWarning: (problem: Problem<"cache-tier-down">) => void;
}

/** Look-ups under way at once: no more than these are spent on a server that is in trouble. */
const AT_ONCE_MAX = 16;

const NO_ENTRY: CacheLookup = { kind: "miss", reason: "no-entry" };

/** Opens it; connects at the first result that is not here. Close it. */
export function openRemoteLookup(
  { ports, model, host }: WorkspaceSession,
  place: LookupPlace,
): Result<Pick<ActionCache, "lookup"> & { close(): void }, Problem> {
  const run = `look-${randomHex(ports.random, 8)}`;
  const options = clientOptions({ ports, root: model.root, env: host.env }, { server: place.server, run });
  if (!options.ok) return options;
  const client = openClient(options.value);
  if (!client.ok) return client;
  const there = new ServerLookup(client.value, place);
  return ok({
    lookup: async (action) => {
      const here = await place.local?.actions.lookup(action);
      if (here !== undefined && (!here.ok || here.value.kind === "hit")) return here;
      return ok((await there.lookup(action)) ?? here?.value ?? NO_ENTRY);
    },
    close: () => client.value.close(),
  });
}

class ServerLookup {
  readonly #tier: RemoteClient["tier"];
  readonly #place: LookupPlace;
  readonly #lanes = new Lanes(AT_ONCE_MAX);
  #isDown = false;

  constructor({ tier }: RemoteClient, place: LookupPlace) {
    this.#tier = tier;
    this.#place = place;
  }

  /** `undefined`: it has nothing, or cannot be asked. */
  lookup(action: Digest): Promise<CacheLookup | undefined> {
    return this.#lanes.run(() => this.#lookup(action));
  }

  async #lookup(action: Digest): Promise<CacheLookup | undefined> {
    const found = await this.#ask(() => this.#tier.actions.lookup(action));
    if (found?.kind !== "hit") return undefined;
    const missing = await this.#ask(() => missingBlobs(this.#blobs, found.result));
    if (missing === undefined) return undefined;
    if (missing.length > 0) return { kind: "miss", reason: "incomplete", missing };
    return { ...found, from: this.#tier.name };
  }

  readonly #blobs: Pick<BlobStore, "read" | "findMissing"> = {
    read: async (digest) => {
      const here = await this.#place.local?.blobs.read(digest);
      return here?.ok === true && here.value !== undefined ? here : this.#tier.blobs.read(digest);
    },
    findMissing: async (digests) => {
      const here = await this.#place.local?.blobs.findMissing(digests);
      const left = here?.ok === true ? here.value : digests;
      return left.length === 0 ? ok([]) : this.#tier.blobs.findMissing(left);
    },
  };

  async #ask<T>(question: () => Promise<Result<T, StoreProblem>>): Promise<T | undefined> {
    if (this.#isDown) return undefined;
    const answer = await question();
    if (answer.ok) return answer.value;
    const { next = "Check its address and your network." } = answer.problem;
    if (!this.#isDown) {
      this.#isDown = true;
      const what = `cache "${this.#tier.name}" has trouble; going on without it`;
      this.#place.onWarning(warning("cache-tier-down", what, { cause: answer.problem, next }));
    }
    return undefined;
  }
}
