/** Colours: eight names, on or off as a whole. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;

/** Colours a text, or gives it back as it is. */
export type Paint = (text: string, colour: keyof typeof CODES) => string;

/** A painter for a sink's wish. */
export function painter(colour: boolean): Paint {
  return colour ? (text, name) => `\u001b[${CODES[name]}m${text}\u001b[0m` : (text) => text;
}

const PREFIX_COLOURS = ["cyan", "magenta", "blue", "yellow", "green"] as const;

/** The same colour for the same label in every run. */
export function labelColour(label: string): (typeof PREFIX_COLOURS)[number] {
  let hash = 0;
  for (let index = 0; index < label.length; index++) hash = (hash * 31 + label.charCodeAt(index)) >>> 0;
  return PREFIX_COLOURS[hash % PREFIX_COLOURS.length]!;
}
