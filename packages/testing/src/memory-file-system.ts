/**
 * A file system in memory that behaves like a POSIX one, down to inodes, times, refusals and power loss.
 *
 * Owns:      the semantics of paths, permissions, space and errors over a tree of inodes.
 * Never:     touches the disk or the real time.
 * Invariant: every answer is the one that Linux would give (compared with the real one by a property test), apart
 *            from inode numbers and times.
 */
import type {
  CopyRequest,
  DirectoryEntry,
  FileHandle,
  FileStat,
  FileSystem,
  HashOutcome,
  NativeDigestFunction,
  ReadHandle,
} from "@kahn/core";
import { digestOf, FileSystemError, sleep } from "@kahn/core";
import { readTree, writeTree } from "./file-tree.ts";
import { Content } from "./internal/content.ts";
import type { Birth, DirectoryInode, FileInode, Inode } from "./internal/inode.ts";
import { newDirectory, newFile, newOther, newSymlink, readHandleOf, statOf } from "./internal/inode.ts";
import { InodeTree } from "./internal/inode-tree.ts";
import { PathAccess } from "./internal/path-access.ts";
import type { MemoryFileSystemOptions, MemoryFileSystemSettings } from "./memory-file-system-options.ts";
import { settingsOf } from "./memory-file-system-options.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** What the operating system takes from the modes of new files. */
const UMASK = 0o022;

/** Makes a memory file system. */
export function memoryFileSystem(options: MemoryFileSystemOptions = {}): MemoryFileSystem {
  const settings = settingsOf(options);
  const fs = new MemoryFileSystem(settings, InodeTree.empty(settings.clock));
  for (const path of Object.keys(settings.mounts)) fs.makeDirectory(path);
  writeTree(fs, "/", options.files ?? {});
  fs.settle();
  return fs;
}

/** A `FileSystem` in memory, with what tests ask beyond the port. Made by `memoryFileSystem`. */
export class MemoryFileSystem implements FileSystem {
  readonly #settings: MemoryFileSystemSettings;
  readonly #tree: InodeTree;
  readonly #access: PathAccess;
  #granularityMs: number;
  #capacityBytes: number;

