/**
 * A workspace to measure with: packages of small sources, a `build` that truly reads what its dependencies built, and a
 * `test` after it.
 *
 * Owns:      the files that are the same for every tool; a peer adds its own configuration.
 * Invariant: every script appends one line to `.exec.log` when it really runs, so a run can be verified by counting.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PackageGraph } from "./package-graph.ts";
import { packageGraph } from "./package-graph.ts";
import { seededRandom } from "./random.ts";

/** What `bench.json` in a workspace says about it. */
export interface WorkspaceFacts {
  readonly n: number;
  readonly seed: number;
  readonly layers: number;
  readonly edges: number;
  /** Folder name of the package whose edit reaches most, and how many packages that is. */
  readonly root: string;
  readonly rootClosure: number;
  /** Folder name of a package on which nothing depends. */
  readonly leaf: string;
  readonly leafClosure: number;
  readonly files: number;
}

/** One package, as a peer's configuration needs it. */
export interface BenchPackage {
  readonly name: string;
  /** Below `packages/`. */
  readonly folder: string;
  readonly dependencies: readonly BenchPackage[];
}

/** What a tool adds to the workspace: files by path, and members of package.json by package. */
export interface Dressing {
  readonly files: Readonly<Record<string, string>>;
  /** Members that replace or join those of each package's package.json. */
  manifest?(each: BenchPackage): object;
  /** Members of the root's package.json. */
  readonly rootManifest?: object;
}

const SOURCES_EACH = 20;
const SOURCE_BYTES = 2048;

/** What the sources of a package and its scripts are, as globs: every tool gets the same ones. */
export const BUILD_INPUTS = ["src/**", "package.json", "build.sh"] as const;
/** See `BUILD_INPUTS`. */
export const TEST_INPUTS = ["src/**", "package.json", "test.sh"] as const;

/** Writes a workspace of `n` packages, as a git repository with one commit. Replaces what is there. */
export function writeWorkspace(
  directory: string,
  { n, seed }: { readonly n: number; readonly seed: number },
  dress: (packages: readonly BenchPackage[]) => Dressing,
): WorkspaceFacts {
  const graph = packageGraph(n, seed);
  const packages = namePackages(graph);
  const dressing = dress(packages);
  const facts: WorkspaceFacts = {
    n,
    seed,
    layers: graph.layerCount,
    edges: graph.dependencies.flat().length,
    root: packages[graph.root]!.folder,
    rootClosure: graph.rootClosure,
    leaf: packages[graph.leaf]!.folder,
    leafClosure: 1,
    files: n * SOURCES_EACH,
  };
  rmSync(directory, { recursive: true, force: true });
  const files = { ...rootFiles(packages, dressing), ...dressing.files, "bench.json": json(facts) };
  for (const [path, text] of Object.entries(files)) write(join(directory, path), text);
  const random = seededRandom(seed);
  mkdirSync(join(directory, "node_modules/@bench"), { recursive: true });
  for (const each of packages) {
    const folder = join(directory, "packages", each.folder);
    for (const [path, text] of Object.entries(packageFiles(each, dressing, random))) write(join(folder, path), text);
    symlinkSync(`../../packages/${each.folder}`, join(directory, "node_modules", each.name));
  }
  const git = (...args: readonly string[]): void => void execFileSync("git", args, { cwd: directory, stdio: "ignore" });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0", "commit", "-qm", "bench");
  return facts;
}

function namePackages(graph: PackageGraph): readonly BenchPackage[] {
  const digits = String(graph.count - 1).length;
  const packages: BenchPackage[] = [];
  for (const dependencies of graph.dependencies) {
    const folder = `pkg-${String(packages.length).padStart(digits, "0")}`;
    packages.push({ name: `@bench/${folder}`, folder, dependencies: dependencies.map((each) => packages[each]!) });
  }
  return packages;
}

function packageFiles(each: BenchPackage, dressing: Dressing, random: () => number): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (let index = 0; index < SOURCES_EACH; index++) {
    files[`src/f${String(index).padStart(2, "0")}.ts`] = sourceText(`${each.name} file ${index}`, random);
  }
  const sums = each.dependencies.map((dependency) => `../${dependency.folder}/dist/sum`).join(" ");
  files["build.sh"] = [
    `echo b:${each.folder} >> ../../.exec.log`,
    `mkdir -p dist && cp src/*.ts dist/ && cat src/*.ts ${sums} | cksum > dist/sum\n`,
  ].join("\n");
  files["test.sh"] = `echo t:${each.folder} >> ../../.exec.log\ntest -s dist/sum && echo ok\n`;
  files["package.json"] = json({
    name: each.name,
    version: "1.0.0",
    private: true,
    scripts: { build: "sh build.sh", test: "sh test.sh" },
    dependencies: versions(each),
    ...dressing.manifest?.(each),
  });
  return files;
}

function sourceText(title: string, random: () => number): string {
  const word = (): string => Math.floor(random() * 36 ** 6).toString(36);
  let text = `// ${title}\n`;
  while (text.length < SOURCE_BYTES) text += `export const v${word()} = "${word()} ${word()} ${word()}";\n`;
  return text;
}

function rootFiles(packages: readonly BenchPackage[], dressing: Dressing): Readonly<Record<string, string>> {
  const root = { name: "bench", version: "1.0.0", private: true, workspaces: ["packages/*"] };
  const links = packages.map((each) => [
    `node_modules/${each.name}`,
    { resolved: `packages/${each.folder}`, link: true },
  ]);
  const entries = packages.map((each) => [
    `packages/${each.folder}`,
    { name: each.name, version: "1.0.0", dependencies: versions(each) },
  ]);
  return {
    "package.json": json({ ...root, packageManager: "npm@11.0.0", ...dressing.rootManifest }),
    "package-lock.json": json({
      name: root.name,
      version: root.version,
      lockfileVersion: 3,
      requires: true,
      packages: { "": root, ...Object.fromEntries([...links, ...entries]) },
    }),
    ".gitignore": "node_modules\ndist\n.exec.log\n.kahn\n.turbo\n.nx\n.wireit\n.lage\n",
  };
}

function versions(each: BenchPackage): Readonly<Record<string, string>> {
  return Object.fromEntries(each.dependencies.map((dependency) => [dependency.name, "1.0.0"]));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
