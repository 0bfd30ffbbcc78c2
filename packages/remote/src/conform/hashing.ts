/** Digest functions, computed apart from the server's code: Node's, and BLAKE3 by hash-wasm. */
import { createHash } from "node:crypto";
import { createBLAKE3, type IHasher } from "hash-wasm";

/** `DigestFunction.Value` of those that are computed here. */
export const Fn = { sha256: 1, sha1: 2, md5: 3, sha384: 5, sha512: 6, blake3: 9 } as const;
/** One of them. */
export type FunctionNumber = (typeof Fn)[keyof typeof Fn];

/** All of them. */
export const FUNCTIONS: readonly FunctionNumber[] = Object.values(Fn);

/** A digest as messages have it. */
export interface DigestMessage {
  readonly hash: string;
  readonly sizeBytes: number;
}

let blake3: IHasher | undefined;

/** To be called once before anything is hashed. */
export async function loadHashing(): Promise<void> {
  blake3 ??= await createBLAKE3();
}

/** For people, and for resource names. */
export function functionName(fn: FunctionNumber): string {
  return Object.entries(Fn).find(([, number]) => number === fn)![0];
}

/** True for functions that no hash's length stands for, so that they must be named. */
export function mustBeNamed(fn: FunctionNumber): boolean {
  return fn === Fn.blake3;
}

/** The digest of bytes. */
export function digestWith(fn: FunctionNumber, bytes: Uint8Array): DigestMessage {
  const hash = fn === Fn.blake3 ? blake3!.init().update(bytes).digest("hex") : ofNode(fn, bytes);
  return { hash, sizeBytes: bytes.length };
}

function ofNode(fn: FunctionNumber, bytes: Uint8Array): string {
  return createHash(functionName(fn)).update(bytes).digest("hex");
}
