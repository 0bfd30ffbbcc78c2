// Puts words and code into one module, so that whoever installs it loads a single file.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const { name, version } = JSON.parse(readFileSync("package.json", "utf8"));
const words = readFileSync("src/words.json", "utf8").trim();
mkdirSync("dist", { recursive: true });
writeFileSync(
  "dist/greeting.mjs",
  `/* ${name} ${version} */\nconst WORDS = ${words};\n\n${readFileSync("src/greeting.mjs", "utf8")}`,
);
