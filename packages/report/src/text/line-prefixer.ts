/** Puts a prefix before each line of a stream of bytes, holding back an unfinished line until it is whole. */

/** A stream of bytes made into prefixed lines. */
export class LinePrefixer {
  readonly #prefix: string;
  readonly #write: (text: string) => void;
  // Decodes across chunks, so that a character cut in two is not shown as two wrong ones.
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(prefix: string, write: (text: string) => void) {
    this.#prefix = prefix;
    this.#write = write;
  }

  /** Takes bytes and writes every line that they finish, in one write. */
  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    if (lines.length > 0) this.#write(lines.map((line) => `${this.#prefix}${line}\n`).join(""));
  }

  /** Writes an unfinished last line, with a newline. */
  end(): void {
    const last = this.#rest + this.#decoder.decode();
    this.#rest = "";
    if (last !== "") this.#write(`${this.#prefix}${last}\n`);
  }
}
