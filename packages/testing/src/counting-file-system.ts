/** A file system that remembers what it was asked, for assertions such as "one lstat per input and no read". */
import type { FileSystem } from "@kahn/core";
import type { FileSystemCall, FileSystemOperation } from "./intercepted-file-system.ts";
import { interceptFileSystem } from "./intercepted-file-system.ts";

/** A file system with a memory of calls. */
export interface CountingFileSystem extends FileSystem {
  /** All calls so far, in order; batches taken apart, so that each names one path. */
  readonly calls: readonly FileSystemCall[];
  /** How many calls of an operation there were, for all paths or for one. */
  count(operation: FileSystemOperation, path?: string): number;
  /** The paths an operation was called for, in order, repeated as often as it was. */
  pathsOf(operation: FileSystemOperation): string[];
  /** Forgets the calls so far. */
  reset(): void;
}

/** Counts the calls to a file system. */
export function countingFileSystem(fs: FileSystem): CountingFileSystem {
  const calls: FileSystemCall[] = [];
  const gated = interceptFileSystem(fs, (call, perform) => {
    calls.push(call);
    return perform();
  });
  const pathsOf = (operation: FileSystemOperation) =>
    calls.filter((call) => call.operation === operation).map((call) => call.path);
  return {
    ...gated,
    calls,
    pathsOf,
    count: (operation, path) => pathsOf(operation).filter((each) => path === undefined || each === path).length,
    reset: () => void calls.splice(0),
  };
}
