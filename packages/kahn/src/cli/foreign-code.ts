/**
 * Code that is not Kahn's, in Kahn's process: what it prints, what it throws where nobody catches, and its ending of the
 * process.
 *
 * Owns:      the listeners for that; the host arms and disarms them.
 * Invariant: a watcher is told at most once, and never when Kahn itself ends the process.
 */

/** Is told what foreign code did to the process; answers with the exit code. */
export interface CodeWatcher {
  /** The process is being ended, and not because nothing is left to do. */
  ended(): number;
  /** Something was thrown, or a promise rejected, and nobody caught it; the process ends after the answer. */
  uncaught(thrown: unknown, how: "exception" | "rejection"): number;
}

/** Watches until the answer is called. @param exit ends the process once what was printed is out. */
export function watchForeignCode(watcher: CodeWatcher, exit: (code: number) => unknown): () => void {
  let isIdle = false;
  const idle = () => {
    isIdle = true;
  };
  const ended = () => {
    stop();
    if (!isIdle) process.exitCode = watcher.ended();
  };
  const uncaught = (thrown: unknown, origin: string) => {
    stop();
    // What is thrown until the process has ended changes nothing any more.
    process.on("uncaughtException", () => {});
    exit(watcher.uncaught(thrown, origin === "unhandledRejection" ? "rejection" : "exception"));
  };
  const stop = () => {
    process.off("beforeExit", idle);
    process.off("exit", ended);
    process.off("uncaughtException", uncaught);
  };
  process.on("beforeExit", idle);
  process.on("exit", ended);
  process.on("uncaughtException", uncaught);
  return stop;
}

/** From now on whatever is written to standard output goes to standard error; the answer still writes to the former. */
export function divertOutput(stream: NodeJS.WriteStream): NodeJS.WriteStream["write"] {
  const write = stream.write.bind(stream) as NodeJS.WriteStream["write"];
  stream.write = process.stderr.write.bind(process.stderr) as NodeJS.WriteStream["write"];
  return write;
}
