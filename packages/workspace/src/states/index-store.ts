/** The index file's place on the disk. Whatever goes wrong there costs time and nothing else. */
import { type FileSystem, FileSystemError, type NativeDigestFunction } from "@kahn/core";
import { decodeIndex, emptyIndex, encodeIndex, type IndexContents } from "./index-file.ts";
import { parentOf } from "./tree-paths.ts";

/** Reads the index; one that is missing, refused, corrupt, newer or foreign counts as empty. */
export function readIndex(fs: FileSystem, path: string, fn: NativeDigestFunction): IndexContents {
  try {
    const file = fs.readFile(path);
    return (file && decodeIndex(file, fn)) ?? emptyIndex(fn);
  } catch (error) {
    if (error instanceof FileSystemError) return emptyIndex(fn);
    throw error;
  }
}

/** Replaces the index; false when the file system refused, and the next run hashes more. */
export function writeIndex(fs: FileSystem, path: string, contents: IndexContents): boolean {
  const bytes = encodeIndex(contents);
  try {
    fs.makeDirectory(parentOf(path));
    // One owner per work tree (the workspace's lock), so the name need not be unique; a torn file is replaced.
    fs.writeFile(`${path}.new`, bytes);
    fs.rename(`${path}.new`, path);
    return true;
  } catch (error) {
    if (error instanceof FileSystemError) return false;
    throw error;
  }
}
