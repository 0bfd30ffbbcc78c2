/** What the cases of `fileSystemContract` work with. */
import assert from "node:assert/strict";
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { ContractSubject } from "./contract-case.ts";

/** A file system under test. */
export interface FileSystemSubject extends ContractSubject {
  readonly fs: FileSystem;
  /** Absolute, real path of an empty directory, without a trailing slash. */
  readonly root: string;
  /** True when permission bits refuse nothing (root). */
  readonly privileged: boolean;
  /** Lets time pass until file times differ from before; default: nothing to do. */
  readonly tick?: () => void | Promise<void>;
  /** A directory on another device, where there is one. */
  readonly otherDevice?: string;
  /** Puts a socket or pipe at a path, where that can be done. */
  readonly makeOther?: (path: string) => void;
}

/** Contents as text; `undefined` when there is no such file. */
export function textAt(fs: FileSystem, path: string): string | undefined {
  const bytes = fs.readFile(path);
  return bytes && Buffer.from(bytes).toString("utf8");
}

/** Asserts that a call is refused with this errno name. */
export function assertRefused(code: string | readonly string[], call: () => unknown): void {
  const codes = typeof code === "string" ? [code] : code;
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof FileSystemError, `not a FileSystemError: ${error}`);
    assert.ok(codes.includes(error.code), `${error.code} instead of ${codes.join(" or ")}`);
    assert.ok(error.path.length > 0 && error.operation.length > 0);
    return;
  }
  assert.fail(`not refused, expected ${codes.join(" or ")}`);
}
