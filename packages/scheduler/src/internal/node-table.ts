/**
 * What the kernel knows of each node, in typed arrays that double when they are full.
 *
 * Owns:      the numbers of the states, and the census that counts nodes by state.
 * Never:     decides anything; `kernel.ts` does.
 * Invariant: a terminal state is never left; `census` always equals a recount.
 */
import { InvariantError } from "@kahn/core";

// States are ordered so that two comparisons answer most questions: up to QUEUED nothing is in flight for the node,
// from SUCCEEDED on it is settled.

/** Something it depends on is not over. */
export const WAITING = 0;
/** Nothing holds it back; it waits for an I/O place to be looked up. */
export const READY = 1;
/** Looked up without a hit; it waits for its claim. */
export const QUEUED = 2;
/** Its look-up is in flight. */
export const LOOKUP = 3;
/** Its restore is in flight. */
export const RESTORING = 4;
/** Its command runs, and it holds its claim. */
export const RUNNING = 5;
/** The command succeeded; the result waits for an I/O place. */
export const STORE_PENDING = 6;
/** Its store is in flight. */
export const STORING = 7;
/** The first terminal state. */
export const SUCCEEDED = 8;
/** The command said no. */
export const FAILED = 9;
/** It could not be looked up, restored or run. */
export const ERRORED = 10;
/** Something it requires ended otherwise than well. */
export const SKIPPED = 11;
/** Ended, or not begun, because of a cancel or a drain. */
export const CANCELLED = 12;
const STATES = 13;

/** A service has answered: its dependents may start, its slots are given back. */
export const ANSWERED = 1;
/** It was told to end. */
export const TOLD_TERM = 2;
/** It was told to end without grace. */
export const TOLD_KILL = 4;
/** A service that we ended because nothing needed it any more: that is its success. */
export const UNNEEDED = 8;
/** The result came from the cache. */
export const CACHED = 16;

/** Ends by itself. */
export const TASK = 0;
/** Runs until nothing needs it any more. */
export const SERVICE = 1;
/** Runs until it is cancelled. */
export const PINNED = 2;

/** Columns indexed by node number. Columns are replaced when they grow: never keep one across an admission. */
export class NodeTable {
  count = 0;
  /** How many nodes are in each state. */
  readonly census = new Int32Array(STATES);
  status = new Uint8Array(64);
  flags = new Uint8Array(64);
  lifetime = new Uint8Array(64);
  /** Distinct dependencies that still hold the node back. */
  unmet = new Int32Array(64);
  /** Root cause of a skip, −1 for none. Set early on a node in look-up whose service has died. */
  cause = new Int32Array(64);
  /** Number of the interned claim. */
  claim = new Int32Array(64);
  priorityClass = new Float64Array(64);
  weightMs = new Float64Array(64);
  /** Weight of the heaviest chain from this node to the last of its dependents, itself included. */
  pathMs = new Float64Array(64);
  /** The last dependent that named this node as a dependency, plus one: finds repetitions without a set. */
  namedBy = new Int32Array(64);

  /** Makes room for so many more nodes. */
  reserve(more: number): void {
    const needed = this.count + more;
    const present = this.status.length;
    if (needed <= present) return;
    const size = Math.max(needed, present * 2);
    this.status = grown(this.status, new Uint8Array(size));
    this.flags = grown(this.flags, new Uint8Array(size));
    this.lifetime = grown(this.lifetime, new Uint8Array(size));
    this.unmet = grown(this.unmet, new Int32Array(size));
    this.cause = grown(this.cause, new Int32Array(size));
    this.claim = grown(this.claim, new Int32Array(size));
    this.priorityClass = grown(this.priorityClass, new Float64Array(size));
    this.weightMs = grown(this.weightMs, new Float64Array(size));
    this.pathMs = grown(this.pathMs, new Float64Array(size));
    this.namedBy = grown(this.namedBy, new Int32Array(size));
  }

  /** Adds a node in state `waiting` without edges; room must have been reserved. */
  add(): number {
    const node = this.count++;
    this.cause[node] = -1;
    this.census[WAITING]!++;
    return node;
  }

  /** Moves a node to another state; a terminal one absorbs. */
  setStatus(node: number, status: number): void {
    const before = this.status[node]!;
    if (before >= SUCCEEDED) throw new InvariantError(`node ${node} has settled and cannot change its state`);
    this.census[before]!--;
    this.census[status]!++;
    this.status[node] = status;
  }

  /** Nodes that have not reached their end. */
  get unsettled(): number {
    let settled = 0;
    for (let status = SUCCEEDED; status < STATES; status++) settled += this.census[status]!;
    return this.count - settled;
  }

  /** True if `left` goes before `right`: class, then critical path, then number. */
  precedes(left: number, right: number): boolean {
    const byClass = this.priorityClass[left]! - this.priorityClass[right]!;
    if (byClass !== 0) return byClass > 0;
    const byPath = this.pathMs[left]! - this.pathMs[right]!;
    if (byPath !== 0) return byPath > 0;
    return left < right;
  }
}

/** Copies a full column into a larger one. */
export function grown<Column extends Uint8Array | Int32Array | Float64Array>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}