  /** @param settings complete. @param tree the inodes; the file system becomes their only owner. */
  constructor(settings: MemoryFileSystemSettings, tree: InodeTree) {
    this.#settings = settings;
    this.#tree = tree;
    this.#access = new PathAccess(tree.root, settings.privileged);
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
    const { parent, name } = this.#access.vacant("mknod", path);
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
   *               without it nothing unsynced had. What `writeBackMs` says is written back is safe in any case.
   */
  crash(random?: SeededRandom): MemoryFileSystem {
    this.#tree.writeBack(this.#settings.writeBackMs);
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
    const node = this.#access.find("lstat", path, false)?.node;
    return node && statOf(node);
  }

  statMany(paths: readonly string[]): (FileStat | undefined)[] {
    return paths.map((path) => this.lstat(path));
  }

  hashMany(paths: readonly string[], fn: NativeDigestFunction = "sha256"): HashOutcome[] {
    return paths.map((path) => {
      const place = this.#access.walk(path, false);
      if (typeof place === "string" && place !== "ENOENT" && place !== "ENOTDIR")
        return { kind: "unreadable", code: place };
      const node = typeof place === "string" ? undefined : place.node;
      if (node === undefined) return { kind: "absent" };
      const stat = statOf(node);
      if (node.kind === "symlink") return { kind: "symlink", target: node.target, stat };
      if (node.kind !== "file") return { kind: "not-a-file", stat };
      if (!this.#access.mayRead(node)) return { kind: "unreadable", code: "EACCES" };
      return { kind: "file", digest: digestOf(node.content.view(), fn), stat };
    });
  }

  readDirectory(path: string): DirectoryEntry[] | undefined {
    const node = this.#access.find("scandir", path, true)?.node;
    if (node?.kind !== "directory") return undefined;
    this.#access.needRead("scandir", path, node);
    return Array.from(node.entries, ([name, { kind }]) => ({ name, kind }));
  }

  readFile(path: string): Uint8Array | undefined {
    return this.#access.readableFile("open", path)?.content.read();
  }

  readRange(path: string, offset: number, lengthBytes: number): Uint8Array | undefined {
    return this.#access.readableFile("open", path)?.content.read(offset, lengthBytes);
  }

  readLink(path: string): string | undefined {
    const node = this.#access.find("readlink", path, false)?.node;
    if (node !== undefined && node.kind !== "symlink") throw new FileSystemError("EINVAL", "readlink", path);
    return node?.target;
  }

  realPath(path: string): string | undefined {
    const place = this.#access.find("realpath", path, true);
    return place?.node && place.realPath;
  }

  freeBytes(path: string): number {
    this.#access.existing("statfs", path, true);
    return Math.max(0, this.#capacityBytes - this.#tree.usedBytes);
  }

  // ——— writing ———

  writeFile(path: string, bytes: Uint8Array | string, options: { mode?: number; exclusive?: boolean } = {}): void {
    if (options.exclusive === true) this.#access.vacant("open", path);
    const file = this.#openForWriting(path, 0o666 & ~UMASK);
    // As the port says: exactly, for a file that exists too.
    if (options.mode !== undefined) file.mode = options.mode & 0o7777;
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
      // Where a flush takes time, nobody can wait for it here.
      ...(this.#settings.syncMs > 0
        ? {}
        : { syncNow: () => this.#syncNow([opened("fdatasync")], this.#settings.syncScope === "file-and-names") }),
      sizeBytes: () => opened("fstat").content.sizeBytes,
      close: () => {
        this.#tree.closed(opened("close"));
        open = false;
      },
    };
  }

  openRead(path: string): ReadHandle | undefined {
    const file = this.#access.readableFile("open", path);
    return file && readHandleOf(file);
  }

  makeDirectory(path: string): void {
    const place = this.#access.walk(path, false);
    if (place === "ENOENT") {
      for (const each of [parentOf(path), path]) this.makeDirectory(each);
      return;
    }
    if (typeof place === "string") throw new FileSystemError(place, "mkdir", path);
    if (place.node === undefined) {
      this.#access.needEntries("mkdir", path, place.parent);
      const dev = this.#settings.mounts[place.realPath] ?? place.parent.dev;
      const { ino, nowMs } = this.#birth(place.parent);
      this.#name(place.parent, place.name, newDirectory({ ino, dev, nowMs }, 0o777 & ~UMASK));
      return;
    }
    const followed = this.#access.walk(path, true);
    // A link that leads nowhere is in the way as a file is.
    const code = typeof followed === "string" && followed !== "ENOENT" ? followed : "EEXIST";
    const isThere = typeof followed !== "string" && followed.node?.kind === "directory";
    if (!isThere) throw new FileSystemError(code, "mkdir", path);
  }

  rename(from: string, to: string): void {
    // As the kernel does: both parents are sought before either name.
    this.#access.place("rename", from, false);
    const target = this.#access.place("rename", to, false);
    const source = this.#access.existing("rename", from, false);
    const refuse = (code: string) => {
      throw new FileSystemError(code, "rename", `${from} -> ${to}`);
    };
    if (source.name === "" || target.name === "") refuse("EBUSY");
    if (source.node.dev !== target.parent.dev) refuse("EXDEV");
    if (source.node === target.node) return;
    if (target.realPath.startsWith(`${source.realPath}/`)) refuse("EINVAL");
    if (source.realPath.startsWith(`${target.realPath}/`)) refuse("ENOTEMPTY");
    this.#access.needEntries("rename", from, source.parent);
    this.#access.needEntries("rename", to, target.parent);
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
    const { node } = this.#access.existing("link", from, false);
    const { parent, name } = this.#access.vacant("link", to);
    if (node.dev !== parent.dev) throw new FileSystemError("EXDEV", "link", to);
    if (node.kind === "directory") throw new FileSystemError("EPERM", "link", from);
    if (node.nlink >= this.#settings.linksMax) throw new FileSystemError("EMLINK", "link", from);
    this.#name(parent, name, node);
  }

  linkMany(requests: readonly Omit<CopyRequest, "mode">[]): void {
    for (const { from, to } of requests) this.link(from, to);
  }

  symlink(target: string, path: string): void {
    const { parent, name } = this.#access.vacant("symlink", path);
    this.#name(parent, name, newSymlink(this.#birth(parent), target));
  }

  copyFile({ from, to, mode }: CopyRequest): void {
    this.#access.existing("copyfile", from, true);
    const bytes = this.#access.readableFile("copyfile", from)!.content.view();
    const place = this.#access.place("copyfile", to, false);
    if (place.node?.kind === "directory") throw new FileSystemError("EISDIR", "copyfile", to);
    this.#access.needEntries("copyfile", to, place.parent);
    const file = newFile(this.#birth(place.parent), mode);
    this.#name(place.parent, place.name, file);
    this.#append(file, bytes, { operation: "copyfile", path: to });
  }

  copyMany(requests: readonly CopyRequest[]): void {
    for (const request of requests) this.copyFile(request);
  }

  chmod(path: string, mode: number): void {
    const { node } = this.#access.existing("chmod", path, true);
    node.mode = mode & 0o7777;
    node.ctimeMs = this.#nowMs();
  }

  setTimes(path: string, _atimeMs: number, mtimeMs: number): void {
    const { node } = this.#access.existing("utimes", path, false);
    node.mtimeMs = mtimeMs;
    node.ctimeMs = this.#nowMs();
  }

  remove(path: string): boolean {
    const place = this.#access.find("unlink", path, false);
    if (place?.node === undefined) return false;
    this.#unlink(place.parent, place.name, path);
    return true;
  }

  removeTree(path: string): void {
    const place = this.#access.find("rm", path, false);
    if (place?.node === undefined) return;
    if (place.node.kind === "directory") this.#empty(place.node);
    this.#unlink(place.parent, place.name, path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#access.existing("fsync", path, true);
    await this.#sync([], true);
  }

  async syncAll(path: string): Promise<void> {
    this.#access.existing("syncfs", path, true);
    await this.#sync(this.#tree.dirtyFiles(), true);
  }

  // ——— inside ———

  #syncNow(files: readonly FileInode[], names: boolean): void {
    const flushes = files.map((file) => this.#tree.beginFlush(file));
    for (const flush of flushes) this.#tree.endFlush(flush);
    if (names) this.#tree.commitNames(this.#tree.namesChanged);
  }

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

  #openForWriting(path: string, mode: number): FileInode {
    const found = this.#access.writableFile("open", path);
    if ("kind" in found) return found;
    const file = newFile(this.#birth(found.parent), mode);
    this.#name(found.parent, found.name, file);
    return file;
  }

  #name(directory: DirectoryInode, name: string, node: Inode): void {
    this.#tree.setEntries([{ directory, name, node }], this.#nowMs());
  }

  #unlink(directory: DirectoryInode, name: string, path: string): void {
    const node = directory.entries.get(name);
    if (name === "") throw new FileSystemError("EBUSY", "unlink", path);
    this.#access.needEntries("unlink", path, directory);
    if (node?.kind === "directory" && node.entries.size > 0) throw new FileSystemError("ENOTEMPTY", "rmdir", path);
    this.#tree.setEntries([{ directory, name, node: undefined }], this.#nowMs());
  }

  /** Removes everything below a directory; its owner takes the permission where it is missing. */
  #empty(directory: DirectoryInode): void {
    if (directory.entries.size > 0) directory.mode |= 0o700;
    for (const [name, node] of [...directory.entries]) {
      if (node.kind === "directory") this.#empty(node);
      this.#tree.setEntries([{ directory, name, node: undefined }], this.#nowMs());
    }
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
