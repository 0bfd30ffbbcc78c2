/**
 * Assets as they are kept: an address and its qualifiers, and the blob or the tree that they stand for.
 *
 * Invariant: an asset is given out only with its blob, and all that it refers to, in the store; it is older than nobody
 *            accepts and not expired.
 */
import type { Digest, Json, Result } from "@kahn/core";
import { canonicalJson, digestOf, ok } from "@kahn/core";
import type { ServerStore, ServerStoreProblem } from "../../store/server-store.ts";
import type { QualifierMessage } from "./qualifiers.ts";

/** What an asset is found by. */
export interface AssetName {
  readonly kind: "blob" | "directory";
  readonly instance: string;
  readonly uri: string;
  readonly qualifiers: readonly QualifierMessage[];
}

/** One asset. */
export interface Asset {
  readonly digest: Digest;
  readonly storedAtMs: number;
  readonly expiresAtMs: number | undefined;
  /** Blobs that have to be there with it. */
  readonly references: readonly Digest[];
}

/** Keeps assets in a store's named entries, each as a small blob: entries point at blobs of sha256, assets at any. */
export class AssetStore {
  readonly #store: ServerStore;

  constructor(store: ServerStore) {
    this.#store = store;
  }

  /** The asset of a name, whole and touched; `undefined` when there is none. */
  async get(name: AssetName): Promise<Result<Asset | undefined, ServerStoreProblem>> {
    const entry = await this.#store.entries.get(spaceOf(name), nameOf(name));
    if (!entry.ok) return entry;
    const bytes = entry.value === undefined ? ok(undefined) : await this.#store.blobs.read(entry.value.digest);
    if (!bytes.ok) return bytes;
    const asset = bytes.value && decodeAsset(bytes.value);
    if (asset === undefined) return ok(undefined);
    const missing = await this.#store.blobs.findMissing([asset.digest, ...asset.references]);
    return missing.ok ? ok(missing.value.length === 0 ? asset : undefined) : missing;
  }

  /** Keeps an asset, in place of an older one of its name. Its blob must be there. */
  async put(name: AssetName, asset: Asset): Promise<Result<void, ServerStoreProblem>> {
    const bytes = Buffer.from(canonicalJson(asset as unknown as Json));
    const digest = digestOf(bytes);
    const written = await this.#store.blobs.write(digest, bytes);
    if (!written.ok) return written;
    const put = await this.#store.entries.put(spaceOf(name), nameOf(name), { digest, facts: {} });
    return put.ok ? ok(undefined) : put;
  }
}

/** A record that this module wrote, whole as the store gives nothing else; `undefined` if a later version wrote it otherwise. */
function decodeAsset(bytes: Uint8Array): Asset | undefined {
  const record = JSON.parse(Buffer.from(bytes).toString()) as Partial<Asset>;
  const { digest, storedAtMs, expiresAtMs, references } = record;
  if (typeof digest !== "string" || typeof storedAtMs !== "number" || !Array.isArray(references)) return undefined;
  return { digest, storedAtMs, expiresAtMs, references };
}

function spaceOf({ kind }: AssetName): string {
  return `asset-${kind}`;
}

function nameOf({ instance, uri, qualifiers }: AssetName): string {
  return canonicalJson([instance, uri, ...qualifiers.map(({ name, value }) => [name, value])]);
}
