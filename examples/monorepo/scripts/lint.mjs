// A small linter of this shop's own: libraries do not print, and every source file says what it is for.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const mayPrint = process.argv.includes("--may-print");
let complaints = 0;

function complain(file, line, message) {
  complaints++;
  console.error(`${file}:${line}: ${message}`);
}

for (const name of readdirSync("src").sort()) {
  if (!name.endsWith(".ts")) continue;
  const file = join("src", name);
  const lines = readFileSync(file, "utf8").split("\n");
  if (!lines[0].startsWith("/**")) complain(file, 1, "does not begin with a comment that says what it is for");
  for (const [index, line] of lines.entries()) {
    if (!mayPrint && /\bconsole\./.test(line)) complain(file, index + 1, "a library does not print");
  }
}
if (complaints === 0) console.log("no complaints");
process.exitCode = complaints === 0 ? 0 : 1;
