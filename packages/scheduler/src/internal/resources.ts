/**
 * What there is to claim, what is taken, and what the head of the queue has reserved.
 *
 * Owns:      interned claims, the amounts in use, and the rule by which a smaller node may pass a larger one.
 * Invariant: a claim is taken and given back as one vector; no amount in use exceeds its capacity.
 *
 * Everything is an amount of a numbered resource. A tag cap counts its carriers. A mutex holds MUTEX_WHOLE units:
 * shared holders take one, an exclusive holder takes all.
 */
import { InvariantError, type ResourceClaim, type ResourceLimits } from "@kahn/core";
import type { DeltaProblem, WaitReason } from "../kernel-types.ts";

const SLOTS = 0;
const TERMINAL = 1;
const MUTEX_WHOLE = 2 ** 30;

/** A claim as pairs of resource and positive amount; each resource at most once, slots first. */
interface InternedClaim {
  readonly resources: readonly number[];
  readonly amounts: readonly number[];
  readonly slots: number;
  /** Why it can never be met; the node's number is filled in by the reader. */
  readonly problems: readonly ClaimProblem[];
}

/** Why a claim can never be met. */
export type ClaimProblem =
  | Omit<Extract<DeltaProblem, { code: "unknown-pool" }>, "node">
  | Omit<Extract<DeltaProblem, { code: "claim-exceeds-limit" }>, "node">;

/** The head of the queue does not fit: what it reserves, and what will be given back to it. */
export interface Reservation {
  /** The claim reserved for. */
  readonly claim: number;
  /** By resource that is not short: what is free again, at the least, once a short one no longer is. */
  readonly promised: ReadonlyMap<number, number>;
}

/** The ledger of one kernel. */
export class Resources {
  private readonly limits: ResourceLimits;
  private readonly capacity: number[] = [];
  private readonly inUse: number[] = [];
  private readonly reasons: WaitReason[] = [];
  /** By resource but slots: the claims that hold it now, by node. */
  private readonly holders: Map<number, number>[] = [];
  /** Running nodes that gave back their slots before their end. */
  private readonly slotsGiven = new Set<number>();
  private readonly numbers = new Map<string, number>();
  private readonly claims: InternedClaim[] = [];
  /** Claims of slots alone are nearly all there are: found without building a text. */
  private readonly bySlots = new Map<number, number>();
  private readonly byText = new Map<string, number>();

  constructor(limits: ResourceLimits) {
    if (!(limits.slots >= 0) || !(limits.io >= 1)) {
      throw new InvariantError(`a kernel needs slots ≥ 0 and io ≥ 1, not ${limits.slots} and ${limits.io}`);
    }
    this.limits = limits;
    this.define("slots", limits.slots, { kind: "slots" });
    this.define("terminal", 1, { kind: "terminal" });
  }

  /** Number of distinct claims seen. */
  get claimCount(): number {
    return this.claims.length;
  }

  /** True while at least one slot is free. */
  get hasFreeSlot(): boolean {
    return this.inUse[SLOTS]! < this.capacity[SLOTS]!;
  }

  /** How many slots a claim asks for. */
  slotsOf(claim: number): number {
    return this.claims[claim]!.slots;
  }

  /** Why a claim can never be met; empty for a sound one. */
  problemsOf(claim: number): readonly ClaimProblem[] {
    return this.claims[claim]!.problems;
  }

  /** Why a claim can never be met beside others that last: services. Their slots do not count, they are given back. */
  problemsBeside(claim: number, lasting: readonly number[]): ClaimProblem[] {
    if (lasting.some((each) => this.problemsOf(each).length > 0)) return [];
    const all = [claim, ...lasting];
    const resources = new Set(all.flatMap((each) => this.claims[each]!.resources));
    resources.delete(SLOTS);
    return [...resources].flatMap((resource) => {
      const asked = all.reduce((sum, each) => sum + this.amountOf(each, resource), 0);
      const limit = this.capacity[resource]!;
      if (asked <= limit) return [];
      const name = this.nameOf(resource);
      // Units of a mutex mean nothing to a reader: count its holders.
      if (limit !== MUTEX_WHOLE) return [{ code: "claim-exceeds-limit", resource: name, asked, limit }];
      const holders = all.filter((each) => this.amountOf(each, resource) > 0).length;
      return [{ code: "claim-exceeds-limit", resource: name, asked: holders, limit: 1 }];
    });
  }

  /** The number of a claim; equal claims have equal numbers. */
  intern(claim: ResourceClaim): number {
    const plain = !claim.terminal && claim.pools.length + claim.mutexes.length + claim.tags.length === 0;
    if (plain) {
      const known = this.bySlots.get(claim.slots);
      if (known !== undefined) return known;
    }
    const compiled = this.compile(claim);
    const text = `${compiled.resources.join()}/${compiled.amounts.join()}/${JSON.stringify(compiled.problems)}`;
    let number = this.byText.get(text);
    if (number === undefined) {
      number = this.claims.push(compiled) - 1;
      this.byText.set(text, number);
    }
    if (plain) this.bySlots.set(claim.slots, number);
    return number;
  }

  /** True if the whole claim is free now. */
  fits(claim: number): boolean {
    const { resources, amounts } = this.claims[claim]!;
    for (let at = 0; at < resources.length; at++) {
      if (this.inUse[resources[at]!]! + amounts[at]! > this.capacity[resources[at]!]!) return false;
    }
    return true;
  }

  /** Takes a claim that fits, for a node. */
  take(claim: number, node: number): void {
    if (!this.fits(claim)) throw new InvariantError(`node ${node} takes a claim that is not free`);
    this.move(claim, node, 1);
  }

