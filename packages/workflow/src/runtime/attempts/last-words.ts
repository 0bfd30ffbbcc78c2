/** The end of what a command printed: so much of it is kept with a failure. */
const LINES_MAX = 20;
const CHARACTERS_MAX = 2000;

/** The last lines of a text, without the newline at its end. */
export function lastWords(text: string): string {
  return text.trimEnd().split("\n").slice(-LINES_MAX).join("\n").slice(-CHARACTERS_MAX);
}

/** Keeps the end of a text that comes in pieces. */
export class TextEnd {
  #text = "";

  add(piece: string): void {
    const all = this.#text + piece;
    this.#text = all.length > 4 * CHARACTERS_MAX ? all.slice(-2 * CHARACTERS_MAX) : all;
  }

  lastWords(): string {
    return lastWords(this.#text);
  }
}
