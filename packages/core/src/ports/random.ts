/** Port: randomness. Names of temporary files, run ids and samples come through here, so runs can be repeated. */

/** A source of random bytes. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array;
}

/** `length` random lower-case hex digits. */
export function randomHex(random: Random, length: number): string {
  return Buffer.from(random.bytes(Math.ceil(length / 2)))
    .toString("hex")
    .slice(0, length);
}

/** A whole number from 0 to `below - 1`, `below` at most 2^32. */
export function randomBelow(random: Random, below: number): number {
  const [a, b, c, d] = random.bytes(4);
  return Math.floor(((a! * 0x1000000 + b! * 0x10000 + c! * 0x100 + d!) / 0x1_0000_0000) * below);
}
