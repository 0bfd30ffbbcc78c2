/** How long a peer has done nothing while it was waited for. */

/** One peer's progress, looked at now and then. */
export class ProgressWatch {
  #seen = -1;
  #patienceMs: number | undefined;
  #sinceMs = 0;

  /**
   * Looks.
   *
   * @param nowMs monotonic.
   * @param patienceMs how long the peer may go on as it does; `undefined`: nobody waits for it.
   * @param progress a number that changes with every step.
   * @returns true once it has stood still for that long, in one and the same state.
   */
  isStalled(nowMs: number, patienceMs: number | undefined, progress: number): boolean {
    if (patienceMs !== undefined && patienceMs === this.#patienceMs && progress === this.#seen) {
      return nowMs - this.#sinceMs >= patienceMs;
    }
    this.#patienceMs = patienceMs;
    this.#seen = progress;
    this.#sinceMs = nowMs;
    return false;
  }
}