  /** Gives back all that a node still holds of its claim. */
  give(claim: number, node: number): void {
    this.move(claim, node, -1);
    if (this.slotsGiven.delete(node)) this.inUse[SLOTS]! += this.claims[claim]!.slots;
  }

  /** Gives back the slots of a running node's claim, and keeps the rest of it. */
  giveSlots(claim: number, node: number): void {
    this.slotsGiven.add(node);
    this.inUse[SLOTS]! -= this.claims[claim]!.slots;
  }

  /** What of a claim is not free now, for a reader. */
  shortages(claim: number): WaitReason[] {
    const { resources, amounts } = this.claims[claim]!;
    const short = resources.filter((resource, at) => this.free(resource) < amounts[at]!);
    return short.map((resource) => this.reasons[resource]!);
  }

  /**
   * Reserves for a node that does not fit. Call `mayPass` with the answer before anything else is taken or given.
   *
   * Nothing short may be taken by others until the node has started. Of the rest others may have what the node
   * leaves over, counting what the holders of a short resource give back with it: beside a holder of the only mutex
   * with one slot, the other slots are not idle, because that holder's own slot comes free with the mutex.
   */
  reserve(claim: number): Reservation {
    const { resources, amounts } = this.claims[claim]!;
    const short = new Set(resources.filter((resource, at) => this.free(resource) < amounts[at]!));
    const promised = new Map<number, number>();
    for (const blocker of short) {
      // Slots promise nothing: a service gives its slots back alone, when it answers.
      if (blocker === SLOTS) continue;
      for (const resource of resources) {
        if (short.has(resource)) continue;
        let least = Number.POSITIVE_INFINITY;
        for (const [node, held] of this.holders[blocker]!) {
          const amount = resource === SLOTS && this.slotsGiven.has(node) ? 0 : this.amountOf(held, resource);
          least = Math.min(least, amount);
        }
        if (Number.isFinite(least)) promised.set(resource, Math.max(promised.get(resource) ?? 0, least));
      }
    }
    return { claim, promised };
  }

  /** True if a claim fits and cannot delay the node that has reserved. */
  mayPass(claim: number, reservation: Reservation): boolean {
    if (!this.fits(claim)) return false;
    const { resources, amounts } = this.claims[claim]!;
    for (let at = 0; at < resources.length; at++) {
      const resource = resources[at]!;
      const reserved = this.amountOf(reservation.claim, resource);
      if (reserved === 0) continue;
      const left = this.free(resource) - amounts[at]! + (reservation.promised.get(resource) ?? 0);
      if (left < reserved) return false;
    }
    return true;
  }

  private free(resource: number): number {
    return this.capacity[resource]! - this.inUse[resource]!;
  }

  private amountOf(claim: number, resource: number): number {
    const { resources, amounts } = this.claims[claim]!;
    const at = resources.indexOf(resource);
    return at === -1 ? 0 : amounts[at]!;
  }

  private move(claim: number, node: number, sign: 1 | -1): void {
    const { resources, amounts } = this.claims[claim]!;
    for (let at = 0; at < resources.length; at++) {
      const resource = resources[at]!;
      this.inUse[resource]! += sign * amounts[at]!;
      if (resource === SLOTS) continue;
      if (sign === 1) this.holders[resource]!.set(node, claim);
      else this.holders[resource]!.delete(node);
    }
  }

  private define(key: string, capacity: number, reason: WaitReason): number {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.capacity.push(capacity) - 1;
    this.inUse.push(0);
    this.reasons.push(reason);
    this.holders.push(new Map());
    this.numbers.set(key, number);
    return number;
  }

  private compile(claim: ResourceClaim): InternedClaim {
    const amounts = new Map<number, number>([[SLOTS, claim.slots]]);
    const problems: ClaimProblem[] = [];
    if (claim.terminal) amounts.set(TERMINAL, 1);
    for (const [pool, amount] of claim.pools) {
      if (!Object.hasOwn(this.limits.pools, pool)) {
        problems.push({ code: "unknown-pool", pool });
        continue;
      }
      const resource = this.define(`pool:${pool}`, this.limits.pools[pool]!, { kind: "pool", name: pool });
      amounts.set(resource, (amounts.get(resource) ?? 0) + amount);
    }
    for (const { name, mode } of claim.mutexes) {
      const resource = this.define(`mutex:${name}`, MUTEX_WHOLE, { kind: "mutex", name });
      amounts.set(resource, Math.max(amounts.get(resource) ?? 0, mode === "exclusive" ? MUTEX_WHOLE : 1));
    }
    for (const tag of claim.tags) {
      if (!Object.hasOwn(this.limits.tagCaps, tag)) continue;
      amounts.set(this.define(`tag:${tag}`, this.limits.tagCaps[tag]!, { kind: "tag", name: tag }), 1);
    }
    for (const [resource, amount] of amounts) {
      if (!(amount >= 0 && amount < Number.POSITIVE_INFINITY)) throw new InvariantError(`a claim of ${amount} units`);
      const limit = this.capacity[resource]!;
      if (amount > limit)
        problems.push({ code: "claim-exceeds-limit", resource: this.nameOf(resource), asked: amount, limit });
    }
    const parts = [...amounts].filter(([, amount]) => amount > 0).sort(([left], [right]) => left - right);
    return {
      resources: parts.map(([resource]) => resource),
      amounts: parts.map(([, amount]) => amount),
      slots: claim.slots,
      problems,
    };
  }

  private nameOf(resource: number): string {
    const reason = this.reasons[resource]!;
    return "name" in reason ? `${reason.kind}:${reason.name}` : reason.kind;
  }
}
