/** docs/guarantees/remote.md lists known mistakes of servers with the tests that forbid them: all are there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "vitest";

const GUARANTEES = join(import.meta.dirname, "../docs/guarantees");

test("every known mistake of servers has a test by its number, and the page names it as it is called", () => {
  const page = readFileSync(join(GUARANTEES, "remote.md"), "utf8");
  const rows = [...page.matchAll(/^\| D(\d+) +\|[^|]+\|([^|]+)\|$/gm)];
  assert.deepEqual(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: 26 }, (_, index) => index + 1),
  );
  for (const [, number, cell] of rows) {
    const links = [...cell!.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
    assert.ok(links.length > 0, `D${number} has no test`);
    for (const [, name, path] of links) {
      const names = testNames(resolve(GUARANTEES, path!));
      const isThere = names.some((each) => each.includes(name!) && new RegExp(`\\bD${number}\\b`).test(each));
      assert.ok(isThere, `no test of ${path} is called "D${number}: ${name}"`);
    }
  }
});

/** Names of tests, without the places where `test.each` puts its values. */
function testNames(path: string): readonly string[] {
  const names = [...readFileSync(path, "utf8").matchAll(/"((?:§[^"]*, )?D\d+[^"]*)"/g)].map(([, name]) => name!);
  return names.map((name) => name.replace(" (%s)", "").replace("%s: ", ""));
}
