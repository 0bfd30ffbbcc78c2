#!/usr/bin/env node
/**
 * The command-line file: answers `--version`, refuses what cannot work, and only then loads the rest.
 *
 * Owns:      the first milliseconds, and handing the exit code to the process.
 * Never:     imports statically anything but the version: each module here is paid for by every start.
 * Invariant: the syntax and the built-in modules used here exist in every Node since 14, so that an old Node prints
 *            the refusal and not a stack.
 */
import module from "node:module";
import { VERSION } from "./version.ts";

const argv = process.argv.slice(2);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  process.stdout.write(`${VERSION}\n`);
} else if (process.platform === "win32") {
  refuse("unsupported-platform", "Kahn runs on Linux and macOS, not on Windows itself", "Run it inside WSL.");
} else if (major < 20 || (major === 20 && minor < 12)) {
  refuse("unsupported-node", `Kahn needs Node 20.12 or newer; this is Node ${process.versions.node}`, "Update Node.");
} else {
  // Node 22.1 and newer: keeps the compiled code between starts, which saves a fifth of them.
  (module as { enableCompileCache?: () => void }).enableCompileCache?.();
  const { main } = await import("./cli/main.ts");
  process.exitCode = await main(argv);
}

/** Says why this machine cannot run Kahn; exit code 2, as for every error of use. */
function refuse(code: string, message: string, next: string): void {
  process.stderr.write(`error[${code}]: ${message}.\n  next: ${next}\n`);
  process.exitCode = 2;
}
