/**
 * The tools that are measured: what each adds to the workspace, how it is started, and what makes it cold.
 *
 * Invariant: every peer is told the same inputs, outputs and dependencies, runs two tasks at a time, and prints no more
 *            than errors where it can be told so.
 */
import { join } from "node:path";
import type { BenchPackage, Dressing } from "./workspace.ts";
import { BUILD_INPUTS, TEST_INPUTS } from "./workspace.ts";

/** One measured tool. */
export interface Peer {
  readonly name: string;
  /** What is installed from the registry into `.work/tools/<name>`, for example `turbo@2.11.11`. */
  readonly install?: string;
  dress(packages: readonly BenchPackage[]): Dressing;
  /** Started in the workspace. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Removed before a cold run, relative to the workspace. */
  readonly cache: readonly string[];
  /** Removed before a cold run from every package. */
  readonly packageCache?: readonly string[];
  /** A floor: has no cache, so only the cold run means something. */
  readonly isFloor?: true;
}

const REPOSITORY = join(import.meta.dirname, "..");
const KAHN = [process.execPath, join(REPOSITORY, "packages/kahn/dist/kahn.mjs"), "run", "build", "test"];
const OUTPUTS = ["dist/**"];

const kahnJson = JSON.stringify({
  tasks: {
    build: { dependsOn: ["^build"], inputs: BUILD_INPUTS, outputs: OUTPUTS },
    test: { dependsOn: ["build"], inputs: TEST_INPUTS, outputs: [] },
  },
});
const turboJson = JSON.stringify({ ui: "stream", ...JSON.parse(kahnJson) });

/** All peers by the names that `--only` takes. */
export const PEERS: readonly Peer[] = [
  {
    name: "kahn",
    dress: () => ({ files: { "kahn.jsonc": kahnJson } }),
    command: [...KAHN, "--concurrency", "2", "--output", "errors"],
    cache: [".kahn"],
  },
  {
    name: "kahn-on-turbo.json",
    dress: () => ({ files: { "turbo.json": turboJson } }),
    command: [...KAHN, "--concurrency", "2", "--output", "errors"],
    cache: [".kahn"],
  },
  {
    name: "turbo",
    install: "turbo@2.11.11",
    dress: () => ({ files: { "turbo.json": turboJson } }),
    command:
      "node_modules/.bin/turbo run build test --concurrency=2 --output-logs=errors-only --no-update-notifier".split(
        " ",
      ),
    env: { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
    cache: [".turbo", "node_modules/.cache"],
    packageCache: [".turbo"],
  },
  {
    name: "nx",
    install: "nx@24.0.6",
    dress: () => ({ files: { "nx.json": nxJson() }, manifest: nxManifest }),
    command: "node_modules/.bin/nx run-many -t build test --parallel=2 --outputStyle=static".split(" "),
    env: { NX_DAEMON: "false", NX_TUI: "false", NX_NO_CLOUD: "true" },
    cache: [".nx"],
  },
  {
    name: "wireit",
    install: "wireit@0.14.13",
    dress: (packages) => ({ files: {}, manifest: wireitManifest, rootManifest: wireitRoot(packages) }),
    command: ["npm", "run", "all"],
    env: { WIREIT_PARALLEL: "2", WIREIT_LOGGER: "quiet", npm_config_update_notifier: "false" },
    cache: [".wireit"],
    packageCache: [".wireit"],
  },
  {
    name: "lage",
    install: "lage@2.17.0",
    dress: () => ({ files: { "lage.config.js": `module.exports = ${lageJson()};\n` } }),
    command: "node_modules/.bin/lage build test --concurrency 2".split(" "),
    cache: ["node_modules/.cache", ".lage"],
    packageCache: ["node_modules"],
  },
  {
    name: "floor-node",
    dress: () => ({ files: {} }),
    command: [process.execPath, join(import.meta.dirname, "floor.mjs")],
    cache: [],
    isFloor: true,
  },
];

function nxJson(): string {
  const inputs = (globs: readonly string[]): readonly string[] => globs.map((glob) => `{projectRoot}/${glob}`);
  return JSON.stringify({
    parallel: 2,
    neverConnectToCloud: true,
    analytics: false,
    useDaemonProcess: false,
    pluginsConfig: { "@nx/js": { analyzeSourceFiles: false } },
    // `^built`: nx takes the inputs of dependencies into a key only where it is told to.
    namedInputs: { built: inputs(BUILD_INPUTS) },
    targetDefaults: {
      build: { dependsOn: ["^build"], inputs: ["built", "^built"], outputs: ["{projectRoot}/dist"], cache: true },
      test: { dependsOn: ["build"], inputs: [...inputs(TEST_INPUTS), "^built"], outputs: [], cache: true },
    },
  });
}

function nxManifest(each: BenchPackage): object {
  const target = (script: string): object => ({
    executor: "nx:run-commands",
    options: { command: `sh ${script}`, cwd: `packages/${each.folder}` },
  });
  return { nx: { targets: { build: target("build.sh"), test: target("test.sh") } } };
}

function wireitManifest(each: BenchPackage): object {
  const dependencies = each.dependencies.map((dependency) => `../${dependency.folder}:build`);
  return {
    scripts: { build: "wireit", test: "wireit" },
    wireit: {
      build: { command: "sh build.sh", files: ["src/**", "build.sh"], output: OUTPUTS, dependencies },
      test: { command: "sh test.sh", files: ["src/**", "test.sh"], output: [], dependencies: ["build"] },
    },
  };
}

function wireitRoot(packages: readonly BenchPackage[]): object {
  const dependencies = packages.map((each) => `./packages/${each.folder}:test`);
  return { scripts: { all: "wireit" }, wireit: { all: { dependencies } } };
}

function lageJson(): string {
  const { tasks } = JSON.parse(kahnJson) as { tasks: object };
  const cacheOptions = { environmentGlob: ["package-lock.json"] };
  return JSON.stringify({ npmClient: "npm", concurrency: 2, pipeline: tasks, cacheOptions });
}
