// Goal: the one package whose resolved version changed is named, whichever package manager wrote the file.
import { expect, test } from "vitest";
import { lockFileChanges, packageChangeText } from "./lock-file-changes.ts";

function texts(path: string, before: string, after: string): string[] {
  return lockFileChanges(path, before, after).map(packageChangeText);
}

const npm = (version: string) =>
  JSON.stringify({
    lockfileVersion: 3,
    packages: {
      "": { name: "root" },
      "node_modules/left-pad": { version },
      "node_modules/a/node_modules/@s/b": { version: "2.0.0" },
      "packages/web": { version: "1.0.0" },
    },
  });

const pnpm = (version: string) => `lockfileVersion: '9.0'

importers:
  .: {}

packages:

  left-pad@${version}:
    resolution: {integrity: sha512-x}

  '@s/b@2.0.0':
    resolution: {integrity: sha512-y}

snapshots:

  left-pad@${version}: {}
`;

const classic = (version: string) => `# yarn lockfile v1


"@s/b@^2.0.0":
  version "2.0.0"
  integrity sha512-y

left-pad@^1.0.0, left-pad@^1.1.0:
  version "${version}"
`;

const berry = (version: string) => `__metadata:
  version: 8

"left-pad@npm:^1.0.0":
  version: ${version}
  resolution: "left-pad@npm:${version}"
  languageName: node
`;

test.each([
  ["package-lock.json", npm],
  ["pnpm-lock.yaml", pnpm],
  ["yarn.lock", classic],
  ["yarn.lock", berry],
])("one resolved version in %s", (path, lock) => {
  expect(texts(path, lock("1.0.0"), lock("1.3.0"))).toEqual(["left-pad 1.0.0 → 1.3.0"]);
  expect(texts(path, lock("1.0.0"), lock("1.0.0"))).toEqual([]);
});

test("packages that come and go are said to", () => {
  const empty = JSON.stringify({ packages: {} });
  expect(texts("package-lock.json", empty, npm("1.0.0"))).toContain("left-pad 1.0.0 added");
  expect(texts("package-lock.json", npm("1.0.0"), empty)).toContain("@s/b 2.0.0 removed");
});

test("a file that is not understood explains nothing", () => {
  expect(texts("package-lock.json", "{", "}")).toEqual([]);
});
