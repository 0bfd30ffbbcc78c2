/** What file states are opened with. */
import type { Clock, FileSystem, NativeDigestFunction } from "@kahn/core";

/** What the states stand on. */
export interface FileStatesOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** Absolute path of the index file; its directory is made when something is first written. */
  readonly indexPath: string;
  /** Absolute path of the work tree. */
  readonly workspaceRoot: string;
  /** Function of the digests; default SHA-256. */
  readonly digestFunction?: NativeDigestFunction;
  /**
   * Changes whenever the machine starts anew: what an index of another boot says of files that may not have been
   * flushed is doubted (see trust.ts). Without it power losses are not thought of.
   */
  readonly bootId?: string;
}
