/** What the runs of one flow share: ports, limits, hooks, and what is worked out from the options once. */
import type {
  Clock,
  Digest,
  Durability,
  Journal,
  JournalStore,
  Problem,
  Random,
  ResourceClaim,
  Result,
} from "@kahn/core";
import { digestOf, digestSizeBytes, ProblemError, parseDurationMs, problem, randomBelow } from "@kahn/core";
import type { AnyNode, Duration, LongTermStore } from "../../definition/nodes.ts";
import type { Blob } from "../../definition/state.ts";
import type { Desk } from "../../machine/moves/desk.ts";
import type { FlowDataEvent, FlowEvent } from "../../machine/state/events.ts";
import type { FlowRecord } from "../../machine/state/records.ts";
import type { FlowValues } from "../../machine/state/values.ts";
import { memoryValues } from "../../machine/state/values.ts";
import { Admission } from "../attempts/admission.ts";
import type { WorkPorts } from "../attempts/work.ts";
import { retell } from "../storage/loading.ts";
import { memoryStore } from "../storage/long-term.ts";
import type { RunLocks } from "../storage/run-lock.ts";
import { takenOver } from "../storage/run-lock.ts";
import { type SnapshotPolicy, snapshotWriter } from "../storage/snapshots.ts";

/** Hands commands to the process that executes a run. */
export interface RunInboxes {
  /** For the owner: calls `handle` for each command; answers go back to the sender. */
  watch(
    run: string,
    handle: (command: { readonly id: string; readonly command: unknown }) => Promise<unknown>,
  ): { close(): Promise<void> };
  /** For others: resolves with the owner's answer. */
  send(run: string, command: unknown): Promise<Result<unknown, Problem>>;
}

/** What a flow is made of. Only the clock and the source of randomness are needed. */
export interface FlowOptions extends WorkPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Default: in memory. */
  readonly journals?: JournalStore;
  /** Where values of more than 4 KiB are kept; default: in memory. */
  readonly values?: FlowValues;
  readonly store?: LongTermStore;
  readonly locks?: RunLocks;
  readonly inboxes?: RunInboxes;
  /** `process` (default): survives the end of this process; `disk`: survives loss of power. */
  readonly durability?: Durability;
  /** Of decisions; default `disk`. */
  readonly decisionDurability?: Durability;
  /** How long aborted nodes may take to stop; default 10 s. */
  readonly grace?: Duration;
  /** Attempts that run at once in all runs of the flow; default: no limit. */
  readonly concurrency?: number;
  readonly pools?: Readonly<Record<string, number>>;
  readonly tagCaps?: Readonly<Record<string, number>>;
  /** When a snapshot is written, so that a resume has less to read. */
  readonly snapshots?: SnapshotPolicy;
  /** Told every event after it is journalled; what they throw is told to `warn` and changes nothing. */
  readonly hooks?: readonly ((event: FlowEvent) => void)[];
  /** Told what nodes emit, at once: also what comes before anybody could read the run's events. */
  readonly onData?: (event: FlowDataEvent) => void;
  /** `problem` where it has a code: a journal that was repaired when it was opened. */
  readonly warn?: (message: string, problem?: Problem) => void;
}

/** Services of a run. */
export interface FlowServices extends WorkPorts {
  readonly clock: Clock;
  readonly values: FlowValues;
  readonly durability: Durability;
  /** Of decisions; people do not make them twice. */
  readonly decisionDurability: Durability;
  readonly graceMs: number;
  readonly store: LongTermStore;
  readonly admission: Admission;
  readonly hooks: readonly ((event: FlowEvent) => void)[];
  readonly onData?: (event: FlowDataEvent) => void;
  /** Told after each append: may write a snapshot. */
  readonly snapshots: ((journal: Journal, desk: Desk, records: readonly FlowRecord[]) => void) | undefined;
  /** A number from 0 to 1. */
  fraction(): number;
  /** What a node claims; `undefined`: nothing, so that it is not admitted through the kernel. */
  claimOf(node: AnyNode): ResourceClaim | undefined;
  warn(message: string): void;
  /** The events of a run from this number through the last one, from its journal. */
  retell(desk: Desk, from: number): readonly FlowEvent[];
  /** Makes of a journal's refusal who has the run now, if that is why. */
  whoWrites(run: string, refusal: Problem): Problem;
  putBlob(bytes: Uint8Array | string): Blob;
  keepFile(path: string): Blob;
  readBlob(blob: Blob): Uint8Array;
}

