/** Content-addressed blobs and action results. */
export type { DiskStore, DiskStoreOptions } from "./disk-store.ts";
export { openDiskStore, STORE_FORMAT } from "./disk-store.ts";
export type { HashEngine } from "./hasher.ts";
export { loadEngine, loadHasher, nativeEngine } from "./hasher.ts";
export type { Liveness, ProcessOwner } from "./process-owner.ts";
