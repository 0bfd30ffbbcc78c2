/**
 * Hash engines for every digest function that REAPI allows and Kahn knows.
 *
 * Owns:      loading `blake3`, which Node's crypto does not have, at its first use.
 * Invariant: a hasher started before another one ends gives the same hash as alone.
 */
import type { Digest, DigestFunction, Hasher } from "@kahn/core";
import { digestOf, isNativeDigestFunction, makeDigest, nativeHasher } from "@kahn/core";

/** Digests bytes that are whole, or starts a hasher for those that come in pieces. */
export interface HashEngine {
  readonly fn: DigestFunction;
  digest(bytes: Uint8Array): Digest;
  start(): Hasher;
}

/** The engine of a function that Node computes itself; `undefined` for one that has to be loaded. */
export function nativeEngine(fn: DigestFunction): HashEngine | undefined {
  if (!isNativeDigestFunction(fn)) return undefined;
  return { fn, digest: (bytes) => digestOf(bytes, fn), start: () => nativeHasher(fn) };
}

let blake3: Promise<HashEngine> | undefined;

/** The engine of any function; `blake3` is loaded once per process. */
export async function loadEngine(fn: DigestFunction): Promise<HashEngine> {
  const native = nativeEngine(fn);
  if (native !== undefined) return native;
  blake3 ??= loadBlake3();
  return await blake3;
}

/** Starts hashers of a function: `(await loadHasher("blake3"))()`. */
export async function loadHasher(fn: DigestFunction): Promise<() => Hasher> {
  const engine = await loadEngine(fn);
  return () => engine.start();
}

async function loadBlake3(): Promise<HashEngine> {
  const { createBLAKE3 } = await import("hash-wasm");
  const machine = await createBLAKE3();
  // One machine serves all hashers: whoever uses it after another one loads its own state first.
  let current: object | undefined;
  const start = (): Hasher => {
    const self = {};
    let state: Uint8Array | undefined;
    const takeOver = () => {
      if (current === self) return;
      if (state === undefined) machine.init();
      else machine.load(state);
      current = self;
    };
    return {
      update(bytes) {
        takeOver();
        machine.update(bytes);
        state = machine.save();
      },
      hex() {
        takeOver();
        current = undefined;
        return machine.digest("hex");
      },
    };
  };
  const digest = (bytes: Uint8Array): Digest => {
    current = undefined;
    return makeDigest("blake3", machine.init().update(bytes).digest("hex"), bytes.byteLength);
  };
  return { fn: "blake3", digest, start };
}
