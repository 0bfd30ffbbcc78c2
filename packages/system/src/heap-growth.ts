/**
 * How soon V8 collects all garbage, for processes through which many bytes flow.
 *
 * Bytes that are received count as growth of the heap until they are collected. By itself V8 lets a small heap grow by
 * little before it marks all of it again: three times for an upload of 64 MiB, for a third of what that costs. Young
 * garbage, which nearly all of it is, goes without.
 */
import { setFlagsFromString } from "node:v8";

/** Five times what lives; by itself V8 goes from little more than once to four times. It still heeds the limit of the heap. */
const GROWTH_PERCENT = 400;

/** Lets the heap grow to five times its living part before all of it is marked. For the whole process; cannot be undone. */
export function growHeapFreely(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
