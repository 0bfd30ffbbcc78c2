/**
 * A file system in memory that behaves like a POSIX one, down to inodes, times, refusals and power loss.
 *
 * Owns:      the semantics of paths, permissions, space and errors over a tree of inodes.
 * Never:     touches the disk or the real time.
 * Invariant: every answer is the one that Linux would give (compared with the real one by a property test), apart
 *            from inode numbers and times.
 */
import type {
  Clock,
  CopyRequest,
  DirectoryEntry,
  FileHandle,
  FileStat,
  FileSystem,
  HashOutcome,
  NativeDigestFunction,
} from "@kahn/core";
import { digestOf, FileSystemError, InvariantError, sleep } from "@kahn/core";
import type { FileTree } from "./file-tree.ts";
import { readTree, writeTree } from "./file-tree.ts";
import { Content } from "./internal/content.ts";
import type { Birth, DirectoryInode, FileInode, Inode } from "./internal/inode.ts";
import { newDirectory, newFile, newOther, newSymlink, statOf } from "./internal/inode.ts";
import { InodeTree } from "./internal/inode-tree.ts";
import type { Place } from "./internal/path-walk.ts";
import { walk } from "./internal/path-walk.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { virtualClock } from "./virtual-clock.ts";

/** How a memory file system behaves. Every member may be left out. */
export interface MemoryFileSystemOptions {
  /** Where times come from; default: a virtual clock of its own. */
  readonly clock?: Clock;
  /** Files to start with, by absolute path, in the format of `writeTree`; all of them are on the device. */
  readonly files?: FileTree;
  /** Times are cut to a multiple of this: 1 (default), 4 like a kernel's tick, 1000 or 2000 like an old file system. */
  readonly granularityMs?: number;
  /** Like root: permission bits refuse nothing. Default false: the caller owns every file and is bound by them. */
  readonly privileged?: boolean;
  /** Space for file contents; default: without limit. */
  readonly capacityBytes?: number;
  /** Directories that are file systems of their own, with their device numbers (the root's is 1). */
  readonly mounts?: Readonly<Record<string, number>>;
  /** Names an inode may have; default 65000. */
  readonly linksMax?: number;
  /** How long a flush takes in the clock's time; default 0: at once. */
  readonly syncMs?: number;
  /**
   * What `sync` of a file makes durable: its data alone (all that POSIX promises), or also every change of names so
   * far (default; what ext4, XFS, Btrfs and APFS do).
   */
  readonly syncScope?: "file" | "file-and-names";
}

type Settings = Required<Omit<MemoryFileSystemOptions, "files">>;

const READ = 0o400;
const WRITE = 0o200;
const SEARCH = 0o100;
/** What the operating system takes from the modes of new files. */
const UMASK = 0o022;

/** Makes a memory file system. */
export function memoryFileSystem(options: MemoryFileSystemOptions = {}): MemoryFileSystem {
  const { files = {}, ...given } = options;
  const settings: Settings = {
    clock: virtualClock(),
    granularityMs: 1,
    privileged: false,
    capacityBytes: Number.POSITIVE_INFINITY,
    mounts: {},
    linksMax: 65_000,
    syncMs: 0,
    syncScope: "file-and-names",
    ...given,
  };
  const fs = new MemoryFileSystem(settings, InodeTree.empty(settings.clock.nowMs()));
  for (const path of Object.keys(settings.mounts)) fs.makeDirectory(path);
  writeTree(fs, "/", files);
  fs.settle();
  return fs;
}

/** A `FileSystem` in memory, with what tests ask beyond the port. Made by `memoryFileSystem`. */
export class MemoryFileSystem implements FileSystem {
  readonly #settings: Settings;
  readonly #tree: InodeTree;
  #granularityMs: number;
  #capacityBytes: number;

