/** Inodes of the memory file system: what a name leads to, apart from the name. */
import type { FileStat, ReadHandle } from "@kahn/core";
import { Content } from "./content.ts";

interface InodeBase {
  readonly ino: number;
  readonly dev: number;
  mode: number;
  mtimeMs: number;
  ctimeMs: number;
  nlink: number;
}

/** A regular file. */
export interface FileInode extends InodeBase {
  readonly kind: "file";
  content: Content;
  /** What is on the device. */
  durable: Content;
  /** How much of `durable` no truncation has touched since: it survives any crash. */
  safeBytes: number;
  /** Open handles; an unlinked file takes space until the last is closed. */
  opens: number;
}

/** A directory. */
export interface DirectoryInode extends InodeBase {
  readonly kind: "directory";
  readonly entries: Map<string, Inode>;
  /** What is on the device. */
  durable: Map<string, Inode>;
}

/** A symbolic link. */
export interface SymlinkInode extends InodeBase {
  readonly kind: "symlink";
  readonly target: string;
}

/** A socket, pipe or device: something that is there and is no file. */
export interface OtherInode extends InodeBase {
  readonly kind: "other";
}

/** Whatever a name leads to. */
export type Inode = FileInode | DirectoryInode | SymlinkInode | OtherInode;

/** What every new inode is given. */
export interface Birth {
  readonly ino: number;
  readonly dev: number;
  readonly nowMs: number;
}

function base(birth: Birth, mode: number): InodeBase {
  return { ino: birth.ino, dev: birth.dev, mode, mtimeMs: birth.nowMs, ctimeMs: birth.nowMs, nlink: 0 };
}

/** An empty file without a name. */
export function newFile(birth: Birth, mode: number): FileInode {
  return { ...base(birth, mode), kind: "file", content: Content.empty, durable: Content.empty, safeBytes: 0, opens: 0 };
}

/** An empty directory without a name. */
export function newDirectory(birth: Birth, mode: number): DirectoryInode {
  return { ...base(birth, mode), kind: "directory", entries: new Map(), durable: new Map() };
}

/** A symbolic link without a name. */
export function newSymlink(birth: Birth, target: string): SymlinkInode {
  return { ...base(birth, 0o777), kind: "symlink", target };
}

/** Something that is no file, without a name. */
export function newOther(birth: Birth): OtherInode {
  return { ...base(birth, 0o644), kind: "other" };
}

/** What `lstat` says of an inode. */
export function statOf(inode: Inode): FileStat {
  const { kind, mode, mtimeMs, ctimeMs, dev, ino } = inode;
  // Directories count themselves, their `.` and each subdirectory's `..`, as ext4 and XFS do.
  const nlink = kind === "directory" ? inode.nlink + 1 : inode.nlink;
  return { kind, sizeBytes: sizeOf(inode), mode, mtimeMs, ctimeMs, dev, ino, nlink };
}

function sizeOf(inode: Inode): number {
  switch (inode.kind) {
    case "file":
      return inode.content.sizeBytes;
    case "symlink":
      return Buffer.byteLength(inode.target);
    case "directory":
      return 4096;
    case "other":
      return 0;
  }
}

/** A file open for reading. */
export function readHandleOf(file: FileInode): ReadHandle {
  return {
    read: async (offset, into) => {
      const bytes = file.content.view().subarray(offset, offset + into.byteLength);
      into.set(bytes);
      return bytes.byteLength;
    },
    sizeBytes: () => file.content.sizeBytes,
    close: () => undefined,
  };
}
