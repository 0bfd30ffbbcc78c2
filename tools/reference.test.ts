/** docs/reference says what the program says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { referencePages } from "./reference.mjs";

const ROOT = join(import.meta.dirname, "..");

test("the reference is what the help and the schema say; `npm run build && node tools/reference.mjs` writes it anew", () => {
  for (const [path, text] of Object.entries(referencePages())) {
    const written = existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), "utf8") : "";
    expect(written, path).toBe(`${text.trimEnd()}\n`);
  }
});
