/** Where text goes. `kahn` gives the real terminal or a file; tests give a buffer. */

/** A place to write text to. */
export interface TextSink {
  write(text: string): void;
  /** True when lines already written can be replaced by control sequences. */
  readonly isTerminal: boolean;
  /** Whether colours are wanted. */
  readonly colour: boolean;
  /** Width in characters; asked before each drawing, because windows are resized. */
  columns(): number;
}

/** A sink that keeps what it was given: for tests and for text that is used further. */
export function bufferSink(
  options: Partial<Pick<TextSink, "isTerminal" | "colour">> = {},
): TextSink & { text(): string } {
  const parts: string[] = [];
  return {
    write: (text) => void parts.push(text),
    isTerminal: options.isTerminal ?? false,
    colour: options.colour ?? false,
    columns: () => 80,
    text: () => parts.join(""),
  };
}
