/** The command line: reads the arguments and runs the command. */

/** Runs one command line. Returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  process.stderr.write(`kahn: ${argv.join(" ")}: not built yet\n`);
  return 2;
}
