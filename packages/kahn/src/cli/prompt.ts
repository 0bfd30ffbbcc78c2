/**
 * One question at a terminal: a line that can be edited, lines printed above it, and a way to take it back.
 *
 * Invariant: what was typed and not sent is thrown away with the question, so that it never answers the next one.
 */
import { clearLine, createInterface, cursorTo } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";

/** A question that is shown. */
export interface Prompt {
  /** What was typed; `undefined` when the input ended (Ctrl-D) or the question was taken back. */
  readonly answer: Promise<string | undefined>;
  /** Writes whole lines above the question. */
  above(text: string): void;
  /** Takes the question back. */
  dismiss(): void;
}

/** Shows a question of one line. Ctrl-C is the signal that it would be without one. */
export function openPrompt(question: string, input: ReadStream, output: WriteStream): Prompt {
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  const wipe = () => {
    cursorTo(output, 0);
    clearLine(output, 0);
  };
  lines.on("SIGINT", () => {
    wipe();
    process.kill(process.pid, "SIGINT");
  });
  const answer = new Promise<string | undefined>((resolve) => {
    lines.on("close", () => resolve(undefined));
    // A terminal that is closed refuses everything; the signal that comes with it ends the run.
    lines.on("error", () => resolve(undefined));
    lines.question(question, (line) => {
      resolve(line);
      lines.close();
    });
  });
  return {
    answer,
    above(text) {
      wipe();
      output.write(text);
      lines.prompt(true);
    },
    dismiss() {
      wipe();
      lines.close();
    },
  };
}
