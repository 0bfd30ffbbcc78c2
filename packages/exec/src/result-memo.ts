/**
 * The result memo: what the last run found out about each node, so that a run which changes nothing does little more
 * than look at every file once.
 *
 * Owns:      one flat file of the state folder: for each label the fingerprint of its key, the action's digest, and the
 *            outputs of its result. It spares making the key's messages, reading the record and decoding its trees.
 * Never:     decides what is fresh by itself: the fingerprint covers everything that the key does, the cache is asked
 *            whether its record is still the same, and the outputs are compared with the work tree as ever.
 * Invariant: an entry whose fingerprint and record token are equal stands for exactly the result that a look-up would
 *            give. A lost or foreign file costs time only.
 *
 * Design space, N = 1000 (2,000 nodes, 23,000 inputs, 21,000 outputs): records and trees read one by one cost 3,000
 * opens and as many decodings, and keys made anew 12,000 hashes. One JSON text of it all is parsed in 20 ms, most of
 * it for outputs that are compared once; lines that are cut only when asked for take a third of that.
 *
 * Layout: a header line, then for each node a line of tab-separated fields, `label fingerprint action token outputs
 * durationMs hasStreams count`, and `count` lines `content path`, where content is `hash/size`, with `x` before it for
 * executables, `>target-length target path` for links, or `.` for an empty directory.
 */
import { createHash } from "node:crypto";
import { type Digest, type FileSystem, parseDigest, type ResolvedAction } from "@kahn/core";
import { KEY_SCHEMA } from "./key-record.ts";
import type { OutputEntry } from "./output-tree.ts";

/** What is remembered of one result. */
export interface MemoEntry {
  readonly fingerprint: string;
  readonly action: Digest;
  /** The cache's word for the record (`ActionCache.recordToken`). */
  readonly token: string;
  readonly outputs: Digest;
  readonly durationMs: number;
  /** True when the command printed something that a replay has to read. */
  readonly hasStreams: boolean;
  readonly entries: readonly OutputEntry[];
}

/** Remembered results by label. */
export interface ResultMemo {
  get(label: string): MemoEntry | undefined;
  put(label: string, entry: MemoEntry): void;
  /** Writes the file by rename, if anything changed. */
  save(): void;
}

const HEADER = `kahn results ${KEY_SCHEMA}.1`;

/** Opens the memo at `path` (absolute). */
export function openResultMemo(fs: FileSystem, path: string): ResultMemo {
  const blocks = new Map<string, string | MemoEntry>();
  const bytes = fs.readFile(path);
  if (bytes !== undefined) readBlocks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(), blocks);
  let changed = false;
  return {
    get(label) {
      const block = blocks.get(label);
      if (typeof block !== "string") return block;
      const entry = parseBlock(block);
      if (entry === undefined) blocks.delete(label);
      return entry;
    },
    put(label, entry) {
      if (!isStorable(label, entry)) return;
      blocks.set(label, entry);
      changed = true;
    },
    save() {
      if (!changed) return;
      const texts = [HEADER];
      for (const [label, block] of blocks) texts.push(typeof block === "string" ? block : formatBlock(label, block));
      fs.writeFile(`${path}.tmp`, `${texts.join("\n")}\n`);
      fs.rename(`${path}.tmp`, path);
      changed = false;
    },
  };
}

/** Cuts the text into blocks without looking into them. */
function readBlocks(text: string, blocks: Map<string, string | MemoEntry>): void {
  let at = text.indexOf("\n") + 1;
  if (text.slice(0, at - 1) !== HEADER) return;
  while (at < text.length) {
    const headEnd = text.indexOf("\n", at);
    if (headEnd === -1) return;
    const head = text.slice(at, headEnd);
    let end = headEnd;
    for (let left = Number(head.slice(head.lastIndexOf("\t") + 1)); left > 0; left--) {
      end = text.indexOf("\n", end + 1);
      // A count that leads past the end: the file was torn, or is not ours to read.
      if (end === -1) return;
    }
    blocks.set(head.slice(0, head.indexOf("\t")), text.slice(at, end));
    at = end + 1;
  }
}

