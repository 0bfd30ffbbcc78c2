/**
 * What is claimed at one point of a log, kept by names: an oracle that shares no code and no idea with the kernel's
 * numbered resources.
 */
import type { ResourceClaim, ResourceLimits } from "@kahn/core";

/** Claims by node. */
export class ClaimLedger {
  private readonly limits: ResourceLimits;
  private readonly held = new Map<number, ResourceClaim>();

  constructor(limits: ResourceLimits) {
    this.limits = limits;
  }

  /** Nodes that hold something, or nothing by right. */
  get holders(): readonly number[] {
    return [...this.held.keys()];
  }

  take(node: number, claim: ResourceClaim): void {
    this.held.set(node, claim);
  }

  give(node: number): void {
    this.held.delete(node);
  }

  giveSlots(node: number): void {
    const claim = this.held.get(node);
    if (claim !== undefined) this.held.set(node, { ...claim, slots: 0 });
  }

  /** True if this claim could be added. */
  fits(claim: ResourceClaim): boolean {
    return this.excess([...this.held.values(), claim]) === undefined;
  }

  /** What is claimed beyond its limit, if anything. */
  overdrawn(): string | undefined {
    return this.excess([...this.held.values()]);
  }

  private excess(claims: readonly ResourceClaim[]): string | undefined {
    const { limits } = this;
    const sum = (amount: (claim: ResourceClaim) => number) => claims.reduce((total, claim) => total + amount(claim), 0);
    if (sum((claim) => claim.slots) > limits.slots) return "slots";
    if (sum((claim) => (claim.terminal ? 1 : 0)) > 1) return "terminal";
    for (const [pool, limit] of Object.entries(limits.pools)) {
      if (sum((claim) => poolAmount(claim, pool)) > limit) return `pool ${pool}`;
    }
    for (const [tag, cap] of Object.entries(limits.tagCaps)) {
      if (sum((claim) => (claim.tags.includes(tag) ? 1 : 0)) > cap) return `tag ${tag}`;
    }
    for (const name of new Set(claims.flatMap((claim) => claim.mutexes.map((mutex) => mutex.name)))) {
      const holders = claims.filter((claim) => claim.mutexes.some((mutex) => mutex.name === name));
      const isExclusive = holders.some((claim) =>
        claim.mutexes.some((mutex) => mutex.name === name && mutex.mode === "exclusive"),
      );
      if (isExclusive && holders.length > 1) return `mutex ${name}`;
    }
    return undefined;
  }
}

/** True if two claims want something in common. */
export function overlaps(left: ResourceClaim, right: ResourceClaim): boolean {
  return (
    (left.slots > 0 && right.slots > 0) ||
    (left.terminal && right.terminal) ||
    left.pools.some(([pool, amount]) => amount > 0 && poolAmount(right, pool) > 0) ||
    left.tags.some((tag) => right.tags.includes(tag)) ||
    left.mutexes.some((mutex) => right.mutexes.some((other) => other.name === mutex.name))
  );
}

function poolAmount(claim: ResourceClaim, pool: string): number {
  return claim.pools.reduce((sum, [name, amount]) => (name === pool ? sum + amount : sum), 0);
}
