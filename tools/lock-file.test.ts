// Goal: `npm ci` accepts the lock file on every platform, and it leads to the registry of whoever installs. Method: the
// file is read; where npm would look for an optional package, there has to be one.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./repository.mjs";

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};

/** The folders in which a package at a place finds what it depends on, nearest first. */
function* foldersOf(place: string): Iterable<string> {
  for (
    let at = place;
    at !== "";
    at = at.includes("/node_modules/") ? at.slice(0, at.lastIndexOf("/node_modules/")) : ""
  )
    yield `${at}/node_modules`;
  yield "node_modules";
}

test("optional packages of every platform are in it, which npm drops where the registry at hand has them not", () => {
  const missing = Object.entries(lock.packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => ![...foldersOf(place)].some((folder) => `${folder}/${name}` in lock.packages))
      .map(([name, version]) => `${name} ${version}, of ${place}`),
  );
  // Each is an entry with version, os, cpu, libc and `"optional": true`; npm adds the integrity where it installs one.
  expect(missing).toEqual([]);
});

test("no registry is named in it", () => {
  const hosts = Object.entries(lock.packages).filter(
    ([, { resolved, link }]) => resolved !== undefined && link !== true,
  );
  expect(hosts.map(([place, { resolved }]) => `${place}: ${resolved}`)).toEqual([]);
});
