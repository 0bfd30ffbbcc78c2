// Goal: what a command has made goes away, whatever it is: it may be made so on purpose. Method: trees that no path of
// ours can name, made by a shell.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { removal, removeTree, removeTreeInTurns } from "./remove-tree.ts";

const directory = mkdtempSync(join(tmpdir(), "kahn-remove-"));
afterAll(() => void execFileSync("rm", ["-rf", directory]));

function made(name: string, script: string): string {
  const path = join(directory, name);
  execFileSync("sh", ["-c", `mkdir ${name} && cd ${name} && ${script}`], { cwd: directory });
  return path;
}

test.runIf(process.platform === "linux")("names that are not UTF-8 go, of files and of directories", () => {
  const path = made("names", 'x=$(printf \'\\377\'); touch "$x"; mkdir "d$x"; touch "d$x/$x" d; ln -s / "l$x"');
  expect(readdirSync(path).length).toBe(4);
  removeTree(path);
  expect(existsSync(path)).toBe(false);
});

test.runIf(process.platform !== "win32")("a tree deeper than any path can be goes, with what is in it", () => {
  const down = "i=0; while [ $i -lt 30 ]; do mkdir $n && touch $n.f && cd $n; i=$((i+1)); done; pwd -P >/dev/null";
  // Each is 30 levels of 100 bytes; one is moved to the end of the other, and that to the end of a third.
  const script = `n=$(printf '%0100d' 0)
    for each in a b c; do mkdir $each; (cd $each; ${down}; touch last); done
    end=$(i=0; while [ $i -lt 30 ]; do printf '%s/' $n; i=$((i+1)); done)
    mv a "b/$end" && mv b "c/$end"`;
  const path = made("deep", script);
  removeTree(path);
  expect(existsSync(path)).toBe(false);
});

test.runIf(process.platform !== "win32")("so does one of six hundred levels with short names", () => {
  const script = `mkdir -p "$(printf '1/%.0s' $(seq 300))"
    for each in 2; do
      mkdir -p "$each/$(printf '1/%.0s' $(seq 300))" && mv 1 "$each/$(printf '1/%.0s' $(seq 300))" && mv $each 1
    done`;
  const path = made("levels", script);
  removeTree(path);
  expect(existsSync(path)).toBe(false);
});

test("others get their turns while a large tree is removed", async () => {
  const path = made("large", "for each in $(seq 20); do mkdir $each; (cd $each; touch $(seq 100)); done");
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await removeTreeInTurns(path);
  isOver = true;
  expect(existsSync(path)).toBe(false);
  expect(turns).toBeGreaterThan(0);
});

test.runIf(process.platform !== "win32")("a deep tree whose directories are read-only goes as well", () => {
  const script = `n=$(printf '%0200d' 0)
    i=0; while [ $i -lt 17 ]; do mkdir $n && cd $n && touch f; i=$((i+1)); done
    while [ $i -gt 0 ]; do chmod 555 .; cd ..; i=$((i-1)); done`;
  const path = made("locked", script);
  removeTree(path);
  expect(existsSync(path)).toBe(false);
});

/*
 * Goal:   nothing outside of a tree goes, though somebody swaps directories of it for links while it is removed.
 * Method: the swap after each step in turn; outside are the same names as inside.
 */
test.runIf(process.platform === "linux")("a link that takes a directory's place meanwhile is not followed", () => {
  for (let at = 0; at < 10; at++) {
    const [tree, outside] = [join(directory, `swap-${at}`), join(directory, `outside-${at}`)];
    for (const folder of [`${tree}/d/e`, `${outside}/e`]) mkdirSync(folder, { recursive: true });
    for (const folder of [`${tree}/d`, `${tree}/d/e`, outside, `${outside}/e`]) {
      for (const name of ["1", "2", "3"]) writeFileSync(`${folder}/${name}`, "");
    }
    const steps = removal(tree);
    for (let step = 0; steps.next().done !== true; step++) {
      if (step !== at || !existsSync(`${tree}/d`)) continue;
      renameSync(`${tree}/d`, join(directory, `away-${at}`));
      symlinkSync(outside, `${tree}/d`);
    }
    expect(readdirSync(outside).sort()).toEqual(["1", "2", "3", "e"]);
    expect(readdirSync(`${outside}/e`).sort()).toEqual(["1", "2", "3"]);
    expect(existsSync(tree)).toBe(false);
  }
});
