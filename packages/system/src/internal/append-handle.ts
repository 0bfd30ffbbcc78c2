/** A file open for appending. */
import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, write, writeSync } from "node:fs";
import { type FileHandle, InvariantError } from "@kahn/core";
import { closedLate, guarded, refusal } from "./refusal.ts";

/** Opens for appending; creates the file when absent. */
export function openAppendHandle(path: string): FileHandle {
  // "a" is O_APPEND: two writers never overwrite each other, whatever each believes the size to be.
  return new AppendHandle(
    path,
    guarded("open", path, () => openSync(path, "a", 0o666)),
  );
}

class AppendHandle implements FileHandle {
  readonly #path: string;
  readonly #fd: number;
  #callsPending = 0;
  #closed = false;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  append(bytes: Uint8Array): number {
    return this.#call("append", () => {
      for (let written = 0; written < bytes.byteLength; ) {
        written += writeSync(this.#fd, bytes, written, bytes.byteLength - written, null);
      }
      // Asked, not counted: a foreign writer or a short write before a refusal must show.
      return fstatSync(this.#fd).size;
    });
  }

  async appendLater(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.byteLength; ) {
      written += await this.#pending<number>("append", (done) =>
        write(this.#fd, bytes, written, bytes.byteLength - written, null, done),
      );
    }
  }

  truncate(sizeBytes: number): void {
    this.#call("truncate", () => ftruncateSync(this.#fd, sizeBytes));
  }

  sync(): Promise<void> {
    return this.#pending("fdatasync", (done) => fdatasync(this.#fd, (error) => done(error, undefined)));
  }

  syncNow(): void {
    this.#call("fdatasync", () => fdatasyncSync(this.#fd));
  }

  sizeBytes(): number {
    return this.#call("fstat", () => fstatSync(this.#fd).size);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  /** A call on another thread; the descriptor stays until it is through. */
  #pending<T>(operation: string, call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    this.#assertOpen();
    this.#callsPending++;
    return new Promise((resolve, reject) => {
      call((error, value) => {
        this.#callsPending--;
        if (this.#closed) closedLate(() => this.#release());
        if (error === null) resolve(value);
        else reject(refusal(error, operation, this.#path));
      });
    });
  }

  /** Gives the descriptor back once no call uses it: a reused number would be written to instead. */
  #release(): void {
    if (this.#callsPending === 0) guarded("close", this.#path, () => closeSync(this.#fd));
  }

  #call<T>(operation: string, call: () => T): T {
    this.#assertOpen();
    return guarded(operation, this.#path, call);
  }

  #assertOpen(): void {
    if (this.#closed) throw new InvariantError(`used after close: ${this.#path}`);
  }
}
