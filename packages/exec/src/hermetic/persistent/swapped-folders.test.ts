// A worker that changes its folder under the server's hands: at each call in turn, so that every moment is tried.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { type BlobStore, type Digest, digestOf, type FileSystem, ok } from "@kahn/core";
import { nodeFileSystem } from "@kahn/system";
import { virtualClock } from "@kahn/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CheckedCommand } from "../command-check.ts";
import type { InputTree } from "../input-tree.ts";
import type { PlantingPorts } from "../internal/planting.ts";
import { takeOutputs } from "../take-outputs.ts";
import { WorkFolder } from "./work-folder.ts";

const SECRET = "nobody's business";
/** How many calls after the swap comes the way back. */
const GAPS = Number(process.env.KAHN_TEST_SCALE ?? 1) > 1 ? [0, 1, 2, 3] : [0, 2];
const DIGEST = digestOf("content");

let base = "";
beforeEach(() => {
  base = mkdtempSync(`${tmpdir()}/kahn-swap-`);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** Fresh folders: `root` is the worker's, `outside` is not. */
function folders(name: string) {
  const folder = `${base}/${name}`;
  const [root, outside] = [`${folder}/root`, `${folder}/outside`];
  mkdirSync(root, { recursive: true });
  mkdirSync(`${outside}/e`, { recursive: true });
  for (const file of ["o", "e/o"]) writeFileSync(`${outside}/${file}`, SECRET);
  return { folder, root, outside };
}

/** Calls `turn` before each call with the number of the call. */
function interrupted(turn: (call: number) => void): PlantingPorts & { readonly calls: () => number } {
  const real = nodeFileSystem();
  let calls = 0;
  const fs = new Proxy(real, {
    get: (target, name: keyof FileSystem) => {
      const call = target[name];
      if (typeof call !== "function") return call;
      return (...args: unknown[]) => {
        turn(calls++);
        return (call as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const stored = new Map<string, string>();
  const blobs: Partial<BlobStore> = {
    materialize: async (requests) => {
      for (const { path } of requests) {
        turn(calls++);
        real.remove(path);
        real.writeFile(path, "content", { mode: 0o644, exclusive: true });
      }
      return ok(requests.map(() => "done" as const));
    },
    ingest: async (requests) => {
      const digests: Digest[] = [];
      for (const { path } of requests) {
        turn(calls++);
        const text = readFileSync(path, "utf8");
        stored.set(digestOf(text), text);
        digests.push(digestOf(text));
      }
      return ok(digests);
    },
    write: async (digest, bytes) => {
      stored.set(digest, Buffer.from(bytes).toString());
      return ok(undefined);
    },
  };
  return { fs, blobs: blobs as BlobStore, clock: virtualClock(), calls: () => calls };
}

/** Each moment with each gap; `last` tells how many calls there were. */
function* moments(
  last: () => number,
): Generator<{ readonly at: number; readonly back: number; readonly name: string }> {
  for (let at = 0; at === 0 || at < last(); at++) {
    for (const gap of GAPS) yield { at, back: gap === 0 ? -1 : at + gap, name: `${at}-${gap}` };
  }
}

/** Swaps `root/d` for a link to `outside`, or back. */
function swap({ root, outside }: { readonly root: string; readonly outside: string }, how: "link" | "back"): void {
  try {
    if (how === "link") {
      renameSync(`${root}/d`, `${root}/away`);
      symlinkSync(outside, `${root}/d`);
    } else {
      rmSync(`${root}/d`);
      renameSync(`${root}/away`, `${root}/d`);
    }
  } catch {
    // It is not there now: the next try has another moment.
  }
}

function treeOf(names: readonly string[], children: Readonly<Record<string, InputTree>> = {}): InputTree {
  const files = names.map((name) => ({ name, digest: DIGEST, executable: false }));
  const directories = Object.entries(children).map(([name, { digest }]) => ({ name, digest }));
  const entries = names.length + directories.length;
  const directory = { files, directories, symlinks: [] };
  return { digest: DIGEST, directory, children: new Map(Object.entries(children)), entries, sizeBytes: 0, depth: 1 };
}

/*
 * Goal:   no input lands outside of the worker's folder, and nothing outside is removed, at whatever moment the worker
 *         swaps a directory for a link.
 * Method: a first filling; then, for every call that a second one makes, the swap just before that call, for good or with the
 *         way back some calls later.
 */
test("inputs stay in the worker's folder when it swaps a directory for a link", async () => {
  let last = 0;
  for (const { at, back, name } of moments(() => last)) {
    const place = folders(name);
    let first = Number.NaN;
    const ports = interrupted((call) => {
      if (call === first + at) swap(place, "link");
      else if (call === first + back) swap(place, "back");
    });
    const folder = new WorkFolder(ports, { root: place.root, place: "", fresh: `${place.folder}/fresh` });
    const old = treeOf([], { d: treeOf(["old"], { e: treeOf(["old"]) }) });
    expect((await folder.hold(old, [])).ok).toBe(true);
    first = ports.calls();
    const next = treeOf([], { d: treeOf(["f1", "f2"], { e: treeOf(["f3"]) }) });
    await folder.hold(next, ["d/made"]).catch(() => undefined);
    last = Math.max(last, ports.calls() - first);
    const found = [readdirSync(place.outside).sort(), readdirSync(`${place.outside}/e`)];
    expect({ name, found }).toEqual({ name, found: [["e", "o"], ["o"]] });
    expect(readFileSync(`${place.outside}/o`, "utf8")).toBe(SECRET);
  }
});

/*
 * Goal:   no file from outside becomes an output, at whatever moment the worker swaps a directory for a link.
 * Method: as above, for a declared file and for a declared directory.
 */
test("outputs come out of the worker's folder when it swaps a directory for a link", async () => {
  let collected = 0;
  let last = 0;
  for (const { at, back, name } of moments(() => last)) {
    const place = folders(name);
    mkdirSync(`${place.root}/d/e`, { recursive: true });
    for (const file of ["o", "e/o"]) writeFileSync(`${place.root}/d/${file}`, "made");
    const ports = interrupted((call) => {
      if (call === at) swap(place, "link");
      else if (call === back) swap(place, "back");
    });
    const outputs = ["d/o", "d/e", "d/e/o"].map((path) => ({ path, place: path, declared: "any" as const }));
    const command = { outputs, wantsMtime: false, wantsMode: false, wantsDirectories: false } as unknown;
    const outcome = await takeOutputs(ports, {
      ...{ command: command as CheckedCommand, tree: treeOf([]), digest: digestOf, hint: DIGEST, quiet: false },
      ...{ root: place.root, place: "", into: `${place.folder}/taken`, allowAbsoluteSymlinks: true },
    });
    last = Math.max(last, ports.calls());
    expect({ name, isSecret: JSON.stringify(outcome).includes(digestOf(SECRET)) }).toEqual({ name, isSecret: false });
    if (outcome.kind === "collected" && outcome.outputs.outputFiles.length === 2) collected++;
    expect(readdirSync(place.outside).sort()).toEqual(["e", "o"]);
  }
  expect(collected).toBeGreaterThan(0);
});
