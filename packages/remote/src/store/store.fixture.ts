/** Test fixture: server stores over a memory file system or a real directory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { ProcessOwner } from "@kahn/cas";
import type { Digest, Result } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { memoryFileSystem, seededRandom, virtualClock } from "@kahn/testing";
import type { ServerStoreOptions } from "./open-server-store.ts";
import { openServerStore } from "./open-server-store.ts";
import type { ServerStore, ServerStoreProblem } from "./server-store.ts";

const OWNER: ProcessOwner = { pid: 100, startedAt: "1", bootId: "boot-1/ns", host: "here" };

/** Times start away from the mark of stamps. */
const START_MS = 1_700_000_000_100;

let seed = 1;

/** A virtual clock, but whoever lets others have a turn goes on without anybody advancing it. */
export function turningClock() {
  const clock = virtualClock(START_MS);
  const setTimer: typeof clock.setTimer = (delayMs, fire) => {
    if (delayMs > 0) return clock.setTimer(delayMs, fire);
    const timer = setImmediate(fire);
    return { cancel: () => clearImmediate(timer) };
  };
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    advance: (ms: number) => clock.advance(ms),
    setTimer,
  };
}

/** Options of a store in memory. */
export function memoryOptions(options: Partial<ServerStoreOptions> = {}): ServerStoreOptions {
  const clock = options.clock ?? turningClock();
  return {
    fs: options.fs ?? memoryFileSystem({ clock }),
    clock,
    random: seededRandom(seed++),
    root: "/store",
    owner: OWNER,
    livenessOf: () => "alive",
    ...options,
  };
}

/** A store in memory; by default a fresh one. */
export async function memoryStore(options: Partial<ServerStoreOptions> = {}): Promise<ServerStore> {
  return value(await openServerStore(memoryOptions(options)));
}

/** A real directory, how a store is opened in it, and its end. */
export function realPlace(options: Partial<ServerStoreOptions> = {}) {
  const root = mkdtempSync(`${tmpdir()}/kahn-store-`);
  const open = async (more: Partial<ServerStoreOptions> = {}): Promise<ServerStore> =>
    value(
      await openServerStore({
        fs: nodeFileSystem(),
        clock: nodeClock(),
        random: nodeRandom(),
        root,
        owner: ownIdentity(),
        livenessOf,
        ...options,
        ...more,
      }),
    );
  return { root, open, cleanup: () => rmSync(root, { recursive: true, force: true }) };
}

/** The value of a result that must be one. */
export function value<T>(result: Result<T, ServerStoreProblem>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

/** The code of a result that must be a problem. */
export function codeOf(result: Result<unknown, ServerStoreProblem>): string {
  if (result.ok) throw new Error("it should have been refused");
  return result.problem.code;
}

/** Bytes that repeat nowhere, the same for the same seed. */
export function noise(sizeBytes: number, from = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = 2 * from + 1;
  for (let at = 0; at < sizeBytes; at++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Whether these are the bytes of that digest. */
export function isBlob(bytes: Uint8Array | undefined, digest: Digest): boolean {
  return bytes !== undefined && digestOf(bytes) === digest;
}
