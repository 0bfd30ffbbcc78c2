/**
 * What changed between two states of a lock file, by package.
 *
 * Owns:      reading resolved versions out of npm's, pnpm's and yarn's lock files, as far as an explanation needs.
 * Never:     decides anything: keys hold the digest of the whole file. A file that is not understood explains nothing.
 */

/** One package whose resolved versions differ. */
export interface PackageChange {
  readonly name: string;
  /** Versions before and after, joined with commas; empty when it was not there. */
  readonly before: string;
  readonly after: string;
}

/** Resolved versions by package. */
type Versions = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Compares two texts of one lock file.
 *
 * @param path the lock file's name decides how it is read.
 * @returns the packages that differ, sorted by name; empty when the difference is elsewhere or the file is not known.
 */
export function lockFileChanges(path: string, before: string, after: string): PackageChange[] {
  const read = readerOf(path);
  const old = read(before);
  const fresh = read(after);
  const names = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return names
    .map((name) => ({ name, before: shown(old.get(name)), after: shown(fresh.get(name)) }))
    .filter((change) => change.before !== change.after);
}

/** For example `left-pad 1.0.0 → 1.3.0`. */
export function packageChangeText({ name, before, after }: PackageChange): string {
  if (before === "") return `${name} ${after} added`;
  return after === "" ? `${name} ${before} removed` : `${name} ${before} → ${after}`;
}

function shown(versions: ReadonlySet<string> | undefined): string {
  return [...(versions ?? [])].sort().join(", ");
}

function readerOf(path: string): (text: string) => Versions {
  if (path.endsWith(".json")) return npmVersions;
  if (path.endsWith("pnpm-lock.yaml")) return pnpmVersions;
  return yarnVersions;
}

/** `packages` of lock file versions 2 and 3; `dependencies` of version 1. */
function npmVersions(text: string): Versions {
  const versions = new Map<string, Set<string>>();
  let lock: { packages?: Record<string, { version?: string }>; dependencies?: Record<string, { version?: string }> };
  try {
    lock = JSON.parse(text) as typeof lock;
  } catch (cause) {
    if (cause instanceof SyntaxError) return versions;
    throw cause;
  }
  for (const [path, { version }] of Object.entries(lock.packages ?? lock.dependencies ?? {})) {
    const name = path.slice(path.lastIndexOf("node_modules/") + (path.includes("node_modules/") ? 13 : 0));
    if (version !== undefined && name !== "") add(versions, name, version);
  }
  return versions;
}

/** Keys below `packages:`, such as `  '@scope/name@1.0.0':` (`/name/1.0.0:` before version 6). */
function pnpmVersions(text: string): Versions {
  const versions = new Map<string, Set<string>>();
  const from = text.search(/^packages:$/m);
  if (from === -1) return versions;
  for (const [, name, version] of text.slice(from).matchAll(/^ {2}'?\/?((?:@[^/\s]+\/)?[^@/\s']+)[@/]([^:('\s]+)/gm)) {
    add(versions, name!, version!);
  }
  return versions;
}

/** Blocks of `"name@range", …:` followed by an indented `version "1.0.0"` (classic) or `version: 1.0.0` (berry). */
function yarnVersions(text: string): Versions {
  const versions = new Map<string, Set<string>>();
  for (const [, name, version] of text.matchAll(
    /^"?((?:@[^/\s"]+\/)?[^@\s"]+)@[^\n]*:\n(?: {2}[^\n]*\n)*? {2}version:? "?([^"\n]+)/gm,
  )) {
    add(versions, name!, version!);
  }
  return versions;
}

function add(versions: Map<string, Set<string>>, name: string, version: string): void {
  const known = versions.get(name);
  if (known === undefined) versions.set(name, new Set([version]));
  else known.add(version);
}
