/**
 * The tree of inodes beneath the memory file system, and what of it is on the device.
 *
 * Owns:      names (every change of a directory goes through `setEntries`), contents, link counts, used space, and
 *            the distance between what the kernel knows and what power loss would leave.
 * Never:     knows paths, permissions or errors: those are the file system's.
 * Invariant: `nlink` is the number of names; the changes of names reach the device in the order they were made and
 *            each group (one rename, one link) whole or not at all, as with a journalling file system.
 */
import type { Clock } from "@kahn/core";
import type { SeededRandom } from "../seeded-random.ts";
import { Content } from "./content.ts";
import type { Birth, DirectoryInode, FileInode, Inode } from "./inode.ts";
import { newDirectory } from "./inode.ts";

/** One name that now leads to `node`, or to nothing. */
export interface EntryChange {
  readonly directory: DirectoryInode;
  readonly name: string;
  readonly node: Inode | undefined;
}

/** A flush that has begun: what it will have made durable when it ends. */
export interface Flush {
  readonly file: FileInode;
  readonly content: Content;
  /** The shortest the file has been since the flush began. */
  safeBytes: number;
}

/** Inodes, names and durability. */
export class InodeTree {
  readonly root: DirectoryInode;
  #inoLast: number;
  #usedBytes = 0;
  /** Groups of changes that are not on the device yet, oldest first; the first has number `#committed`. */
  readonly #pending: { readonly changes: readonly EntryChange[]; readonly atMs: number }[] = [];
  #committed = 0;
  /** With the time of the last change of their data. */
  readonly #dirty = new Map<FileInode, number>();
  readonly #flushes = new Set<Flush>();

  readonly #clock: Clock;

  constructor(root: DirectoryInode, inoLast: number, clock: Clock) {
    this.root = root;
    this.#inoLast = inoLast;
    this.#clock = clock;
  }

