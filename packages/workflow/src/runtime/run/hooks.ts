/** Calls of code that only watches: whatever it does, the run goes on as if it were not there. */
import { nodeErrorOf } from "../../definition/failure.ts";
import type { StreamEvent } from "./event-stream.ts";

/** Calls a hook; what it throws, or what its promise rejects with, is a warning. */
export function callHook<E extends StreamEvent>(
  hook: (event: E) => unknown,
  event: E,
  warn: (message: string) => void,
): void {
  const report = (thrown: unknown) => warn(`a hook threw at ${event.type}: ${nodeErrorOf(thrown).message}`);
  try {
    const returned = hook(event);
    if (returned instanceof Promise) returned.catch(report);
  } catch (thrown) {
    report(thrown);
  }
}
