/** The published package: packed, installed from its file into an empty folder, and used. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const KAHN = join(ROOT, "packages/kahn");

interface PackedManifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

let directory: string;

/** Runs a program in the folder where the package is installed. */
function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function installedManifest(): PackedManifest {
  return JSON.parse(readFileSync(join(directory, "node_modules/kahn/package.json"), "utf8")) as PackedManifest;
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kahn-pack-"));
  writeFileSync(join(directory, "package.json"), `{ "private": true, "type": "module" }`);
  const npm = (cwd: string, ...args: readonly string[]): string =>
    execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  // The prepack script builds; its output comes before the report.
  const report = npm(KAHN, "pack", "--json", "--pack-destination", directory);
  const [packed] = JSON.parse(report.slice(report.indexOf("[\n"))) as [{ readonly filename: string }];
  npm(directory, "install", "--offline", "--omit=optional", "--no-audit", "--no-fund", `./${packed.filename}`);
}, 120_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the installed command answers --version with the version of its package", () => {
  expect(run("node_modules/.bin/kahn", "--version")).toBe(`${installedManifest().version}\n`);
});

test("the packed manifest depends on no package of the repository", () => {
  const { dependencies = {}, optionalDependencies = {} } = installedManifest();
  expect(Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => /kahn/.test(name))).toEqual([]);
});

test("every subpath of the package can be imported", () => {
  const modules = Object.keys(installedManifest().exports).filter((subpath) => !subpath.endsWith(".json"));
  for (const subpath of modules) {
    const specifier = join("kahn", subpath);
    const program = `import * as all from ${JSON.stringify(specifier)}; console.log(Object.keys(all).length);`;
    expect(Number(run(process.execPath, "--input-type=module", "-e", program)), specifier).toBeGreaterThan(0);
  }
  expect(modules).toContain("./testing");
});

// What is loaded lazily comes out of the bundle as it went in: BLAKE3 of "abc", by its published vector.
test("the package has BLAKE3", () => {
  const program = `import { loadEngine } from "kahn/cas";
    console.log((await loadEngine("blake3")).digest(Buffer.from("abc")));`;
  expect(run(process.execPath, "--input-type=module", "-e", program)).toBe(
    "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85/3\n",
  );
});

// Goal: the declarations stand alone. Method: a strict consumer that sees nothing of this repository.
test("a strict consumer type-checks against the packed declarations", () => {
  const modules = Object.keys(installedManifest().exports).filter((subpath) => !subpath.endsWith(".json"));
  const imports = modules.map(
    (subpath, index) => `import * as m${index} from "${join("kahn", subpath)}";\nvoid m${index};`,
  );
  mkdirSync(join(directory, "src"), { recursive: true });
  writeFileSync(join(directory, "src/consumer.ts"), imports.join("\n"));
  const compilerOptions = {
    target: "ES2023",
    module: "NodeNext",
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    typeRoots: [join(ROOT, "node_modules/@types")],
    types: ["node"],
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  let errors = "";
  try {
    run(join(ROOT, "node_modules/.bin/tsc"), "-p", "tsconfig.json");
  } catch (error) {
    errors = String((error as { stdout?: unknown }).stdout);
  }
  expect(errors).toBe("");
});

test("the code of others is packed with its licences", () => {
  const text = readFileSync(join(directory, "node_modules/kahn/dist/THIRD-PARTY.txt"), "utf8");
  expect(text).toMatch(/^Kahn contains code of these packages\./);
  expect(readFileSync(join(directory, "node_modules/kahn/dist/LICENSE"), "utf8")).toContain("Apache License");
});

// Goal: no file carries a package twice, in two versions: that costs readers' bytes and can cost their types.
test("no bundle holds one package twice", () => {
  const dist = join(KAHN, "dist");
  const maps = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".mjs.map"));
  for (const path of maps) {
    const { sources } = JSON.parse(readFileSync(join(dist, path), "utf8")) as { readonly sources: readonly string[] };
    const folders = sources.flatMap((source) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(source)?.[0] ?? []);
    const names = [...new Set(folders)].map((folder) => folder.slice(folder.lastIndexOf("node_modules/")));
    expect(names, path).toEqual([...new Set(names)]);
  }
  expect(maps).toContain("reapi-conform.mjs.map");
});
