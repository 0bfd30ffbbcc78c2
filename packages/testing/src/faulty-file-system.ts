/**
 * A file system that goes wrong on purpose, at a place the test chooses.
 *
 * Owns:      when a fault fires, and what the caller sees of it.
 * Invariant: after a crash no call reaches the file system beneath: the program is dead to it, and what it still does
 *            throws `CrashError`. The test goes on with `killProcess()` or `crash()` of the memory file system.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import type { FileSystemCall, Perform } from "./intercepted-file-system.ts";
import { interceptFileSystem } from "./intercepted-file-system.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** The simulated death of the program. Only the test catches it. */
export class CrashError extends Error {
  override readonly name = "CrashError";
}

/** What happens where a fault fires. */
export type FaultAction =
  /** The call is refused with this errno name and changes nothing. */
  | { readonly kind: "error"; readonly code: string }
  /** The first `landedBytes` of a write or append land, the rest does not; then as `crash`. Other calls crash before. */
  | { readonly kind: "torn"; readonly landedBytes: number }
  /** The first `landedBytes` of a write or append land, then the call is refused. Other calls are refused at once. */
  | { readonly kind: "partial"; readonly landedBytes: number; readonly code: string }
  /** The program dies, before the call or right after it has taken effect. */
  | { readonly kind: "crash"; readonly when: "before" | "after" }
  /** Something else happens in the world, such as an edit by another program. */
  | { readonly kind: "meanwhile"; readonly when: "before" | "after"; readonly run: () => void };

/** One thing that goes wrong. */
export interface Fault {
  /** The number of a mutating call, counted from 1; or the calls (reading ones too) that match. */
  readonly at: number | ((call: FileSystemCall) => boolean);
  readonly action: FaultAction;
  /** How often it fires at most; default 1. A fault by number fires at most once. */
  readonly timesMax?: number;
}

/** A file system with faults. */
export interface FaultyFileSystem extends FileSystem {
  /** Mutating calls so far: run once without faults to learn how many places there are. */
  readonly mutations: number;
  /** Calls at which a fault fired, in order. */
  readonly fired: readonly FileSystemCall[];
  readonly crashed: boolean;
  /** From now on every call throws `CrashError`. */
  kill(): void;
}

/** Puts faults into a file system. */
export function faulty(fs: FileSystem, faults: readonly Fault[]): FaultyFileSystem {
  const left = new Map(faults.map((fault) => [fault, fault.timesMax ?? 1]));
  const fired: FileSystemCall[] = [];
  let mutations = 0;
  let crashed = false;
  const die = (call: FileSystemCall): never => {
    crashed = true;
    throw new CrashError(`the program died at ${call.operation} ${call.path}`);
  };
  const due = (call: FileSystemCall): FaultAction | undefined => {
    const isDue = ({ at }: Fault) => (typeof at === "number" ? call.mutates && at === mutations : at(call));
    const fault = faults.find((each) => left.get(each)! > 0 && isDue(each));
    if (fault === undefined) return undefined;
    left.set(fault, left.get(fault)! - 1);
    fired.push(call);
    return fault.action;
  };
  const gated = interceptFileSystem(fs, <T>(call: FileSystemCall, perform: Perform<T>): T => {
    if (crashed) die(call);
    if (call.mutates) mutations++;
    const action = due(call);
    return action === undefined ? perform() : act({ call, action, perform, die });
  });
  return Object.defineProperties({ ...gated, kill: () => void (crashed = true) } as FaultyFileSystem, {
    mutations: { get: () => mutations },
    fired: { get: () => fired },
    crashed: { get: () => crashed },
  });
}

interface Act<T> {
  readonly call: FileSystemCall;
  readonly action: FaultAction;
  readonly perform: Perform<T>;
  readonly die: (call: FileSystemCall) => never;
}

function act<T>({ call, action, perform, die }: Act<T>): T {
  switch (action.kind) {
    case "error":
      return refuse(call, action.code);
    case "partial":
      if (call.sizeBytes !== undefined) perform(Math.min(action.landedBytes, call.sizeBytes));
      return refuse(call, action.code);
    case "torn":
      if (call.sizeBytes !== undefined) perform(Math.min(action.landedBytes, call.sizeBytes));
      return die(call);
    case "crash":
      if (action.when === "after") {
        const answer = perform();
        // A flush takes effect only when it ends: dying "after" it means that nobody hears of it.
        if (answer instanceof Promise) return answer.then(() => die(call)) as T;
      }
      return die(call);
    case "meanwhile": {
      if (action.when === "before") action.run();
      const answer = perform();
      if (action.when === "after") action.run();
      return answer;
    }
  }
}

/** Hashing answers with the refusal, as the port says; everything else throws it. */
function refuse<T>(call: FileSystemCall, code: string): T {
  if (call.operation === "hash") return { kind: "unreadable", code } as T;
  throw new FileSystemError(code, call.operation, call.path);
}

const FAULT_KINDS = ["ENOSPC", "EIO", "EACCES", "torn", "crash"] as const;

/** What kind of trouble `randomFault` may choose. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * One fault at a random mutating call.
 *
 * @param options `mutationsMax` is how many such calls the program makes without faults; `kinds` default to all.
 */
export function randomFault(
  random: SeededRandom,
  options: { readonly mutationsMax: number; readonly kinds?: readonly FaultKind[] },
): Fault {
  const at = random.int(1, Math.max(1, options.mutationsMax));
  const kind = random.pick(options.kinds ?? FAULT_KINDS);
  const landedBytes = random.pick([0, 1, 2, 3, 7, 8, 11, 12, 13, 16, 64, 4096]);
  switch (kind) {
    case "torn":
      return { at, action: { kind, landedBytes } };
    case "crash":
      return { at, action: { kind, when: random.pick(["before", "after"]) } };
    case "ENOSPC":
      return { at, action: { kind: "partial", landedBytes, code: kind } };
    case "EIO":
    case "EACCES":
      return { at, action: { kind: "error", code: kind } };
  }
}
