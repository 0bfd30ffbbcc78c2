/**
 * Assets that are fetched from their origins, once for all who ask at the same time, and unpacked where a tree is wanted.
 *
 * Invariant: a fetch goes on for a minute when those who asked have gone, for they may come back; a few are under way at
 *            once; bytes are verified against the checksums before anything is kept.
 */

import type { Clock, Digest, DigestFunction, Result } from "@kahn/core";
import { digestFunction, ok } from "@kahn/core";
import type { ServerStore, ServerStoreProblem } from "../../store/server-store.ts";
import type { ReapiLimits } from "../requests/service-context.ts";
import { SharedWork } from "../requests/shared-work.ts";
import type { Zstd } from "../wire/zstd-port.ts";
import { archiveKind } from "./archives/archive-kind.ts";
import { unpackArchive } from "./archives/unpack-archive.ts";
import type { UnpackTrouble } from "./archives/unpack-trouble.ts";
import type { OriginOutcome, Origins } from "./origin.ts";
import type { Qualifiers } from "./qualifiers.ts";
import { ChecksumCheck } from "./qualifiers.ts";
import type { Asset, AssetName, AssetStore } from "./store.ts";

/** Fetches under way. */
const FETCHES_MAX = 32;
/** Archives that are unpacked at once, each after its fetch. */
const UNPACKS_MAX = 4;
/** Files, folders and links of one archive. */
const ENTRIES_MAX = 200_000;
/** How long a fetch goes on that nobody waits for. */
const ABANDONED_MS = 60_000;

/** What to fetch. */
export interface AssetFetch {
  readonly instance: string;
  readonly uris: readonly string[];
  readonly qualifiers: Qualifiers;
  readonly fn: DigestFunction;
  readonly timeoutMs: number;
}

/** How old what is stored may be. */
export interface FreshAsset {
  /** When it was stored, at the earliest. */
  readonly oldestMs: number;
}

/** What came of it. */
export type AssetFetchOutcome =
  | { readonly kind: "stored"; readonly uri: string; readonly digest: Digest }
  | { readonly kind: "wrong-checksum"; readonly message: string }
  | UnpackTrouble
  | Exclude<OriginOutcome, { readonly kind: "fetched" }>;

/** What fetching needs. */
export interface AssetFetchesOptions {
  readonly store: ServerStore;
  readonly assets: AssetStore;
  readonly origins: Origins;
  readonly clock: Clock;
  readonly limits: ReapiLimits;
  readonly zstd: Zstd | undefined;
}

/** True when what is fetched may be given to others: it needed no credentials, or its content is known beforehand. */
export function isShareable({ headers, headersOf, checksums }: Qualifiers): boolean {
  return checksums.length > 0 || (Object.keys(headers).length === 0 && headersOf.size === 0);
}

function keyOf({ instance, uris, qualifiers, fn }: AssetFetch): string {
  const { identity, headers, headersOf } = qualifiers;
  return JSON.stringify([instance, uris, identity, headers, [...headersOf], fn]);
}

/** Fetches assets. */
export class AssetFetches {
  readonly #options: AssetFetchesOptions;
  readonly #running: SharedWork<AssetFetchOutcome>;
  readonly #unpacking: SharedWork<AssetFetchOutcome>;

  constructor(options: AssetFetchesOptions) {
    this.#options = options;
    const { clock } = options;
    this.#running = new SharedWork({ clock, atOnceMax: FETCHES_MAX, abandonedMs: ABANDONED_MS });
    this.#unpacking = new SharedWork({ clock, atOnceMax: UNPACKS_MAX, abandonedMs: ABANDONED_MS });
  }

  /** Fetches, or joins the same fetch under way. @throws StatusError CANCELLED when the caller leaves */
  fetch(wanted: AssetFetch, signal: AbortSignal): Promise<AssetFetchOutcome> {
    return this.#running.run(keyOf(wanted), { signal, work: (going) => this.#fetchAny(wanted, going) });
  }

  /**
   * Fetches an archive, unless it is stored, and unpacks it; or joins the same under way. `digest` is that of the root.
   *
   * @param wanted at least one address names an archive; the others are not tried.
   * @throws StatusError CANCELLED when the caller leaves
   */
  fetchTree(wanted: AssetFetch & FreshAsset, signal: AbortSignal): Promise<AssetFetchOutcome> {
    return this.#unpacking.run(keyOf(wanted), { signal, work: (going) => this.#unpack(wanted, going) });
  }

  /** Breaks off what is being fetched. */
  close(): void {
    this.#options.origins.close();
  }

