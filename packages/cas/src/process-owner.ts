/** Who uses a store: enough to tell later, from another process, whether that one still lives. */

/** Names one process among all processes of all times; `system`'s `ownIdentity()` gives one. */
export interface ProcessOwner {
  readonly pid: number;
  /** Opaque; tells a process from a later one of the same pid. */
  readonly startedAt: string;
  /** Changes with every boot; may end in `/namespace`. */
  readonly bootId: string;
  readonly host: string;
}

/** Whether a process lives; `unknown` for one whose process table cannot be read from here. */
export type Liveness = (owner: ProcessOwner) => "alive" | "dead" | "unknown";

/** Reads an owner from text; `undefined` when it is none. */
export function parseOwner(text: string): ProcessOwner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  const { pid, startedAt, bootId, host } = (value ?? {}) as Partial<ProcessOwner>;
  if (typeof pid !== "number" || typeof startedAt !== "string") return undefined;
  if (typeof bootId !== "string" || typeof host !== "string") return undefined;
  return { pid, startedAt, bootId, host };
}
