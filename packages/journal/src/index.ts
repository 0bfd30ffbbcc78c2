/** Append-only framed logs with group commit and recovery: the record of every run. */
export type { FileJournalStoreOptions } from "./file-journal-store.ts";
export { fileJournalStore, isJournalId } from "./file-journal-store.ts";