  async #unpack(wanted: AssetFetch & FreshAsset, signal: AbortSignal): Promise<AssetFetchOutcome> {
    const { store, zstd, limits, clock } = this.#options;
    const { identity } = wanted.qualifiers;
    const below = identity.find(({ name }) => name === "directory")?.value ?? "";
    const archive: AssetFetch & FreshAsset = {
      ...wanted,
      uris: wanted.uris.filter((uri) => archiveKind(uri) !== undefined),
      qualifiers: { ...wanted.qualifiers, identity: identity.filter(({ name }) => name !== "directory") },
    };
    const known = await this.#stored(archive);
    const fetched = known ?? (await this.fetch(archive, signal));
    if (fetched.kind !== "stored") return fetched;
    const bytesMax = Math.min(limits.assetMaxBytes, store.status().maxSizeBytes / 4);
    const bounds = { bytesMax, entriesMax: ENTRIES_MAX, timeoutMs: wanted.timeoutMs, signal, clock };
    const kind = archiveKind(fetched.uri)!;
    const request = { archive: fetched.digest, kind, fn: wanted.fn, below, bounds };
    const unpacked = await unpackArchive({ store, zstd }, request);
    if (unpacked.kind !== "unpacked") return unpacked;
    try {
      const { root: digest, written: references } = unpacked;
      const kept = await this.#keep(wanted, fetched.uri, { kind: "directory", digest, references });
      return kept.ok ? { ...fetched, digest } : { kind: "store-failed", problem: kept.problem };
    } finally {
      await unpacked.close();
    }
  }

  /** The archive, if it is here and was not checked for whoever asks with other credentials. */
  async #stored({
    instance,
    uris,
    qualifiers,
    fn,
    oldestMs,
  }: AssetFetch & FreshAsset): Promise<AssetFetchOutcome | undefined> {
    const { assets, clock } = this.#options;
    for (const uri of uris) {
      const found = await assets.get({ kind: "blob", instance, uri, qualifiers: qualifiers.identity });
      if (!found.ok) return { kind: "store-failed", problem: found.problem };
      const asset = found.value;
      if (asset !== undefined && isAcceptable(asset, { fn, oldestMs, nowMs: clock.nowMs() })) {
        return { kind: "stored", uri, digest: asset.digest };
      }
    }
    return undefined;
  }

  /** Tries the addresses in turn. */
  async #fetchAny(wanted: AssetFetch, signal: AbortSignal): Promise<AssetFetchOutcome> {
    let failed: AssetFetchOutcome = { kind: "unreachable", message: "no address was tried" };
    for (const [index, uri] of wanted.uris.entries()) {
      if (signal.aborted) return { kind: "stopped" };
      const outcome = await this.#fetchOne(wanted, { uri, index, signal });
      if (outcome.kind === "stored" || outcome.kind === "store-failed") return outcome;
      // What an origin said is worth more than that another one said nothing.
      if (failed.kind === "unreachable") failed = outcome;
    }
    return failed;
  }

  async #fetchOne(
    wanted: AssetFetch,
    { uri, index, signal }: { readonly uri: string; readonly index: number; readonly signal: AbortSignal },
  ): Promise<AssetFetchOutcome> {
    const { origins, limits, store } = this.#options;
    const { qualifiers, timeoutMs } = wanted;
    const begun = await store.blobs.receive(wanted.fn);
    if (!begun.ok) return { kind: "store-failed", problem: begun.problem };
    const receiver = begun.value;
    const check = new ChecksumCheck(qualifiers.checksums);
    let failure: ServerStoreProblem | undefined;
    const take = async (bytes: Uint8Array): Promise<boolean> => {
      check.update(bytes);
      const written = await receiver.write(bytes);
      if (!written.ok) failure = written.problem;
      return written.ok;
    };
    try {
      const headers = { ...qualifiers.headers, ...qualifiers.headersOf.get(index) };
      const bounds = { maxBytes: limits.assetMaxBytes, timeoutMs, signal };
      const outcome = await origins.fetch({ url: uri, headers, ...bounds, take });
      if (failure !== undefined) return { kind: "store-failed", problem: failure };
      if (outcome.kind !== "fetched") return outcome;
      if (!check.isMet()) {
        return { kind: "wrong-checksum", message: `${uri} has none of the checksums of checksum.sri` };
      }
      const digest = await receiver.commit();
      if (!digest.ok) return { kind: "store-failed", problem: digest.problem };
      const kept = await this.#keep(wanted, uri, { kind: "blob", digest: digest.value, references: [] });
      return kept.ok ? { kind: "stored", uri, digest: digest.value } : { kind: "store-failed", problem: kept.problem };
    } finally {
      receiver.abort();
    }
  }

  async #keep(
    wanted: AssetFetch,
    uri: string,
    { kind, ...asset }: Pick<AssetName, "kind"> & Pick<Asset, "digest" | "references">,
  ): Promise<Result<void, ServerStoreProblem>> {
    const { instance, qualifiers } = wanted;
    if (!isShareable(qualifiers)) return ok(undefined);
    const { assets, clock } = this.#options;
    const name = { kind, instance, uri, qualifiers: qualifiers.identity };
    return await assets.put(name, { ...asset, storedAtMs: clock.nowMs(), expiresAtMs: undefined });
  }
}

/** True for an asset that a request may be answered with. */
export function isAcceptable(
  asset: { readonly digest: Digest; readonly storedAtMs: number; readonly expiresAtMs: number | undefined },
  wanted: { readonly fn: DigestFunction; readonly oldestMs: number; readonly nowMs: number },
): boolean {
  const isAlive = asset.expiresAtMs === undefined || asset.expiresAtMs > wanted.nowMs;
  return isAlive && asset.storedAtMs >= wanted.oldestMs && digestFunction(asset.digest) === wanted.fn;
}
