/**
 * Lives of one run on one simulated disk: each dies where a camera says, and the next one finds what was on the disk.
 *
 * Method: a gate before the file system sees every call that changes something. A photograph is the disk as a process
 *         that is killed at that moment leaves it: before the call, after it, or with a part of an append written. The
 *         life that was photographed goes on in a world of its own, so one life gives the deaths at all its moments.
 */
import { collectGarbage, type DiskStore, openDiskStore, openValueStore } from "@kahn/cas";
import { type JournalStore, ok } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import {
  type FileSystemCall,
  interceptFileSystem,
  type MemoryFileSystem,
  memoryFileSystem,
  type Perform,
  seededRandom,
  virtualClock,
} from "@kahn/testing";
import { quiet } from "../flow.fixture.ts";
import type { FlowRun, RunResult, SnapshotPolicy } from "../index.ts";
import { createFlow, liveDigests } from "../index.ts";
import type { FlowRecord } from "../machine/state/records.ts";
import { BUILT, crashGraph, decideAhead, decideOpen, RUN } from "./graph.fixture.ts";

/** One execution of a node. */
export interface Execution {
  readonly path: string;
  readonly attempt: number;
  readonly atMs: number;
}

/** What is there when a life begins. */
export interface World {
  readonly fs: MemoryFileSystem;
  readonly nowMs: number;
}

/** A disk as a dead process left it. */
export interface Photograph extends World {
  /** What the process had begun by then. */
  readonly executions: readonly Execution[];
  readonly startedMs: number;
  /** For messages: the call, and how much of it was done. */
  readonly at: string;
}

/** A call that changes something, counted from 1. */
export interface Moment {
  readonly nth: number;
  readonly call: FileSystemCall;
}

/** How much of a call is done when the process dies: nothing, all, or so many bytes of an append. */
export type Progress = "before" | "after" | number;

/** Where a life is photographed: chosen for each call that changes something. */
export type Camera = (moment: Moment) => readonly Progress[];

/** How a life is lived. */
export interface LifeOptions {
  readonly camera: Camera;
  readonly snapshots?: SnapshotPolicy;
  /** Stop once so many photographs were taken. */
  readonly photographsMax?: number;
}

/** What came of a life. */
export interface Life {
  /** `undefined`: given up after the last photograph. */
  readonly result: RunResult | undefined;
  readonly photographs: readonly Photograph[];
  readonly executions: readonly Execution[];
  readonly startedMs: number;
  readonly world: World;
}

const OWNER = { pid: 1, startedAt: "", bootId: "", host: "" };
/** Younger values are not collected: the collector's clock is ahead. */
const LATER_MS = 2 * 60 * 60 * 1000;

/** A new disk. */
export function newWorld(): World {
  return { fs: memoryFileSystem(), nowMs: 1_704_067_200_000 };
}

/** The journals of a disk. */
export function journalsOf({ fs }: Pick<World, "fs">): JournalStore {
  return fileJournalStore({ fs, directory: "/journals" });
}

/** The values of a disk, as one of many processes sees them. */
export function valuesOf(fs: World["fs"], nowMs: number) {
  const [clock, random] = [virtualClock(nowMs), seededRandom(nowMs % 1_000_003)];
  return openValueStore({ fs, clock, random, root: "/values", owner: OWNER, livenessOf: () => "dead" });
}

/** The records of the run as they are on the disk. */
export function recordsOf(world: Pick<World, "fs">): readonly FlowRecord[] {
  const found = journalsOf(world).peek(RUN);
  return found.ok ? [...found.value].map(({ body }) => body as unknown as FlowRecord) : [];
}

