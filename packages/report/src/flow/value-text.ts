/** Values of a flow as JSON: for people cut to what fits, for machines whole. */

/** How much of a state people are shown. */
const TEXT_MAX = 400;
const LINES_MAX = 60;

/** Deeper than this a value is not shown; what nodes emit may contain itself. */
const DEPTH_MAX = 200;

/**
 * A value that JSON can say, near to one that a state may hold: dates as text, sets as lists, maps and bytes as what
 * they hold, numbers that JSON does not have as text, and a value within itself as "(circular)".
 */
export function jsonOf(value: unknown): unknown {
  return plain(value, []);
}

/** @param above the values that it is in, outermost first. */
function plain(value: unknown, above: object[]): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (above.includes(value)) return "(circular)";
  if (above.length >= DEPTH_MAX) return "(too deep)";
  above.push(value);
  const shown = plainParts(value, (item) => plain(item, above));
  above.pop();
  return shown;
}

function plainParts(value: object, inner: (item: unknown) => unknown): unknown {
  if (value instanceof Set) return [...value].map(inner);
  if (value instanceof Map) return { entries: [...value].map(([key, item]) => [inner(key), inner(item)]) };
  if (Array.isArray(value)) return value.map(inner);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item)]));
}

/** A state over several lines, cut where it is long, ending with a newline. */
export function stateText(state: Readonly<Record<string, unknown>>): string {
  const lines = JSON.stringify(cut(jsonOf(state)), null, 2).split("\n");
  if (lines.length <= LINES_MAX) return `${lines.join("\n")}\n`;
  return `${lines.slice(0, LINES_MAX).join("\n")}\n… and ${lines.length - LINES_MAX} more lines\n`;
}

/** A value on one line, at most so many characters of it. */
export function valueText(value: unknown, widthMax: number): string {
  return clip(JSON.stringify(jsonOf(value)) ?? "nothing", widthMax);
}

/** A line cut to a width. */
export function clip(line: string, widthMax: number): string {
  return line.length <= widthMax ? line : `${line.slice(0, Math.max(0, widthMax - 1))}…`;
}

function cut(value: unknown): unknown {
  if (typeof value === "string") {
    return value.length <= TEXT_MAX ? value : `${value.slice(0, TEXT_MAX)}… (${value.length} characters)`;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(cut);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cut(item)]));
}