function parseBlock(block: string): MemoEntry | undefined {
  const lines = block.split("\n");
  const [, fingerprint, actionText, token, outputsText, duration, streams] = lines[0]!.split("\t");
  const action = parseDigest(actionText ?? "");
  const outputs = parseDigest(outputsText ?? "");
  if (fingerprint === undefined || token === undefined || !action.ok || !outputs.ok) return undefined;
  const entries = lines.slice(1).map(parseEntry);
  if (entries.includes(undefined)) return undefined;
  return {
    fingerprint,
    action: action.value,
    token,
    outputs: outputs.value,
    durationMs: Number(duration),
    hasStreams: streams === "1",
    entries: entries as OutputEntry[],
  };
}

function parseEntry(line: string): OutputEntry | undefined {
  const space = line.indexOf(" ");
  const content = line.slice(0, space);
  const path = line.slice(space + 1);
  if (content === ".") return { kind: "directory", path };
  if (content.startsWith(">")) {
    const length = Number(content.slice(1));
    return { kind: "symlink", target: path.slice(0, length), path: path.slice(length + 1) };
  }
  const executable = content.startsWith("x");
  const digest = parseDigest(`sha256:${executable ? content.slice(1) : content}`);
  return digest.ok ? { kind: "file", path, digest: digest.value, executable } : undefined;
}

function formatBlock(label: string, entry: MemoEntry): string {
  const { fingerprint, action, token, outputs, durationMs, hasStreams, entries } = entry;
  const fields = [label, fingerprint, action, token, outputs, durationMs, hasStreams ? 1 : 0, entries.length];
  return [fields.join("\t"), ...entries.map(formatEntry)].join("\n");
}

function formatEntry(entry: OutputEntry): string {
  switch (entry.kind) {
    case "file":
      return `${entry.executable ? "x" : ""}${entry.digest.slice("sha256:".length)} ${entry.path}`;
    case "symlink":
      return `>${entry.target.length} ${entry.target} ${entry.path}`;
    case "directory":
      return `. ${entry.path}`;
  }
}

/** Names with a line break or tab, and other digest functions, are not worth a richer format: they are looked up. */
function isStorable(label: string, { entries }: MemoEntry): boolean {
  return (
    !/[\n\t]/.test(label) &&
    entries.every((entry) => {
      if (entry.kind === "file" && !entry.digest.startsWith("sha256:")) return false;
      return !entry.path.includes("\n") && !(entry.kind === "symlink" && entry.target.includes("\n"));
    })
  );
}

/**
 * A digest of everything that an action's key is made of, made without the key's messages: equal fingerprints, equal
 * keys. Fields are separated by NUL, which none of them can hold, and lists end with their length.
 */
export function keyFingerprint(resolved: ResolvedAction, closures: readonly Digest[]): string {
  const { command, parts } = resolved;
  const place = [parts.platform, parts.server === undefined ? "" : `@${parts.server}`];
  const fields: (string | number)[] = [resolved.isolation, command.workingDirectory, ...place];
  const list = (items: Iterable<string | number>) => {
    const from = fields.length;
    for (const item of items) fields.push(item);
    fields.push(fields.length - from);
  };
  list(command.arguments);
  list(command.outputPaths);
  list(command.environment.flatMap(({ name, value }) => [name, value]));
  list(command.platform.flatMap(({ name, value }) => [name, value]));
  list(parts.outputGlobs);
  list(parts.external.flat());
  list(parts.tools.flat());
  list(parts.env.flatMap(([name, value]) => (value === undefined ? [name, 0] : [name, 1, value])));
  list(parts.passedArguments);
  list([...closures, ...resolved.contributions.map(([, digest]) => digest)].sort());
  for (const entry of resolved.inputs) {
    fields.push(entry.path, entry.kind === "file" ? entry.digest : entry.kind === "symlink" ? `>${entry.target}` : ".");
    if (entry.kind === "file" && entry.executable) fields.push("x");
  }
  return createHash("sha256").update(fields.join("\0")).digest("base64url");
}
