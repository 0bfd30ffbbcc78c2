/** Bundles the page and its style; the names of the results do not change, so that the page needs no template. */
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

mkdirSync("dist", { recursive: true });
copyFileSync("src/index.html", "dist/index.html");
await build({
  entryPoints: ["src/page.ts", "src/style.css"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
