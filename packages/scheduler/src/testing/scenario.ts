/**
 * Random graphs for simulations: valid and broken deltas, every kind of claim, services.
 *
 * Invariant: services claim slots only; services that hold more and wait for each other can be made to deadlock, which
 *            is reported as a stall and has tests of its own.
 */
import type { MutexClaim, ResourceClaim, ResourceLimits } from "@kahn/core";
import type { KernelOptions, NodeSpec } from "../kernel-types.ts";
import type { SeededRandom } from "./seeded.ts";

/** What to simulate. */
export interface Scenario {
  readonly options: KernelOptions;
  /** In order of admission; some are broken and must be refused. */
  readonly deltas: readonly (readonly NodeSpec[])[];
  /** Probabilities of the answers. */
  readonly hit: number;
  readonly failure: number;
  /** Probability of a cancel per step. */
  readonly cancel: number;
}

/** Draws a scenario of up to about 40 nodes. */
export function randomScenario(random: SeededRandom): Scenario {
  const limits: ResourceLimits = {
    slots: 1 + random.below(4),
    pools: { db: 1 + random.below(3), memory: 4 },
    tagCaps: { heavy: 1, e2e: 2 },
    io: 1 + random.below(4),
  };
  const services = random.chance(0.25) ? 0.15 : 0;
  const deltas: NodeSpec[][] = [];
  let admitted = 0;
  for (let left = random.chance(0.6) ? 1 : random.below(5); left > 0; left--) {
    const size = random.below(random.chance(0.3) ? 30 : 9);
    const delta = randomDelta(random, { first: admitted, size, limits, services });
    if (random.chance(0.15)) deltas.push(broken(random, delta, admitted));
    deltas.push(delta);
    admitted += size;
  }
  return {
    options: { limits, failure: random.chance(0.7) ? "keep-going" : "fail-fast" },
    deltas,
    hit: random.pick([0, 0.2, 0.6, 1]),
    failure: random.pick([0, 0, 0.05, 0.2]),
    cancel: random.chance(0.3) ? 0.03 : 0,
  };
}

interface DeltaShape {
  readonly first: number;
  readonly size: number;
  readonly limits: ResourceLimits;
  readonly services: number;
}

/** Acyclic by construction: edges go down a random ranking, so they point to lower and to higher numbers. */
function randomDelta(random: SeededRandom, { first, size, limits, services }: DeltaShape): NodeSpec[] {
  const rank = Array.from({ length: size }, () => random.below(1000));
  const density = random.pick([0.5, 1.5, 3]);
  return rank.map((own, at) => {
    const node = first + at;
    const candidates = Array.from({ length: node }, (_, other) => other).filter(
      (other) => other < first || rank[other - first]! < own,
    );
    for (let other = node + 1; other < first + size; other++) if (rank[other - first]! < own) candidates.push(other);
    const lifetime = random.chance(services) ? random.pick(["service", "service", "pinned"] as const) : "task";
    return {
      requires: chosen(random, candidates, density),
      after: chosen(random, candidates, density / 3),
      validates: size > 1 && random.chance(0.1) ? [first + ((at + 1) % size)] : [],
      claim: lifetime === "task" ? randomClaim(random, limits) : plainClaim(random.below(2)),
      priorityClass: random.chance(0.2) ? random.below(3) - 1 : 0,
      weightMs: random.pick([0, 1, 5, 5, 20, random.below(100)]),
      lifetime,
    };
  });
}

/** Some of the candidates, now and then one twice. */
function chosen(random: SeededRandom, candidates: readonly number[], mean: number): number[] {
  if (candidates.length === 0) return [];
  const list = Array.from({ length: random.below(Math.round(2 * mean) + 1) }, () => random.pick(candidates));
  if (list.length > 0 && random.chance(0.2)) list.push(list[0]!);
  return list;
}

function plainClaim(slots: number): ResourceClaim {
  return { slots, pools: [], mutexes: [], tags: [], terminal: false };
}

function randomClaim(random: SeededRandom, limits: ResourceLimits): ResourceClaim {
  if (random.chance(0.4)) return plainClaim(1);
  const pools: (readonly [string, number])[] = [];
  if (random.chance(0.3)) pools.push(["db", 1 + random.below(limits.pools.db!)]);
  if (random.chance(0.2)) pools.push(["memory", random.below(5)]);
  const mutexes: MutexClaim[] = [];
  if (random.chance(0.35)) mutexes.push({ name: random.pick(["a", "b"]), mode: random.pick(["shared", "exclusive"]) });
  if (random.chance(0.1)) mutexes.push({ name: random.pick(["a", "b"]), mode: random.pick(["shared", "exclusive"]) });
  const tags = ["heavy", "e2e", "free"].filter(() => random.chance(0.15));
  return { slots: random.below(limits.slots + 1), pools, mutexes, tags, terminal: random.chance(0.15) };
}

/** A delta with one to three faults in it. */
function broken(random: SeededRandom, delta: readonly NodeSpec[], first: number): NodeSpec[] {
  const specs = [...delta];
  if (specs.length === 0) specs.push({ ...BLANK });
  for (let faults = 1 + random.below(3); faults > 0; faults--) {
    const at = random.below(specs.length);
    const spec = specs[at]!;
    const beyond = first + specs.length + random.below(3);
    const faulty = random.pick<() => Partial<NodeSpec>>([
      () => ({ requires: [...spec.requires, first + at] }),
      () => ({ validates: [first + at] }),
      () => ({ after: [...spec.after, beyond] }),
      () => ({ requires: [-1, ...spec.requires] }),
      () => ({ claim: { ...spec.claim, pools: [["no-such-pool", 1]] } }),
      () => ({ claim: { ...spec.claim, slots: 99 } }),
      () => ({
        claim: {
          ...spec.claim,
          pools: [
            ["memory", 3],
            ["memory", 2],
          ],
        },
      }),
    ]);
    specs[at] = { ...spec, ...faulty() };
  }
  if (specs.length < 2 || random.chance(0.5)) return specs;
  return withRing(random, delta, first);
}

/** Closes a ring through some nodes of the delta, over both kinds of edges. */
function withRing(random: SeededRandom, delta: readonly NodeSpec[], first: number): NodeSpec[] {
  const specs = [...delta];
  const length = 2 + random.below(specs.length - 1);
  for (let at = 0; at < length; at++) {
    const next = first + ((at + 1) % length);
    const spec = specs[at]!;
    specs[at] = random.chance(0.5) ? { ...spec, requires: [...spec.requires, next] } : { ...spec, after: [next] };
  }
  return specs;
}

const BLANK: NodeSpec = {
  requires: [],
  after: [],
  validates: [],
  claim: plainClaim(1),
  priorityClass: 0,
  weightMs: 1,
  lifetime: "task",
};
