/**
 * What is left of the limit.
 *
 * Invariant: what is stored and what is being written never come to more than the limit, whatever is asked for at once.
 */
import type { ResidentProblem } from "./resident-problem.ts";
import { LimitFailure } from "./resident-problem.ts";

/** What a room stands on. */
export interface RoomPorts {
  readonly maxSizeBytes: number;
  /** What is stored. */
  readonly usedBytes: () => number;
  /** Makes room for so many bytes, as far as it can. */
  readonly collect: (wantedBytes: number) => Promise<void>;
  /** Something is about to be written. */
  readonly onReserve: () => void;
  /** A write was refused for the limit. */
  readonly onRefused: (problem: ResidentProblem) => void;
}

/** From this share of the limit on room is made in the background. */
const BEGIN_SHARE = 0.9;

/** Counts what is being written. */
export class Room {
  readonly maxSizeBytes: number;
  readonly #ports: RoomPorts;
  #takenBytes = 0;

  constructor(ports: RoomPorts) {
    this.#ports = ports;
    this.maxSizeBytes = ports.maxSizeBytes;
  }

  /** Bytes that are stored or being written. */
  get usedBytes(): number {
    return this.#ports.usedBytes() + this.#takenBytes;
  }

  /** Takes bytes; waits for a collection when there are not enough. @throws LimitFailure, FileSystemError */
  async reserve(sizeBytes: number): Promise<void> {
    this.#ports.onReserve();
    if (this.usedBytes + sizeBytes > this.maxSizeBytes) {
      await this.#ports.collect(sizeBytes);
      if (this.usedBytes + sizeBytes > this.maxSizeBytes) {
        const refusal = new LimitFailure(sizeBytes, this.maxSizeBytes);
        this.#ports.onRefused(refusal.problem);
        throw refusal;
      }
    }
    this.#takenBytes += sizeBytes;
    // Not waited for: whoever needs it waits above, and hears of its trouble there.
    if (this.usedBytes > this.maxSizeBytes * BEGIN_SHARE) this.#ports.collect(0).catch(() => undefined);
  }

  release(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
  }
}
