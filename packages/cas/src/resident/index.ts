/** The store of a process that lives long and serves others, with an index in memory. */
export type { BlobReader } from "./blob-reader.ts";
export type { BlobReceiver } from "./blob-receiver.ts";
export type { BlobWriter } from "./blob-writer.ts";
export type { WriteDurability } from "./group-commit.ts";
export type { StoredRecord } from "./known-records.ts";
export type { Pin } from "./pins.ts";
export { Pins } from "./pins.ts";
export { ResidentBlobs } from "./resident-blobs.ts";
export type { ResidentProblem } from "./resident-problem.ts";
export type { NamedBlob } from "./resident-records.ts";
export { ResidentRecords } from "./resident-records.ts";
export type { ResidentStore, ResidentStoreOptions, StoreFiles } from "./resident-store.ts";
export { openResidentStore } from "./resident-store.ts";
