/**
 * Paths of the machine that actions may read in their sandbox, beside those of the system.
 *
 * Invariant: none of them shows the server's own folder, nor a file with a secret that the configuration names; and each
 *            is seen in the sandbox under its own name.
 */
import { dirname } from "node:path";
import type { FileSystem, Problem } from "@kahn/core";
import { FileSystemError, problem } from "@kahn/core";
import type { ServerConfig } from "../../operation/server-settings.ts";
import type { ServerPorts } from "../ports.ts";

/** What a sandbox has of its own at these places would be hidden, or would hide it. */
const OWN = ["/proc", "/dev", "/tmp", "/kahn"];

/** What is wrong with `execution.readable`: `serve-readable-refused` for each path that is not there or may not be shown. */
export function readableProblems(
  config: ServerConfig,
  { fs, resolvePath }: Pick<ServerPorts, "fs" | "resolvePath">,
): readonly Problem[] {
  const { readable } = config.execution;
  const kept = [[config.dir, "the server's own folder"] as const, ...secretsOf(config)].map(
    ([path, what]) => [settled(fs, resolvePath(path)), what] as const,
  );
  return readable.flatMap((path) => {
    const why = refusal(fs, path, kept);
    if (why === undefined) return [];
    const next = "Name a folder that holds only what every action may read, or leave it out.";
    return [problem("serve-readable-refused", `execution.readable names ${path}, ${why}`, { next })];
  });
}

function refusal(
  fs: FileSystem,
  path: string,
  kept: readonly (readonly [path: string, what: string])[],
): string | undefined {
  const own = OWN.find((each) => isWithin(path, each));
  if (own !== undefined) return `and a sandbox has a ${own} of its own`;
  try {
    const real = fs.realPath(path);
    if (real === undefined) return "which is not there";
    const shown = kept.find(([each]) => isWithin(each, real) || isWithin(real, each));
    return shown && `which ${isWithin(shown[0], real) ? "holds" : "is in"} ${shown[1]} ${shown[0]}`;
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return `which cannot be read (${error.code})`;
  }
}

function secretsOf({ tls, access, backing }: ServerConfig): readonly (readonly [string, string])[] {
  const named = [
    [tls?.key, "tls.key"],
    [access.signingKey, "access.signingKey"],
    [access.htpasswd, "access.htpasswd"],
    [backing?.tokenFile, "backing.tokenFile"],
  ] as const;
  return named.flatMap(([path, key]) => (path === undefined ? [] : [[path, `the file of ${key},`] as const]));
}

/** Without links, as far as it is there. */
function settled(fs: FileSystem, path: string): string {
  const above = dirname(path);
  try {
    const real = fs.realPath(path);
    if (real !== undefined) return real;
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
  return above === path
    ? path
    : `${settled(fs, above)}/${path.slice(above.length).replace(/^\//, "")}`.replace(/^\/\//, "/");
}

/** True for a path that is the folder, or below it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === "/" || path.startsWith(`${folder}/`);
}
