/**
 * Staged trees: input directories that are on disk once and shown, read-only, to every sandboxed action that has them.
 *
 * Owns:      the folder they are in, who uses which, and which go when they grow too many.
 * Invariant: a tree in use is never removed; one that could not be made whole is never used.
 * Note:      files are hard links to the store, so this is only for where a mount keeps them from being written: a
 *            mode does not stop root, nor an owner who changes it.
 */
import type { Digest, StoreProblem } from "@kahn/core";
import type { InputTree } from "./input-tree.ts";
import { Planting, type PlantingPorts } from "./internal/planting.ts";
import { removeFolder } from "./internal/remove-folder.ts";

/** A tree on disk, for one user of it. */
export interface StagedTree {
  /** Absolute path of its root directory. Nothing below may be written. */
  readonly path: string;
  /** To be called once, when its user is done. */
  release(): void;
}

/** What asking for a tree gave. */
export type StagedOutcome =
  | { readonly kind: "staged"; readonly staged: StagedTree }
  | { readonly kind: "missing" }
  | { readonly kind: "errored"; readonly problem: StoreProblem };

/** Beyond either, unused trees are removed, those first that were used longest ago. */
export interface StagedLimits {
  readonly entriesMax: number;
  /** What the store has removed meanwhile is still on the disk for as long as a tree has it. */
  readonly maxSizeBytes: number;
}

interface Kept {
  readonly path: string;
  readonly entries: number;
  readonly sizeBytes: number;
  readonly made: Promise<"made" | "missing" | StoreProblem>;
  users: number;
}

/** The trees of one runner. */
export class StagedTrees {
  readonly #ports: PlantingPorts;
  readonly #folder: string;
  readonly #limits: StagedLimits;
  readonly #kept = new Map<Digest, Kept>();
  #entries = 0;
  #sizeBytes = 0;
  #last = 0;

  /** @param folder absolute and empty. */
  constructor(ports: PlantingPorts, folder: string, limits: StagedLimits) {
    this.#ports = ports;
    this.#folder = folder;
    this.#limits = limits;
  }

  /** The tree on disk; made now when it is not there, and once for all who ask meanwhile. @throws FileSystemError */
  async acquire(tree: InputTree): Promise<StagedOutcome> {
    const kept = this.#kept.get(tree.digest) ?? this.#make(tree);
    // Last in the map is last to go.
    this.#kept.delete(tree.digest);
    this.#kept.set(tree.digest, kept);
    kept.users++;
    let made: Awaited<Kept["made"]>;
    try {
      made = await kept.made;
    } catch (error) {
      this.#forget(tree.digest, kept);
      throw error;
    }
    if (made === "made") {
      return { kind: "staged", staged: { path: kept.path, release: () => this.#release(kept) } };
    }
    this.#forget(tree.digest, kept);
    return made === "missing" ? { kind: "missing" } : { kind: "errored", problem: made };
  }

  /** Removes all trees. To be called when nobody uses one. */
  clear(): void {
    this.#ports.fs.removeTree(this.#folder);
    this.#kept.clear();
    this.#entries = 0;
    this.#sizeBytes = 0;
  }

  #make(tree: InputTree): Kept {
    const path = `${this.#folder}/${++this.#last}`;
    const { entries, sizeBytes } = tree;
    this.#entries += entries;
    this.#sizeBytes += sizeBytes;
    const kept: Kept = { path, entries, sizeBytes, made: this.#plant(tree, path), users: 0 };
    this.#shrink();
    return kept;
  }

  async #plant(tree: InputTree, path: string): Promise<"made" | "missing" | StoreProblem> {
    const planting = new Planting();
    planting.directory(path);
    planting.tree(tree, path, "link");
    const made = await planting.make(this.#ports);
    if (!made.ok) return made.problem;
    return made.value.size === 0 ? "made" : "missing";
  }

  #release(kept: Kept): void {
    kept.users--;
    this.#shrink();
  }

  /** It could not be made: whoever asks next tries again. */
  #forget(digest: Digest, kept: Kept): void {
    kept.users--;
    if (this.#kept.get(digest) === kept) {
      this.#drop(digest, kept);
    }
    if (kept.users === 0) void removeFolder(this.#ports.fs, kept.path);
  }

  #drop(digest: Digest, { entries, sizeBytes }: Kept): void {
    this.#kept.delete(digest);
    this.#entries -= entries;
    this.#sizeBytes -= sizeBytes;
  }

  #shrink(): void {
    for (const [digest, kept] of this.#kept) {
      if (this.#entries <= this.#limits.entriesMax && this.#sizeBytes <= this.#limits.maxSizeBytes) return;
      if (kept.users > 0) continue;
      this.#drop(digest, kept);
      void removeFolder(this.#ports.fs, kept.path);
    }
  }
}
