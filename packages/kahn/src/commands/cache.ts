/** `kahn cache`: the store of blobs and results. */

import { clearStore, collectGarbage, locateBlob, storeStats, verifyStore } from "@kahn/cas";
import { type Digest, parseDigest, problem } from "@kahn/core";
import { countText, painter, sizeText } from "@kahn/report";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { type WordSpecs, wordProblem } from "../cli/words.ts";
import { cacheLimits, cacheSection } from "../session/cache-limits.ts";
import { openSession, type WorkspaceSession } from "../session/workspace-session.ts";

const WORDS: WordSpecs = {
  stats: { argumentsMax: 0, options: ["json"] },
  gc: { argumentsMax: 0, options: ["json", "dry"] },
  verify: { argumentsMax: 0, options: ["json"] },
  clear: { argumentsMax: 0, options: [] },
  find: { argumentsMax: 1, options: ["json"] },
};

/** The command. */
export const cache: Command = {
  usage: "cache [stats | gc | verify | clear | find FILE] [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 2,
  options: [
    { name: "json", help: "the answer as one JSON object; not with clear" },
    { name: "dry", help: "with gc: say what would go, and remove nothing" },
  ],
  description: `
The local cache of this workspace, which all its work trees share:

stats   how much is stored, and where (the default)
gc      remove what was not used for longest, down to the limits of the configuration
verify  read everything and compare it with its digest; what is corrupt is set aside, and its tasks run again
clear   remove every blob and result; costs only time
find    where the content of FILE, or of a digest, is stored: file, offset and size

A run trims it by itself, about once a day, to cache.maxSize and cache.maxAge of kahn.jsonc.`,
  examples: [
    ["kahn cache", "how large it is"],
    ["kahn cache gc --dry", "what would go now"],
    ["kahn cache verify", "exit code 1 when something was corrupt"],
    ["kahn cache find dist/index.js", "exit code 1 when it is not in there"],
  ],
  async run(host, given) {
    const misplaced = wordProblem(cache, WORDS, given);
    if (misplaced !== undefined) return refuse(host, [misplaced]);
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    switch (given.positionals[0]) {
      case "gc":
        return gc(session.value, given);
      case "verify":
        return verify(session.value, given);
      case "clear":
        return clear(session.value);
      case "find":
        return find(session.value, given);
      default:
        return stats(session.value, given);
    }
  },
};

async function stats({ host, store, locations, model }: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const figures = await storeStats(store);
  if (!figures.ok) return refuse(host, [figures.problem]);
  const { maxSizeBytes } = cacheSection(model);
  const { blobs, records, storedBytes, quarantined, lastCollectionMs } = figures.value;
  if (given.has("json"))
    host.stdout.write(`${JSON.stringify({ directory: locations.cache, maxSizeBytes, ...figures.value })}\n`);
  else {
    const collected = lastCollectionMs === undefined ? "never" : new Date(lastCollectionMs).toISOString();
    host.stdout.write(
      `${locations.cache}\n  ${countText(records, "result")}, ${countText(blobs, "file")}, ${sizeText(storedBytes)} on disk, of at most ${sizeText(maxSizeBytes)}\n` +
        `  last trimmed: ${collected}\n${quarantined === 0 ? "" : `  set aside as corrupt: ${quarantined}\n`}`,
    );
  }
  return EXIT.done;
}

async function gc({ host, store, model }: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const limits = cacheLimits(model);
  const report = await collectGarbage(store, { ...limits, dryRun: given.has("dry") });
  if (!report.ok) return refuse(host, [report.problem]);
  if (given.has("json")) host.stdout.write(`${JSON.stringify(report.value)}\n`);
  else if (report.value.kind === "busy") host.stdout.write("another process is trimming the cache; nothing to do\n");
  else {
    const { recordsRemoved, blobsRemoved, bytesBefore, bytesAfter } = report.value;
    const verb = given.has("dry") ? "would remove" : "removed";
    host.stdout.write(
      `${verb} ${countText(recordsRemoved, "result")} and ${countText(blobsRemoved, "file")}: ${sizeText(bytesBefore)} → ${sizeText(bytesAfter)}\n`,
    );
  }
  return EXIT.done;
}

async function verify({ host, store }: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const { stdout, stderr } = host;
  const shown = stderr.isTerminal && !given.has("json");
  const report = await verifyStore(store, {
    onProgress: ({ blobs, bytes }) => {
      if (shown) stderr.write(`\r${countText(blobs, "file")}, ${sizeText(bytes)}   `);
    },
  });
  if (shown) stderr.write("\r\u001b[K");
  if (!report.ok) return refuse(host, [report.problem]);
  const { blobs, records, bytes, corrupt, incomplete } = report.value;
  if (given.has("json")) stdout.write(`${JSON.stringify(report.value)}\n`);
  else {
    const paint = painter(stdout.colour);
    stdout.write(`${countText(records, "result")} and ${countText(blobs, "file")} (${sizeText(bytes)}) read\n`);
    for (const digest of corrupt) stdout.write(`${paint("corrupt, set aside:", "red")} ${digest}\n`);
    for (const { action, missing } of incomplete) {
      stdout.write(
        `${paint("incomplete:", "yellow")} ${action} misses ${countText(missing.length, "file")}; its task runs again when its files are needed\n`,
      );
    }
    if (corrupt.length + incomplete.length === 0)
      stdout.write(`${paint("✔", "green")} everything is what its name says\n`);
  }
  return corrupt.length > 0 ? EXIT.failed : EXIT.done;
}

async function clear({ host, store, locations }: WorkspaceSession): Promise<number> {
  const cleared = await clearStore(store);
  if (!cleared.ok) return refuse(host, [cleared.problem]);
  host.stdout.write(`${locations.cache} is empty\n`);
  return EXIT.done;
}

/** Small files share packs, so a digest alone does not name a file of the cache. */
async function find(session: WorkspaceSession, given: ParsedArguments): Promise<number> {
  const { host, store } = session;
  const text = given.positionals[1];
  const digest = text === undefined ? undefined : digestMeant(session, text);
  if (digest === undefined) {
    return refuse(host, [
      problem(
        "arguments-count",
        text === undefined ? "name a file or a digest" : `${text} is neither a file nor a digest`,
        {
          next: "kahn cache find packages/web/dist/index.js, for example.",
        },
      ),
    ]);
  }
  const found = await locateBlob(store, digest);
  if (!found.ok) return refuse(host, [found.problem]);
  if (given.has("json")) host.stdout.write(`${JSON.stringify({ digest, ...found.value })}\n`);
  else if (found.value === undefined) host.stdout.write(`${digest} is not in the cache\n`);
  else {
    const { path, offset, sizeBytes } = found.value;
    host.stdout.write(`${digest}\n  ${path}, ${countText(sizeBytes, "byte")} from ${offset} on\n`);
  }
  return found.value === undefined ? EXIT.failed : EXIT.done;
}

function digestMeant({ host, ports }: WorkspaceSession, text: string): Digest | undefined {
  const parsed = parseDigest(text);
  if (parsed.ok) return parsed.value;
  const [outcome] = ports.fs.hashMany([text.startsWith("/") ? text : `${host.directory}/${text}`]);
  return outcome?.kind === "file" ? outcome.digest : undefined;
}