/** Starts or resumes the run on this disk and brings it to its end. */
export async function live(world: World, { camera, snapshots, photographsMax = Infinity }: LifeOptions): Promise<Life> {
  const clock = virtualClock(world.nowMs);
  const random = seededRandom(world.nowMs % 1_000_003);
  const executions: Execution[] = [];
  const photographs: Photograph[] = [];
  const photograph = ({ call }: Moment, progress: Progress): void => {
    const at = `${call.operation} ${call.path} (${call.sizeBytes ?? 0} bytes): ${progress}`;
    const seen = { executions: [...executions], startedMs: world.nowMs, at };
    photographs.push({ fs: world.fs.killProcess(), nowMs: clock.nowMs(), ...seen });
  };
  const isDone = () => photographs.length >= photographsMax;
  const fs = interceptFileSystem(world.fs, filming(world.fs, camera, photograph));
  const store = openDiskStore({ fs, clock, random, root: "/cache", owner: OWNER, livenessOf: () => "dead" });
  const flow = createFlow({
    clock,
    random,
    journals: fileJournalStore({ fs, directory: "/journals" }),
    values: openValueStore({ fs, clock, random, root: "/values", owner: OWNER, livenessOf: () => "dead" }),
    nodeCache: (store as { value: DiskStore }).value.actions,
    workspaceRoot: "/work",
    runCommand: async () => ok(BUILT),
    ...(snapshots === undefined ? {} : { snapshots }),
  });
  const did = (path: string, attempt: number) => void executions.push({ path, attempt, atMs: clock.nowMs() });
  const graph = crashGraph({ clock, did });
  const recorded = recordsOf(world);
  const run = (await (recorded.length === 0 ? flow.start(graph, {}, { id: RUN }) : flow.resume(RUN, graph))) as FlowRun;
  let result: RunResult | undefined;
  void run.result.then((ended) => {
    result = ended;
  });
  void decideAhead(run, recorded);
  while (result === undefined && !isDone()) {
    await quiet();
    if (result !== undefined || isDone() || (await decideOpen(run))) continue;
    if (!clock.advanceToNext()) throw new Error(`the run stands still: ${JSON.stringify(run.peek().status)}`);
  }
  return { result, photographs, executions, startedMs: world.nowMs, world: { fs: world.fs, nowMs: clock.nowMs() } };
}

/** A gate that counts calls which change something, and lets the camera look at each. */
function filming(under: MemoryFileSystem, camera: Camera, photograph: (moment: Moment, progress: Progress) => void) {
  let nth = 0;
  return <T>(call: FileSystemCall, perform: Perform<T>): T => {
    if (!call.mutates) return perform();
    const moment = { nth: ++nth, call };
    const wanted = camera(moment);
    for (const progress of wanted) {
      if (progress === "after") continue;
      if (progress === "before" || call.operation !== "append") photograph(moment, "before");
      else torn(under, { call, perform, bytes: progress }, () => photograph(moment, progress));
    }
    const answer = perform();
    if (wanted.includes("after")) photograph(moment, "after");
    return answer;
  };
}

/** Writes a part of an append, calls back, and takes it away again. */
function torn<T>(
  under: MemoryFileSystem,
  { call, perform, bytes }: { readonly call: FileSystemCall; readonly perform: Perform<T>; readonly bytes: number },
  then: () => void,
): void {
  const before = under.lstat(call.path)!.sizeBytes;
  perform(bytes);
  then();
  const handle = under.openAppend(call.path);
  handle.truncate(before);
  handle.close();
}

/** What happens to a disk while nobody executes the run. */
export interface Between {
  readonly cache: "removed" | "collected";
  readonly snapshots: "removed" | "kept";
  /** How long the run stands still, in milliseconds. */
  readonly downMs: number;
}

/** Deletes the cache and collects everything that may be collected. @returns how many values went. */
export async function clean(world: World, { cache, snapshots, downMs }: Between): Promise<World & { removed: number }> {
  const { fs, nowMs } = world;
  const values = valuesOf(fs, nowMs + LATER_MS);
  const live = liveDigests(journalsOf(world), values);
  if (!live.ok) throw new Error(live.problem.message);
  const swept = await values.sweep(live.value);
  if (!swept.ok) throw new Error(swept.problem.message);
  if (cache === "removed") fs.removeTree("/cache");
  else await collectAll(world);
  for (const { name } of fs.readDirectory(`/journals/${RUN}`) ?? []) {
    if (snapshots === "removed" && name.endsWith(".snapshot")) fs.remove(`/journals/${RUN}/${name}`);
  }
  return { fs, nowMs: nowMs + downMs, removed: swept.value.removed };
}

async function collectAll({ fs, nowMs }: World): Promise<void> {
  const [clock, random] = [virtualClock(nowMs + LATER_MS), seededRandom(1)];
  const store = openDiskStore({ fs, clock, random, root: "/cache", owner: OWNER, livenessOf: () => "dead" });
  if (!store.ok) throw new Error(store.problem.message);
  const collected = await collectGarbage(store.value, { maxSizeBytes: 0, maxAgeMs: 0 });
  if (!collected.ok) throw new Error(collected.problem.message);
}
