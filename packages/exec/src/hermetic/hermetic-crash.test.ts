// Goal: after `kill -9` of whoever runs actions nothing of them runs on, and the next runner finds a clean folder.
// Method: a host process of its own, killed while its action waits, of which two processes have left their group; the
// guardian ends them all.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const directory = mkdtempSync(`${tmpdir()}/kahn-hermetic-crash-`);
const host = `${directory}/host.mjs`;
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const LEVELS = spawnSync("/usr/bin/bwrap", bwrap).status === 0 ? (["required", "off"] as const) : (["off"] as const);

beforeAll(async () => {
  const contents = `
    import { realRig, script, storeTree } from "./hermetic.fixture.ts";
    const [mode, seconds] = process.argv.slice(2);
    const { blobs, directory, runner } = realRig({ mode });
    const inputRoot = await storeTree(blobs, { "lib/1": "1", "lib/2": "2", "lib/3": "3", "lib/4": "4" });
    const command = script(\`setsid sleep \${seconds} & (cd /; setsid sleep \${seconds} >/dev/null 2>&1 &); sleep \${seconds} &
      until [ "$(pgrep -xcf "sleep \${seconds}")" = 3 ]; do :; done; echo up; sleep \${seconds}\`);
    await runner.run({ command, inputRoot, label: "crash" }, { output: () => console.log(directory) });
  `;
  const resolveDir = fileURLToPath(new URL(".", import.meta.url));
  const stdin = { contents, resolveDir };
  // `hash-wasm` and others are loaded only when needed.
  await build({ stdin, outfile: host, bundle: true, format: "esm", platform: "node", logLevel: "error" });
});

function alive(mark: string): number {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const state = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/.*\) /s, "")[0];
      return state !== "Z" && readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").includes(mark);
    } catch {
      return false; // It has ended while the list was read.
    }
  }).length;
}

test.each(LEVELS)("kill -9 of the host leaves no process of its actions (%s)", async (mode) => {
  const { hermeticRunner } = await import("./hermetic-runner.ts");
  const { realRig } = await import("./hermetic.fixture.ts");
  const seconds = `9${process.pid}.${mode === "off" ? 1 : 2}`;
  const child = spawn(process.execPath, [host, mode, seconds], { stdio: ["ignore", "pipe", "inherit"] });
  const [bytes] = (await once(child.stdout, "data")) as [Buffer];
  const left = bytes.toString().trim();
  try {
    expect(alive(seconds)).toBeGreaterThan(0);
    child.kill("SIGKILL");
    await once(child, "exit");
    while (alive(seconds) > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(readdirSync(`${left}/x/runs`)).toEqual(["1"]);
    const rig = realRig({ mode });
    hermeticRunner({ ...rig.options, root: `${left}/x` });
    expect([readdirSync(`${left}/x/runs`), readdirSync(`${left}/x/trees`)]).toEqual([[], []]);
    await rig.end();
  } finally {
    rmSync(left, { recursive: true, force: true });
  }
});
