/**
 * One collector at a time.
 *
 * A file made exclusively, with its owner inside; one whose owner is dead is taken over. Two processes that find the
 * same dead owner at the same moment may both get through: two collections side by side are slower, never wrong,
 * because everything they do is safe beside readers and writers, and so beside each other.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { Liveness, ProcessOwner } from "./process-owner.ts";
import { parseOwner } from "./process-owner.ts";

/** The answer to an attempt. */
export type CollectorLock =
  | { readonly kind: "taken"; readonly release: () => void }
  | { readonly kind: "busy"; readonly owner: ProcessOwner | undefined };

/** What taking the lock needs. */
export interface LockRequest {
  readonly fs: FileSystem;
  readonly path: string;
  readonly owner: ProcessOwner;
  readonly livenessOf: Liveness;
}

/** Takes the lock, or tells who has it. Never waits. */
export function takeCollectorLock({ fs, path, owner, livenessOf }: LockRequest): CollectorLock {
  const text = `${JSON.stringify(owner)}\n`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      fs.writeFile(path, text, { exclusive: true });
      return { kind: "taken", release: () => void fs.remove(path) };
    } catch (error) {
      if (!(error instanceof FileSystemError) || error.code !== "EEXIST") throw error;
    }
    const bytes = fs.readFile(path);
    if (bytes === undefined) continue;
    const holder = parseOwner(Buffer.from(bytes).toString("utf8"));
    // A lock without an owner was torn by a death between creating and writing.
    if (holder !== undefined && livenessOf(holder) !== "dead") return { kind: "busy", owner: holder };
    fs.remove(path);
  }
  return { kind: "busy", owner: undefined };
}
