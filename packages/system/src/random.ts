/** The `Random` port on the operating system's generator. */
import { randomBytes } from "node:crypto";
import type { Random } from "@kahn/core";

/** Unpredictable bytes. */
export function nodeRandom(): Random {
  return { bytes: (length) => randomBytes(length) };
}