/** Works the services out. */
export function servicesOf(options: FlowOptions, journals: JournalStore): FlowServices {
  const { concurrency, pools = {}, tagCaps = {}, random } = options;
  const values = options.values ?? memoryValues((bytes) => digestOf(bytes));
  const limits = { slots: concurrency ?? 1_000_000, pools, tagCaps, io: 1_000_000 };
  return {
    ...options,
    values,
    durability: options.durability ?? "process",
    decisionDurability: options.decisionDurability ?? "disk",
    graceMs: parseDurationMs(options.grace ?? "10s") ?? 10_000,
    store: options.store ?? memoryStore(),
    admission: new Admission(limits),
    hooks: options.hooks ?? [],
    snapshots: snapshotWriter(options.snapshots, options.clock),
    fraction: () => randomBelow(random, 1_000_000) / 1_000_000,
    claimOf: (node) => claimOf(node, concurrency !== undefined),
    warn: options.warn ?? (() => {}),
    retell: ({ state, codec }, from) => retell(journals, { run: state.run, codec, from, through: state.events }),
    whoWrites: (run, refusal) => whoWrites(journals, run, refusal),
    putBlob: (bytes) => putBlob(values, bytes),
    keepFile: (path) => keepFile(values, path),
    readBlob: (blob) => readBlob(values, blob.digest),
  };
}

/** A conflict means that somebody else writes: the journal tells who, if it has been said. */
function whoWrites(journals: JournalStore, run: string, refusal: Problem): Problem {
  if (refusal.code !== "journal-conflict") return refusal;
  const records = journals.peek(run);
  let owner: string | undefined;
  let epoch = 0;
  for (const { body } of records.ok ? records.value : []) {
    const record = body as unknown as FlowRecord;
    if (record.k !== "start" && record.k !== "resume") continue;
    owner = record.owner;
    epoch++;
  }
  return { ...takenOver(run, owner, epoch), cause: refusal };
}

function claimOf(node: AnyNode, isLimited: boolean): ResourceClaim | undefined {
  const claim = "claim" in node ? node.claim : undefined;
  if (claim === undefined && !isLimited) return undefined;
  const mutexes = (claim?.mutexes ?? []).map((each) =>
    typeof each === "string" ? { name: each, mode: "exclusive" as const } : each,
  );
  return { slots: 1, mutexes, pools: Object.entries(claim?.pools ?? {}), tags: claim?.tags ?? [], terminal: false };
}

function putBlob(values: FlowValues, bytes: Uint8Array | string): Blob {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  const put = values.put(data);
  if (!put.ok) throw new ProblemError(put.problem);
  return { digest: put.value, sizeBytes: data.byteLength };
}

function keepFile(values: FlowValues, path: string): Blob {
  if (values.putFile === undefined) {
    throw new ProblemError(
      problem("flow-port-missing", `this flow cannot keep the file ${path}: its values are in memory`, {
        next: "Give createFlow values that take files, such as those of inFolder, or read the file and use putBlob.",
      }),
    );
  }
  const put = values.putFile(path);
  if (!put.ok) throw new ProblemError(put.problem);
  return { digest: put.value, sizeBytes: digestSizeBytes(put.value) };
}

function readBlob(values: FlowValues, digest: Digest): Uint8Array {
  const read = values.get(digest);
  if (!read.ok) throw new ProblemError(read.problem);
  if (read.value !== undefined) return read.value;
  throw new ProblemError(
    problem("flow-value-missing", `the blob ${digest} is gone`, { next: "Restore the folder of durable values." }),
  );
}
