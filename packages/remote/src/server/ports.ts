/** What a server is given by whoever starts it. */
import type { Liveness, ProcessOwner } from "@kahn/cas";
import type { Clock, FileSystem, PieceHashers, Problem, ProcessRunner, Random, Result } from "@kahn/core";
import type { PasswordCheck } from "../access/password-hash.ts";
import type { LineSink } from "../operation/access-log.ts";
import type { PostJson } from "../operation/traces.ts";
import type { OriginPort, Zstd } from "../reapi/index.ts";
import type { ServerStore } from "../store/server-store.ts";

/** A lock that is held. */
export interface FolderLock {
  release(): void;
}

/** The world as a server sees it. */
export interface ServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly fs: FileSystem;
  /** Makes a path of the configuration absolute: from the folder of its file, or from where the server was started. */
  readonly resolvePath: (path: string) => string;
  /** Of this program, for `/status`. */
  readonly version: string;
  /** This process, and whether others live; for the store's locks. */
  readonly owner: ProcessOwner;
  readonly livenessOf: Liveness;
  /** Locks a folder that is there against other servers; `lock-held` says who has it. Default: nobody is kept out. */
  readonly lock?: (folder: string) => Promise<Result<FolderLock, Problem>>;
  /** Starts actions; a server without it only caches. Best one that forks from a small process. */
  readonly processes?: ProcessRunner;
  /** How many actions run at once where the configuration leaves it to the machine. */
  readonly processors?: number;
  /** Checks passwords of `access.htpasswd`. Best one that leaves this thread alone, which is the default. */
  readonly checkPassword?: PasswordCheck;
  /** Hash large uploads beside this thread, and lend memory for them; without them this thread does. */
  readonly hashers?: PieceHashers;
  /** Default: Node's own, else WebAssembly. */
  readonly zstd?: Zstd;
  /** Fetches assets from their origins. */
  readonly origins?: OriginPort;
  /** Sends traces. */
  readonly post?: PostJson;
  /** Where `telemetry.accessLog: "-"` goes. */
  readonly print?: LineSink;
  /** Told of what nobody waits for: bugs (`serve-fault`), trouble while running. */
  readonly report?: (problem: Problem) => void;
  /** Instead of the store in the configuration's folder; the server closes it. */
  readonly store?: ServerStore;
}
