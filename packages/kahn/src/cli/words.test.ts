// Goal: a command that takes a word first ignores nothing that is written behind it. Method: its command lines in a workspace.
import { expect, test } from "vitest";
import { Checkout } from "../session/checkout.fixture.ts";

const REFUSED = [
  ["cache gc all", "too many arguments", "kahn cache [stats | gc | verify | clear | find FILE] [OPTIONS]"],
  ["cache verify --dry", "--dry says nothing to kahn cache verify", "Leave it out; it goes with gc."],
  ["cache clear --json", "--json says nothing to kahn cache clear", "stats, gc, verify, find."],
  ["cache --dry", "--dry says nothing to kahn cache stats", "gc."],
  ["cache verfy", 'kahn cache has no "verfy"', "Did you mean verify?"],
  ["cache zzz", 'kahn cache has no "zzz"', "One of: stats, gc, verify, clear, find."],
  ["cache constructor", 'kahn cache has no "constructor"', "One of: stats, gc, verify, clear, find."],
  ["runs list 01 02", "too many arguments", "kahn runs"],
  ["runs show --keep 3", "--keep says nothing to kahn runs show", "prune."],
  ["runs log x#y --json", "--json says nothing to kahn runs log", "list, show."],
] as const;

test("a word's own arguments and options are taken, others are refused with those that have them", async () => {
  const work = new Checkout({ "package.json": { name: "root", private: true, scripts: {} } });
  for (const [line, what, next] of REFUSED) {
    const { exitCode, stdout, stderr } = await work.kahn(line);
    expect([exitCode, stdout], line).toEqual([2, ""]);
    expect(stderr, line).toContain(what);
    expect(stderr, line).toContain(next);
  }
  for (const line of [
    "cache",
    "cache stats --json",
    "cache gc --dry",
    "runs",
    "runs list --json",
    "runs prune --keep 3",
  ]) {
    expect((await work.kahn(line)).exitCode, line).toBe(0);
  }
});
