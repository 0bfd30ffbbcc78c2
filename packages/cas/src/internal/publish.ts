/**
 * Makes a file appear whole or not at all.
 *
 * Invariant: under a final name there are complete bytes only; a death in between leaves a file in `tmp/`.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { StoreLayout } from "./store-layout.ts";
import { parentOf } from "./store-layout.ts";

/** One file to be published. */
export interface Publication {
  readonly path: string;
  /** Modification time to set; left out where the natural one is wanted. */
  readonly stampMs?: number;
}

/** Publishes files of one store. */
export class Publisher {
  readonly #fs: FileSystem;
  readonly #layout: StoreLayout;

  constructor(fs: FileSystem, layout: StoreLayout) {
    this.#fs = fs;
    this.#layout = layout;
  }

  /** Writes bytes under a name that appears at once; replaces what is there. */
  write(bytes: Uint8Array | string, publication: Publication & { readonly mode: number }): void {
    this.fill((temporary) => this.#fs.writeFile(temporary, bytes, { mode: publication.mode }), publication);
  }

  /** Lets `make` create the temporary file, then publishes it. `make` may throw; nothing is left behind then. */
  fill(make: (temporary: string) => void, publication: Publication): void {
    const temporary = this.temporary(make);
    try {
      this.rename(temporary, publication);
    } catch (error) {
      this.discard(temporary);
      throw error;
    }
  }

  /** A temporary file made by `make`, for the caller to rename or discard. */
  temporary(make: (temporary: string) => void): string {
    const temporary = this.#layout.newTemporary();
    try {
      this.#retryWithParent(temporary, () => make(temporary));
    } catch (error) {
      this.discard(temporary);
      throw error;
    }
    return temporary;
  }

  /** Stamps a temporary file and gives it its final name. */
  rename(temporary: string, { path, stampMs }: Publication): void {
    if (stampMs !== undefined) this.#fs.setTimes(temporary, stampMs, stampMs);
    this.#retryWithParent(path, () => this.#fs.rename(temporary, path));
  }

  /** Gives a file of the work tree a second name in the store. EEXIST when that name is taken. */
  link(from: string, path: string): void {
    this.#retryWithParent(path, () => this.#fs.link(from, path));
  }

  /** Removes a temporary file. What cannot be removed is left to the garbage collection. */
  discard(temporary: string): void {
    try {
      this.#fs.remove(temporary);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }

  /** Directories are made when they are missed: asking first would cost a call for each file. */
  #retryWithParent(path: string, attempt: () => void): void {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code !== "ENOENT") throw error;
      this.#fs.makeDirectory(parentOf(path));
      attempt();
    }
  }
}
