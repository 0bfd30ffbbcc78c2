/**
 * What a fresh clone needs before anything else: a Node that is new enough, git, and the dependencies.
 *
 * Never:     imports a package from the registry; it is what installs them.
 * Invariant: quick when nothing is to be done: `npm test` begins with it every time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./repository.mjs";

/** Oldest Node that the development tools run on; the published package runs on older ones. */
const NODE_MIN = [20, 19];

/** Checks the machine, installs what is missing, builds. Ends the process with 1 and a reason if it cannot. */
export function setUp() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = NODE_MIN;
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    giveUp(`Node ${NODE_MIN.join(".")} or newer is needed to work on Kahn; this is ${process.versions.node}.`);
  }
  if (spawnSync("git", ["--version"]).status !== 0) giveUp("git is needed, and `git --version` fails.");
  install(ROOT);
  run(process.execPath, [join(ROOT, "tools/build.mjs")], ROOT);
}

/**
 * Installs the locked dependencies of a folder, unless they are there and no older than the lock file.
 *
 * @param {string} directory absolute path of a folder with package.json and package-lock.json
 */
export function install(directory) {
  const installed = join(directory, "node_modules/.package-lock.json");
  const lock = join(directory, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log(`setup: installing the dependencies of ${relative(dirname(ROOT), directory)}`);
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, and such a file is what npm
  // writes where the registry at hand does not offer all of them. What the file names is installed as it says.
  run("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], directory);
}

/**
 * Runs a program with our terminal, and ends the process with its exit code if that is not 0.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} cwd
 */
export function run(program, args, cwd) {
  const { status, signal, error } = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (status === 0) return;
  const how = error?.message ?? (signal === null ? `exit code ${status}` : `ended by ${signal}`);
  console.error(`setup: ${[program, ...args].join(" ")}: ${how}`);
  process.exit(status ?? 1);
}

/**
 * @param {string} reason
 * @returns {never}
 */
function giveUp(reason) {
  console.error(`setup: ${reason}`);
  process.exit(1);
}
