/** The contract of `Random`. */
import assert from "node:assert/strict";
import type { Random } from "@kahn/core";
import { randomBelow, randomHex } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A source of randomness under test. */
export interface RandomSubject extends ContractSubject {
  readonly random: Random;
}

/** The cases for a source of randomness. */
export function randomContract(make: MakeSubject<RandomSubject>): readonly ContractCase[] {
  return contractCases<RandomSubject>(make, {
    "it gives as many bytes as it is asked for": ({ random }) => {
      for (const length of [0, 1, 3, 4, 5, 16, 1000]) assert.equal(random.bytes(length).byteLength, length);
    },
    "every answer is fresh, and later ones do not overwrite it": ({ random }) => {
      const first = random.bytes(16);
      const copy = Uint8Array.from(first);
      assert.notDeepEqual(Uint8Array.from(random.bytes(16)), copy);
      assert.deepEqual(Uint8Array.from(first), copy);
    },
    "every value of a byte comes up, about equally often": ({ random }) => {
      const times = new Array<number>(256).fill(0);
      for (const byte of random.bytes(256 * 256)) times[byte]!++;
      // 256 expected, deviation 16: eight deviations leave no room for chance.
      assert.ok(
        times.every((count) => count > 128 && count < 384),
        `${Math.min(...times)}…${Math.max(...times)}`,
      );
    },
    "hex digits come in the number asked for": ({ random }) => {
      for (const length of [1, 2, 7, 32]) assert.match(randomHex(random, length), new RegExp(`^[0-9a-f]{${length}}$`));
    },
    "numbers below a limit reach all values and stay below": ({ random }) => {
      const seen = new Set<number>();
      for (let draw = 0; draw < 500; draw++) seen.add(randomBelow(random, 5));
      assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
    },
  });
}
