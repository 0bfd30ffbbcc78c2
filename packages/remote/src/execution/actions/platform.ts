/**
 * Platforms: which worker an action may run on.
 *
 * Owns:      the properties that are known, how each is compared, and the spellings of values that mean the same.
 * Invariant: two platforms that the same workers fit have the same pool; the pool says all that a worker must have.
 * Source:    platform.md of remote-apis for names and values; what rules_* and toolchains of Bazel send, for the rest.
 */
import type { Property, Result } from "@kahn/core";
import { compareUtf8, err, ok } from "@kahn/core";

/**
 * How a property is treated. `matched`: the worker must have the value. `ignored`: taken and not looked at, because it
 * is about another server's way of running things (a container's image above all) or a hint.
 */
export type PropertyRule = "matched" | "ignored";

/** What platforms may say. */
export type PlatformPolicy = Readonly<Record<string, PropertyRule>>;

/** What clients send to servers of other makers and expect to be able to send here. */
export const DEFAULT_PLATFORM_POLICY: PlatformPolicy = {
  ...{ OSFamily: "matched", ISA: "matched", Arch: "matched", Pool: "matched" },
  ...{
    "container-image": "ignored",
    dockerNetwork: "ignored",
    dockerPrivileged: "ignored",
    dockerRunAsRoot: "ignored",
  },
  ...{ dockerUser: "ignored", dockerReuse: "ignored", dockerSiblingContainers: "ignored", network: "ignored" },
  ...{ EstimatedComputeUnits: "ignored", EstimatedCPU: "ignored", EstimatedMemory: "ignored", cores: "ignored" },
  ...{ "cache-silo-key": "ignored", "recycle-runner": "ignored", "workload-isolation-type": "ignored" },
  ...{ persistentWorkerKey: "ignored", persistentWorkerProtocol: "ignored", gceMachineType: "ignored" },
  ...{ "supports-workers": "ignored", "requires-worker-protocol": "ignored", "persistent-workers": "ignored" },
  ...{ "supports-multiplex-workers": "ignored", "supports-multiplex-sandboxing": "ignored" },
  ...{ "supports-worker-cancellation": "ignored" },
};

/** Properties that are one: an action's `Arch` is a worker's `ISA`. */
const NAMES: Readonly<Record<string, string>> = { Arch: "ISA" };

/** Values that are one, lower case. */
const VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  OSFamily: { darwin: "macos", osx: "macos" },
  ISA: { amd64: "x86-64", x86_64: "x86-64", arm64: "arm-a64", aarch64: "arm-a64" },
};

/**
 * What a worker must have to run an action of this platform, as a text: equal for equal needs.
 *
 * @returns or what is wrong with it, for INVALID_ARGUMENT.
 */
export function poolOf(platform: readonly Property[], policy: PlatformPolicy): Result<string, string> {
  const needs = new Set<string>();
  for (const { name, value } of platform) {
    const rule = Object.hasOwn(policy, name) ? policy[name] : undefined;
    if (rule === undefined) {
      const known = Object.keys(policy).sort(compareUtf8).join(", ");
      return err(`platform property ${JSON.stringify(name)} is not known here; known are ${known}`);
    }
    if (rule === "matched") needs.add(needOf(name, value));
  }
  return ok([...needs].sort(compareUtf8).join("\n"));
}

/** What a worker has, to be compared with pools. */
export function workerHas(properties: Readonly<Record<string, readonly string[]>>): ReadonlySet<string> {
  const has = new Set<string>();
  for (const [name, values] of Object.entries(properties)) for (const value of values) has.add(needOf(name, value));
  return has;
}

/** True when a worker that has this fits the pool. */
export function fitsPool(has: ReadonlySet<string>, pool: string): boolean {
  return pool === "" || pool.split("\n").every((need) => has.has(need));
}

/** A pool for people. */
export function poolText(pool: string): string {
  return pool === "" ? "no property" : pool.replaceAll("\n", ", ");
}

function needOf(name: string, value: string): string {
  const canonical = NAMES[name] ?? name;
  const spellings = VALUES[canonical];
  const text = spellings === undefined ? value : (spellings[value.toLowerCase()] ?? value.toLowerCase());
  return `${canonical}=${JSON.stringify(text)}`;
}
