/** Files that need not be there, such as a person's own settings. */
import { type FileSystem, FileSystemError } from "@kahn/core";

/** A file's text; empty when it is absent or may not be read. */
export function optionalText(fs: FileSystem, path: string): string {
  try {
    const bytes = fs.readFile(path);
    return bytes === undefined ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  } catch (error) {
    if (error instanceof FileSystemError) return "";
    throw error;
  }
}