  /** A tree that holds nothing but its root. */
  static empty(clock: Clock): InodeTree {
    const root = newDirectory({ ino: 2, dev: 1, nowMs: clock.nowMs() }, 0o755);
    root.nlink = 1;
    return new InodeTree(root, 10, clock);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** What the next inode on a device is given. */
  birth(dev: number, nowMs: number): Birth {
    return { ino: ++this.#inoLast, dev, nowMs };
  }

  /** Makes changes that belong together and stamps the times that they touch. */
  setEntries(changes: readonly EntryChange[], nowMs: number): void {
    for (const { directory, name, node } of changes) {
      const former = directory.entries.get(name);
      if (former !== undefined) this.#unname(directory, former, nowMs);
      if (node === undefined) directory.entries.delete(name);
      else {
        directory.entries.set(name, node);
        // A rename takes the old name away first: for a moment the file had none.
        if (node.kind === "file" && node.nlink === 0 && node.opens === 0) this.#usedBytes += node.content.sizeBytes;
        node.nlink++;
        node.ctimeMs = nowMs;
        if (node.kind === "directory") directory.nlink++;
      }
      directory.mtimeMs = nowMs;
      directory.ctimeMs = nowMs;
    }
    this.#pending.push({ changes, atMs: this.#clock.monotonicMs() });
  }

  #unname(directory: DirectoryInode, former: Inode, nowMs: number): void {
    former.nlink--;
    former.ctimeMs = nowMs;
    if (former.kind === "directory") directory.nlink--;
    if (former.kind === "file" && former.nlink === 0 && former.opens === 0) this.#usedBytes -= former.content.sizeBytes;
  }

  /** Gives a file other bytes. */
  setContent(file: FileInode, content: Content): void {
    if (file.nlink > 0 || file.opens > 0) this.#usedBytes += content.sizeBytes - file.content.sizeBytes;
    file.content = content;
    file.safeBytes = Math.min(file.safeBytes, content.sizeBytes);
    for (const flush of this.#flushes) {
      if (flush.file === file) flush.safeBytes = Math.min(flush.safeBytes, content.sizeBytes);
    }
    this.#dirty.set(file, this.#clock.monotonicMs());
  }

  opened(file: FileInode): void {
    file.opens++;
  }

  closed(file: FileInode): void {
    file.opens--;
    if (file.nlink === 0 && file.opens === 0) this.#usedBytes -= file.content.sizeBytes;
  }

  /** Begins to flush a file's data. */
  beginFlush(file: FileInode): Flush {
    const flush = { file, content: file.content, safeBytes: file.content.sizeBytes };
    this.#flushes.add(flush);
    return flush;
  }

  /** The data that a flush found is on the device now. */
  endFlush(flush: Flush): void {
    const { file, content, safeBytes } = flush;
    this.#flushes.delete(flush);
    file.durable = content;
    file.safeBytes = safeBytes;
    if (file.content === content) this.#dirty.delete(file);
  }

  /** Files whose data is not, or not wholly, on the device. */
  dirtyFiles(): FileInode[] {
    return [...this.#dirty.keys()];
  }

  /** The number of the newest group of changes of names. */
  get namesChanged(): number {
    return this.#committed + this.#pending.length;
  }

  /** Everything up to and with that group is on the device now. */
  commitNames(through: number): void {
    const groups = this.#pending.splice(0, Math.max(0, through - this.#committed));
    this.#committed += groups.length;
    for (const { directory, name, node } of groups.flatMap((group) => group.changes)) {
      if (node === undefined) directory.durable.delete(name);
      else directory.durable.set(name, node);
    }
  }

  /** The kernel has written, unasked, what has not changed for `ageMs`. */
  writeBack(ageMs: number): void {
    const untilMs = this.#clock.monotonicMs() - ageMs;
    for (const [file, changedAtMs] of [...this.#dirty]) {
      if (changedAtMs <= untilMs) this.endFlush(this.beginFlush(file));
    }
    const young = this.#pending.findIndex(({ atMs }) => atMs > untilMs);
    this.commitNames(young === -1 ? this.namesChanged : this.#committed + young);
  }

  /** The same tree with inodes of its own: what happens to one does not happen to the other. Nothing is open in it. */
  copy(): InodeTree {
    const copies = new Map<Inode, Inode>();
    const copy = new InodeTree(copyInode(this.root, copies) as DirectoryInode, this.#inoLast, this.#clock);
    for (const { changes, atMs } of this.#pending) {
      const copied = changes.map(({ directory, name, node }) => ({
        directory: copyInode(directory, copies) as DirectoryInode,
        name,
        node: node && copyInode(node, copies),
      }));
      copy.#pending.push({ changes: copied, atMs });
    }
    copy.#committed = this.#committed;
    for (const [file, atMs] of this.#dirty) copy.#dirty.set(copyInode(file, copies) as FileInode, atMs);
    copy.#recount();
    return copy;
  }

  /**
   * The tree as the device would give it back after power loss.
   *
   * @param random decides what of the unsynced changes had reached the device; without it none had.
   */
  afterPowerLoss(random: SeededRandom | undefined): InodeTree {
    const tree = this.copy();
    if (random !== undefined) tree.commitNames(tree.#committed + random.int(0, tree.#pending.length));
    tree.#pending.length = 0;
    restoreNames(tree.root);
    tree.#dirty.clear();
    tree.#recount((file) => {
      file.content = contentAfterPowerLoss(file, random);
      file.durable = file.content;
      file.safeBytes = file.content.sizeBytes;
    });
    return tree;
  }

  /** Sets link counts and used space from the names there are. */
  #recount(visitFile: (file: FileInode) => void = () => {}): void {
    this.#usedBytes = 0;
    const seen = new Set<Inode>([this.root]);
    const unvisited: DirectoryInode[] = [this.root];
    this.root.nlink = 1;
    for (let directory = unvisited.pop(); directory !== undefined; directory = unvisited.pop()) {
      for (const node of directory.entries.values()) {
        if (node.kind === "directory") {
          directory.nlink++;
          unvisited.push(node);
        }
        node.nlink = seen.has(node) ? node.nlink + 1 : 1;
        if (node.kind === "file" && !seen.has(node)) {
          visitFile(node);
          this.#usedBytes += node.content.sizeBytes;
        }
        seen.add(node);
      }
    }
  }
}

function copyInode(inode: Inode, copies: Map<Inode, Inode>): Inode {
  const known = copies.get(inode);
  if (known !== undefined) return known;
  if (inode.kind !== "directory") {
    const copy: Inode = inode.kind === "file" ? { ...inode, nlink: 0, opens: 0 } : { ...inode, nlink: 0 };
    copies.set(inode, copy);
    return copy;
  }
  const copy: DirectoryInode = { ...inode, nlink: 0, entries: new Map(), durable: new Map() };
  copies.set(inode, copy);
  for (const [name, node] of inode.entries) copy.entries.set(name, copyInode(node, copies));
  for (const [name, node] of inode.durable) copy.durable.set(name, copyInode(node, copies));
  return copy;
}

function restoreNames(directory: DirectoryInode): void {
  directory.entries.clear();
  directory.nlink = 0;
  for (const [name, node] of directory.durable) {
    directory.entries.set(name, node);
    if (node.kind === "directory") restoreNames(node);
  }
}

/** Four things that file systems do to data that was not flushed: lose it, keep it, tear it, or leave zeros. */
function contentAfterPowerLoss(file: FileInode, random: SeededRandom | undefined): Content {
  const { content, durable, safeBytes } = file;
  if (random === undefined || content === durable) return durable;
  const landedBytes = random.int(Math.min(safeBytes, content.sizeBytes), content.sizeBytes);
  switch (random.pick(["lost", "kept", "torn", "zeros"])) {
    case "lost":
      return durable;
    case "kept":
      return content;
    case "torn":
      return content.resize(landedBytes);
    default:
      return Content.of(content.read(0, landedBytes)).resize(content.sizeBytes);
  }
}
