/**
 * Run history: what is remembered of each node between runs — how long it took, and what its last result was made of.
 *
 * Owns:      one flat file of the state folder, read at start and replaced by rename at the end of a run.
 * Never:     decides whether a node is fresh; the key does. A lost history costs estimates and explanations only.
 * Invariant: entries come from journalled events alone, so the runs that a crash kept from being folded in are folded
 *            in by the next start (`fold`).
 */
import { type Digest, type FileSystem, parseDigest, parseRunId, type RunEvent, type RunId } from "@kahn/core";

/** What is known of one node's past. */
export interface HistoryEntry {
  /** Duration of the last execution that succeeded, milliseconds. */
  readonly durationMs: number | undefined;
  /** Keys of recent successes with their task records in the durable value store, newest first. */
  readonly recent: readonly PastResult[];
}

/** One past success. */
export interface PastResult {
  /** The key; of a result that could not be stored, the digest of its record again. */
  readonly action: Digest;
  readonly record: Digest;
}

/** The remembered past of all nodes, by label. */
export interface RunHistory {
  /** The newest run that is folded in; `undefined` when there is none. */
  readonly lastRun: RunId | undefined;
  entry(label: string): HistoryEntry | undefined;
  /** Every task record still referred to: roots for the value store's sweep. */
  records(): Iterable<Digest>;
  /** Takes in one run's events, in order. Runs come oldest first. */
  fold(run: RunId, events: Iterable<RunEvent>): void;
  /** Writes what changed, by rename. */
  save(): void;
}

/** How many past results of one node are kept: enough for going back and forth between branches. */
const RECENT_MAX = 4;

type StoredEntry = readonly [durationMs: number | null, ...recent: string[]];

interface StoredHistory {
  readonly version: 1;
  readonly nodes: Readonly<Record<string, StoredEntry>>;
}

/** Opens the history at `path` (absolute); an absent or unreadable file is an empty history. */
export function openRunHistory(fs: FileSystem, path: string): RunHistory {
  const entries = new Map<string, HistoryEntry>();
  for (const [label, entry] of Object.entries(load(fs, path)?.nodes ?? {})) entries.set(label, revive(entry));
  // The marker has a file of its own: most runs change nothing else, and the table may be large.
  const markerPath = `${path}.last-run`;
  const replace = (target: string, text: string) => {
    fs.writeFile(`${target}.tmp`, text);
    fs.rename(`${target}.tmp`, target);
  };
  let lastRun = parseRunId(Buffer.from(fs.readFile(markerPath) ?? []).toString());
  let changed = false;
  return {
    get lastRun() {
      return lastRun;
    },
    entry: (label) => entries.get(label),
    *records() {
      for (const entry of entries.values()) for (const past of entry.recent) yield past.record;
    },
    fold(run, events) {
      const labels: string[] = [];
      for (const event of events) {
        if (event.kind === "run.planned") for (const node of event.nodes) labels[node.node] = node.label;
        const label = event.kind === "node.settled" && event.end === "succeeded" ? labels[event.node] : undefined;
        if (label === undefined || event.kind !== "node.settled") continue;
        const before = entries.get(label);
        const after = foldSettled(before, event);
        if (after === before) continue;
        entries.set(label, after);
        changed = true;
      }
      // Of a run whose clock was behind, the id is smaller: what is folded in already must not come once more.
      if (lastRun === undefined || run > lastRun) lastRun = run;
    },
    save() {
      if (changed) {
        const nodes: Record<string, StoredEntry> = {};
        for (const [label, entry] of entries) {
          nodes[label] = [entry.durationMs ?? null, ...entry.recent.flatMap((past) => [past.action, past.record])];
        }
        replace(path, JSON.stringify({ version: 1, nodes } satisfies StoredHistory));
        changed = false;
      }
      if (lastRun !== undefined) replace(markerPath, lastRun);
    },
  };
}

const NEVER_RAN: HistoryEntry = { durationMs: undefined, recent: [] };

function foldSettled(
  before: HistoryEntry = NEVER_RAN,
  event: Extract<RunEvent, { kind: "node.settled" }>,
): HistoryEntry {
  // A result that was not stored is no key's result. Under its record's name it still says which files it left.
  const action = event.source === "cached" || event.stored === true ? event.action : event.record;
  if (event.source === "cached" && before.recent[0]?.action === action) return before;
  const record = event.record ?? before.recent.find((past) => past.action === action)?.record;
  const others = before.recent.filter((past) => past.action !== action);
  return {
    durationMs: event.durationMs ?? before.durationMs,
    recent:
      action === undefined || record === undefined ? others : [{ action, record }, ...others].slice(0, RECENT_MAX),
  };
}

function load(fs: FileSystem, path: string): StoredHistory | undefined {
  const bytes = fs.readFile(path);
  if (bytes === undefined) return undefined;
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as StoredHistory | null;
    return value?.version === 1 && isTable(value.nodes) ? value : undefined;
  } catch (cause) {
    // Half a file cannot be (rename), so this is another program's; starting afresh costs only estimates.
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

function isTable(nodes: unknown): nodes is StoredHistory["nodes"] {
  if (typeof nodes !== "object" || nodes === null) return false;
  return Object.values(nodes).every(
    (entry) => Array.isArray(entry) && entry.slice(1).every((text) => typeof text === "string"),
  );
}

function revive([durationMs, ...texts]: StoredEntry): HistoryEntry {
  const recent: PastResult[] = [];
  for (let index = 0; index + 1 < texts.length; index += 2) {
    const action = parseDigest(texts[index]!);
    const record = parseDigest(texts[index + 1]!);
    if (action.ok && record.ok) recent.push({ action: action.value, record: record.value });
  }
  return { durationMs: durationMs ?? undefined, recent };
}
