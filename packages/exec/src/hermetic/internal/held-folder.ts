/**
 * A folder that somebody else may be changing: each directory of it is opened in the one above it, and links are not
 * followed.
 *
 * Invariant: what is done below a path that `within` gives is done in the folder, or in what was moved out of it since.
 * Method:    a few directories stay open. Those that a call is in are not closed: another one would get their path.
 */
import { type FileSystem, FileSystemError, type HeldDirectory } from "@kahn/core";

/** More than this many stay open only while calls are inside each other. */
const OPEN_MAX = 64;

interface Open {
  readonly directory: HeldDirectory;
  calls: number;
}

/** One such folder. To be closed. */
export class HeldFolder {
  readonly #fs: FileSystem;
  readonly #root: string;
  /** By place; those used longest ago first. */
  readonly #open = new Map<string, Open>();

  /** @param root absolute; nobody else can change what leads to it. */
  constructor(fs: FileSystem, root: string) {
    this.#fs = fs;
    this.#root = root;
  }

  /**
   * Calls with a path of the directory at `place`, which is good until the call returns. One without the right to be
   * read or written gets it, and is tried once more.
   *
   * @param place relative, without `.` and `..`; empty for the folder itself.
   * @returns `undefined` too when there is no such directory. @throws FileSystemError
   */
  within<T>(place: string, call: (path: string) => T): T | undefined {
    const open = this.#find(place);
    return open === undefined ? undefined : this.#in(open, call);
  }

  /** Makes a directory; the one above it is there. @throws FileSystemError when there is something else. */
  make(place: string): void {
    const { parent, name } = splitPlace(place);
    const made = place === "" ? true : this.within(parent, (path) => this.#makeIn(path, name));
    if (made === undefined || this.#find(place) === undefined) throw new FileSystemError("ENOTDIR", "mkdir", place);
  }

  close(): void {
    for (const { directory } of this.#open.values()) directory.close();
    this.#open.clear();
  }

  #makeIn(path: string, name: string): true {
    // It would follow a link that is there.
    if (this.#fs.lstat(`${path}/${name}`) === undefined) this.#fs.makeDirectory(`${path}/${name}`);
    return true;
  }

  #find(place: string): Open | undefined {
    let at = place;
    while (at !== "" && !this.#open.has(at)) at = splitPlace(at).parent;
    let open = this.#open.get(at) ?? this.#add("", hold(this.#fs, this.#root));
    if (open !== undefined) this.#touch(at, open);
    while (open !== undefined && at !== place) {
      const end = place.indexOf("/", at === "" ? 0 : at.length + 1);
      const next = end < 0 ? place : place.slice(0, end);
      const { name } = splitPlace(next);
      open = this.#add(
        next,
        this.#in(open, (path) => hold(this.#fs, `${path}/${name}`)),
      );
      at = next;
    }
    return open;
  }

  #in<T>(open: Open, call: (path: string) => T): T {
    const { path } = open.directory;
    open.calls++;
    try {
      return call(path);
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code !== "EACCES") throw error;
      this.#fs.chmod(path, 0o755);
      return call(path);
    } finally {
      open.calls--;
    }
  }

  #add(place: string, directory: HeldDirectory | undefined): Open | undefined {
    if (directory === undefined) return undefined;
    const open = { directory, calls: 0 };
    this.#open.set(place, open);
    for (const [oldest, each] of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      if (each.calls > 0 || each === open) continue;
      each.directory.close();
      this.#open.delete(oldest);
    }
    return open;
  }

  #touch(place: string, open: Open): void {
    this.#open.delete(place);
    this.#open.set(place, open);
  }
}

/** The place above, and the name there. */
export function splitPlace(place: string): { readonly parent: string; readonly name: string } {
  const slash = place.lastIndexOf("/");
  return { parent: place.slice(0, Math.max(0, slash)), name: place.slice(slash + 1) };
}

function hold(fs: FileSystem, path: string): HeldDirectory | undefined {
  if (fs.holdDirectory !== undefined) return fs.holdDirectory(path);
  return fs.lstat(path)?.kind === "directory" ? { path, close: () => undefined } : undefined;
}