  /** @param settings complete. @param tree the inodes; the file system becomes their only owner. */
  constructor(settings: Settings, tree: InodeTree) {
    this.#settings = settings;
    this.#tree = tree;
    this.#granularityMs = settings.granularityMs;
    this.#capacityBytes = settings.capacityBytes;
  }

  // ——— beyond the port ———

  /** What is below a directory, as a plain object in the format of `readTree`. */
  snapshot(root = "/"): Record<string, string> {
    return readTree(this, root);
  }

  /** Cuts times to a multiple of `granularityMs` from now on. */
  setGranularity(granularityMs: number): void {
    this.#granularityMs = granularityMs;
  }

  /** Makes the device larger or smaller; contents that no longer fit stay. */
  setCapacity(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
  }

  /** Puts something there that is neither file, directory nor link, as a socket would be. */
  makeOther(path: string): void {
    const { parent, name } = this.#vacant("mknod", path);
    this.#name(parent, name, newOther(this.#birth(parent)));
  }

  /** Everything is on the device from here on, at once. */
  settle(): void {
    for (const file of this.#tree.dirtyFiles()) this.#tree.endFlush(this.#tree.beginFlush(file));
    this.#tree.commitNames(this.#tree.namesChanged);
  }

  /**
   * The machine loses power. Answers with the file system found after the boot; this one goes on in a world of its
   * own, so that what is left of the dead program can still call it and harms nothing.
   *
   * @param random decides which unsynced changes had reached the device, and which data was torn or became zeros;
   *               without it nothing unsynced had.
   */
  crash(random?: SeededRandom): MemoryFileSystem {
    return this.#successor(this.#tree.afterPowerLoss(random));
  }

  /** The program dies (`kill -9`), the machine does not: everything handed to the kernel is there. See `crash`. */
  killProcess(): MemoryFileSystem {
    return this.#successor(this.#tree.copy());
  }

  #successor(tree: InodeTree): MemoryFileSystem {
    const limits = { granularityMs: this.#granularityMs, capacityBytes: this.#capacityBytes };
    return new MemoryFileSystem({ ...this.#settings, ...limits }, tree);
  }

  // ——— reading ———

  lstat(path: string): FileStat | undefined {
    const node = this.#find("lstat", path, false)?.node;
    return node && statOf(node);
  }

  statMany(paths: readonly string[]): (FileStat | undefined)[] {
    return paths.map((path) => this.lstat(path));
  }

  hashMany(paths: readonly string[], fn: NativeDigestFunction = "sha256"): HashOutcome[] {
    return paths.map((path) => {
      const place = this.#walk(path, false);
      if (typeof place === "string" && place !== "ENOENT" && place !== "ENOTDIR")
        return { kind: "unreadable", code: place };
      const node = typeof place === "string" ? undefined : place.node;
      if (node === undefined) return { kind: "absent" };
      const stat = statOf(node);
      if (node.kind === "symlink") return { kind: "symlink", target: node.target, stat };
      if (node.kind !== "file") return { kind: "not-a-file", stat };
      if (!this.#may(node, READ)) return { kind: "unreadable", code: "EACCES" };
      return { kind: "file", digest: digestOf(node.content.view(), fn), stat };
    });
  }

  readDirectory(path: string): DirectoryEntry[] | undefined {
    const node = this.#find("scandir", path, true)?.node;
    if (node?.kind !== "directory") return undefined;
    if (!this.#may(node, READ)) throw new FileSystemError("EACCES", "scandir", path);
    return Array.from(node.entries, ([name, { kind }]) => ({ name, kind }));
  }

  readFile(path: string): Uint8Array | undefined {
    return this.#readable("open", path)?.content.read();
  }

  readRange(path: string, offset: number, lengthBytes: number): Uint8Array | undefined {
    return this.#readable("open", path)?.content.read(offset, lengthBytes);
  }

  readLink(path: string): string | undefined {
    const node = this.#find("readlink", path, false)?.node;
    if (node !== undefined && node.kind !== "symlink") throw new FileSystemError("EINVAL", "readlink", path);
    return node?.target;
  }

  realPath(path: string): string | undefined {
    const place = this.#find("realpath", path, true);
    return place?.node && place.realPath;
  }

  freeBytes(path: string): number {
    this.#existing("statfs", path, true);
    return Math.max(0, this.#capacityBytes - this.#tree.usedBytes);
  }

  // ——— writing ———

  writeFile(path: string, bytes: Uint8Array | string, options: { mode?: number; exclusive?: boolean } = {}): void {
    if (options.exclusive === true) this.#vacant("open", path);
    const file = this.#openForWriting(path, (options.mode ?? 0o666) & ~UMASK);
    this.#put(file, Content.empty);
    this.#append(file, typeof bytes === "string" ? Buffer.from(bytes) : bytes, { operation: "write", path });
  }

  openAppend(path: string): FileHandle {
    const file = this.#openForWriting(path, 0o666 & ~UMASK);
    this.#tree.opened(file);
    let open = true;
    const opened = (operation: string): FileInode => {
      if (!open) throw new FileSystemError("EBADF", operation, path);
      return file;
    };
    return {
      append: (bytes) => {
        this.#append(opened("write"), bytes, { operation: "write", path });
        return file.content.sizeBytes;
      },
      truncate: (sizeBytes) => this.#put(opened("ftruncate"), file.content.resize(sizeBytes)),
      sync: async () => this.#sync([opened("fdatasync")], this.#settings.syncScope === "file-and-names"),
      sizeBytes: () => opened("fstat").content.sizeBytes,
      close: () => {
        this.#tree.closed(opened("close"));
        open = false;
      },
    };
  }

  makeDirectory(path: string): void {
    const place = this.#walk(path, false);
    if (place === "ENOENT") {
      this.makeDirectory(parentOf(path));
      this.makeDirectory(path);
      return;
    }
    if (typeof place === "string") throw new FileSystemError(place, "mkdir", path);
    if (place.node === undefined) {
      this.#needWritable(place.parent, "mkdir", path);
      const dev = this.#settings.mounts[place.realPath] ?? place.parent.dev;
      const { ino, nowMs } = this.#birth(place.parent);
      this.#name(place.parent, place.name, newDirectory({ ino, dev, nowMs }, 0o777 & ~UMASK));
    } else if (this.#find("mkdir", path, true)?.node?.kind !== "directory") {
      throw new FileSystemError("EEXIST", "mkdir", path);
    }
  }

  rename(from: string, to: string): void {
    const source = this.#existing("rename", from, false);
    const target = this.#place("rename", to, false);
    const refuse = (code: string) => {
      throw new FileSystemError(code, "rename", `${from} -> ${to}`);
    };
    if (source.name === "" || target.name === "") refuse("EBUSY");
    if (source.node.dev !== target.parent.dev) refuse("EXDEV");
    if (source.node === target.node) return;
    if (target.realPath.startsWith(`${source.realPath}/`)) refuse("EINVAL");
    if (source.realPath.startsWith(`${target.realPath}/`)) refuse("ENOTEMPTY");
    this.#needWritable(source.parent, "rename", from);
    this.#needWritable(target.parent, "rename", to);
    if (target.node?.kind === "directory") {
      if (source.node.kind !== "directory") refuse("EISDIR");
      if (target.node.entries.size > 0) refuse("ENOTEMPTY");
    } else if (target.node !== undefined && source.node.kind === "directory") refuse("ENOTDIR");
    this.#tree.setEntries(
      [
        { directory: source.parent, name: source.name, node: undefined },
        { directory: target.parent, name: target.name, node: source.node },
      ],
      this.#nowMs(),
    );
  }

  link(from: string, to: string): void {
    const { node } = this.#existing("link", from, false);
    const { parent, name } = this.#vacant("link", to);
    if (node.dev !== parent.dev) throw new FileSystemError("EXDEV", "link", to);
    if (node.kind === "directory") throw new FileSystemError("EPERM", "link", from);
    if (node.nlink >= this.#settings.linksMax) throw new FileSystemError("EMLINK", "link", from);
    this.#name(parent, name, node);
  }

  linkMany(requests: readonly Omit<CopyRequest, "mode">[]): void {
    for (const { from, to } of requests) this.link(from, to);
  }

  symlink(target: string, path: string): void {
    const { parent, name } = this.#vacant("symlink", path);
    this.#name(parent, name, newSymlink(this.#birth(parent), target));
  }

  copyFile({ from, to, mode }: CopyRequest): void {
    const bytes = this.#readable("copyfile", from)?.content.view();
    if (bytes === undefined) throw new FileSystemError("ENOENT", "copyfile", from);
    const place = this.#place("copyfile", to, false);
    if (place.node?.kind === "directory") throw new FileSystemError("EISDIR", "copyfile", to);
    this.#needWritable(place.parent, "copyfile", to);
    const file = newFile(this.#birth(place.parent), mode);
    this.#name(place.parent, place.name, file);
    this.#append(file, bytes, { operation: "copyfile", path: to });
  }

  copyMany(requests: readonly CopyRequest[]): void {
    for (const request of requests) this.copyFile(request);
  }

  chmod(path: string, mode: number): void {
    const { node } = this.#existing("chmod", path, true);
    node.mode = mode & 0o7777;
    node.ctimeMs = this.#nowMs();
  }

  setTimes(path: string, _atimeMs: number, mtimeMs: number): void {
    const { node } = this.#existing("utimes", path, true);
    node.mtimeMs = mtimeMs;
    node.ctimeMs = this.#nowMs();
  }

  remove(path: string): boolean {
    const place = this.#find("unlink", path, false);
    if (place?.node === undefined) return false;
    this.#unlink(place.parent, place.name, path);
    return true;
  }

  removeTree(path: string): void {
    const place = this.#find("rm", path, false);
    if (place?.node === undefined) return;
    const removeBelow = (directory: DirectoryInode, below: string) => {
      if (directory.entries.size > 0 && !this.#may(directory, READ))
        throw new FileSystemError("EACCES", "scandir", below);
      for (const [name, node] of [...directory.entries]) {
        if (node.kind === "directory") removeBelow(node, `${below}/${name}`);
        this.#unlink(directory, name, `${below}/${name}`);
      }
    };
    if (place.node.kind === "directory") removeBelow(place.node, path);
    this.#unlink(place.parent, place.name, path);
  }

  async syncAll(path: string): Promise<void> {
    this.#existing("syncfs", path, true);
    await this.#sync(this.#tree.dirtyFiles(), true);
  }

  // ——— inside ———

  async #sync(files: readonly FileInode[], names: boolean): Promise<void> {
    const flushes = files.map((file) => this.#tree.beginFlush(file));
    const through = names ? this.#tree.namesChanged : 0;
    if (this.#settings.syncMs > 0) await sleep(this.#settings.clock, this.#settings.syncMs);
    for (const flush of flushes) this.#tree.endFlush(flush);
    this.#tree.commitNames(through);
  }

  #nowMs(): number {
    return Math.floor(this.#settings.clock.nowMs() / this.#granularityMs) * this.#granularityMs;
  }

  #birth(parent: DirectoryInode): Birth {
    return this.#tree.birth(parent.dev, this.#nowMs());
  }

  #may(node: Inode, bit: number): boolean {
    return this.#settings.privileged || (node.mode & bit) !== 0;
  }

  #needWritable(directory: DirectoryInode, operation: string, path: string): void {
    if (!this.#may(directory, WRITE) || !this.#may(directory, SEARCH))
      throw new FileSystemError("EACCES", operation, path);
  }

  #walk(path: string, follow: boolean): Place | string {
    if (!path.startsWith("/")) throw new InvariantError(`a path must be absolute: "${path}"`);
    return walk({ root: this.#tree.root, path, follow, maySearch: (directory) => this.#may(directory, SEARCH) });
  }

  /** The place a path leads to; throws whatever stops the walk. */
  #place(operation: string, path: string, follow: boolean): Place {
    const place = this.#walk(path, follow);
    if (typeof place === "string") throw new FileSystemError(place, operation, path);
    return place;
  }

  /** The same, but `undefined` when the path leads nowhere. */
  #find(operation: string, path: string, follow: boolean): Place | undefined {
    const place = this.#walk(path, follow);
    if (place === "ENOENT" || place === "ENOTDIR") return undefined;
    if (typeof place === "string") throw new FileSystemError(place, operation, path);
    return place;
  }

  #existing(operation: string, path: string, follow: boolean): Place & { readonly node: Inode } {
    const place = this.#place(operation, path, follow);
    if (place.node === undefined) throw new FileSystemError("ENOENT", operation, path);
    return { ...place, node: place.node };
  }

  /** A place for a new name. */
  #vacant(operation: string, path: string): Place {
    const place = this.#place(operation, path, false);
    if (place.node !== undefined) throw new FileSystemError("EEXIST", operation, path);
    this.#needWritable(place.parent, operation, path);
    return place;
  }

  #readable(operation: string, path: string): FileInode | undefined {
    const node = this.#find(operation, path, true)?.node;
    if (node === undefined) return undefined;
    if (node.kind !== "file")
      throw new FileSystemError(node.kind === "directory" ? "EISDIR" : "ENXIO", operation, path);
    if (!this.#may(node, READ)) throw new FileSystemError("EACCES", operation, path);
    return node;
  }

  #openForWriting(path: string, mode: number): FileInode {
    const place = this.#place("open", path, true);
    if (place.node === undefined) {
      this.#needWritable(place.parent, "open", path);
      const file = newFile(this.#birth(place.parent), mode);
      this.#name(place.parent, place.name, file);
      return file;
    }
    if (place.node.kind !== "file") {
      throw new FileSystemError(place.node.kind === "directory" ? "EISDIR" : "ENXIO", "open", path);
    }
    if (!this.#may(place.node, WRITE)) throw new FileSystemError("EACCES", "open", path);
    return place.node;
  }

  #name(directory: DirectoryInode, name: string, node: Inode): void {
    this.#tree.setEntries([{ directory, name, node }], this.#nowMs());
  }

  #unlink(directory: DirectoryInode, name: string, path: string): void {
    const node = directory.entries.get(name);
    if (name === "") throw new FileSystemError("EBUSY", "unlink", path);
    this.#needWritable(directory, "unlink", path);
    if (node?.kind === "directory" && node.entries.size > 0) throw new FileSystemError("ENOTEMPTY", "rmdir", path);
    this.#tree.setEntries([{ directory, name, node: undefined }], this.#nowMs());
  }

  #put(file: FileInode, content: Content): void {
    this.#tree.setContent(file, content);
    file.mtimeMs = this.#nowMs();
    file.ctimeMs = file.mtimeMs;
  }

  /** Appends; on a full device what fits is written before the refusal, as `write` does. */
  #append(file: FileInode, bytes: Uint8Array, at: { readonly operation: string; readonly path: string }): void {
    const freeBytes = Math.max(0, this.#capacityBytes - this.#tree.usedBytes);
    if (bytes.byteLength === 0) return;
    const written = bytes.byteLength <= freeBytes ? bytes : bytes.subarray(0, freeBytes);
    if (written.byteLength > 0) this.#put(file, file.content.append(written));
    if (written.byteLength < bytes.byteLength) throw new FileSystemError("ENOSPC", at.operation, at.path);
  }
}

function parentOf(path: string): string {
  return path.replace(/\/+$/, "").replace(/\/[^/]*$/, "") || "/";
}
