/** Passwords on a thread of their own: this one goes on, and every check is answered. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { bcrypt } from "hash-wasm";
import { afterAll, beforeAll, test } from "vitest";
import { parseHtpasswd } from "./htpasswd.ts";
import { passwordThread } from "./password-thread.ts";

let directory: string;
let program: string;
let line: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kahn-passwords-"));
  program = join(directory, "passwords.mjs");
  const entry = fileURLToPath(new URL("./password-main.ts", import.meta.url));
  buildSync({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile: program });
  const salt = new Uint8Array(16).fill(3);
  const hash = await bcrypt({ password: "correct horse", salt, costFactor: 8, outputType: "encoded" });
  line = `ann:${hash.replace("$2a$", "$2y$")}`;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function users(check?: (password: string, hash: string) => Promise<boolean>) {
  const parsed = parseHtpasswd("users", line, check);
  assert.ok(parsed.ok);
  return parsed.value;
}

/** How often others had their turn before the answer came. */
async function turnsDuring(answer: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  void answer.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!isOver) turns++;
  }
  return turns;
}

// Goal: a check takes nothing from anybody. Method: turns of the loop while it is made; on this thread there are none.
test("while a password is checked on its thread, everybody else is served", async () => {
  const thread = passwordThread(program);
  const there = users(thread.check);
  const here = users();
  // Both are warm.
  assert.deepEqual([await there.verify("ann", "x"), await here.verify("ann", "x")], [false, false]);
  assert.ok((await turnsDuring(there.verify("ann", "correct horse"))) > 2);
  assert.ok((await turnsDuring(here.verify("ann", "correct horse"))) <= 1);
  await thread.close();
});

test("the thread finds what this one finds: right, wrong, and nobody", async () => {
  const thread = passwordThread(program);
  const { verify } = users(thread.check);
  const asked = [
    verify("ann", "correct horse"),
    verify("ann", "correct hors"),
    verify("ann", ""),
    verify("bob", "correct horse"),
    verify("ann", "correct horse".padEnd(73, "x")),
  ];
  assert.deepEqual(await Promise.all(asked), [true, false, false, false, false]);
  await thread.close();
});

test("a thread that does not start, ends, or is ended with checks in it leaves none unanswered", async () => {
  const broken = join(directory, "broken.mjs");
  for (const text of ["throw new Error('no');", "process.exit(3);", "import 'not-there';"]) {
    writeFileSync(broken, text);
    const thread = passwordThread(broken);
    const { verify } = users(thread.check);
    assert.deepEqual(await Promise.all([verify("ann", "correct horse"), verify("ann", "x")]), [true, false], text);
    await thread.close();
  }
  const missing = passwordThread(join(directory, "missing.mjs"));
  assert.equal(await users(missing.check).verify("ann", "correct horse"), true);
  // Refused before there is a thread, as where there are as many as the system allows.
  assert.equal(await users(passwordThread("not-absolute.mjs").check).verify("ann", "correct horse"), true);
  const thread = passwordThread(program);
  const { verify } = users(thread.check);
  const asked = verify("ann", "correct horse");
  await thread.close();
  assert.equal(await asked, true);
  assert.equal(await verify("ann", "correct horse"), true);
  await thread.close();
});
