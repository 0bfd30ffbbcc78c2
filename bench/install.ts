/** Installs a peer from the registry, once, and puts it into a workspace. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Peer } from "./peers.ts";

/** Where peers are kept, and where one is wanted. */
export interface InstallPlaces {
  readonly tools: string;
  readonly workspace: string;
}

/** Returns why it could not be installed; `undefined` if it is there. */
export function installPeer(peer: Peer, { tools, workspace }: InstallPlaces): string | undefined {
  if (peer.install === undefined) return undefined;
  const directory = join(tools, peer.name);
  const marker = join(directory, "installed");
  if (!existsSync(marker) || readFileSync(marker, "utf8") !== peer.install) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "package.json"), `{ "private": true }\n`);
    console.error(`installing ${peer.install}`);
    const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", peer.install];
    const { status, stderr } = spawnSync("npm", args, { cwd: directory, encoding: "utf8" });
    if (status !== 0) return stderr.trim().split("\n").at(-1) ?? `npm ended with ${status}`;
    writeFileSync(marker, peer.install);
  }
  cpSync(join(directory, "node_modules"), join(workspace, "node_modules"), { recursive: true, verbatimSymlinks: true });
  return undefined;
}
