/** An `ActionProvider` over a graph written down in a test. Inputs are real files of its file system. */
import type {
  ActionProvider,
  FileSystem,
  HashOutcome,
  InputEntry,
  PlannedNode,
  Problem,
  ResolvedAction,
  ResourceClaim,
  Result,
} from "@kahn/core";
import { err, ONE_SLOT, ok, problem } from "@kahn/core";

/** A node as a test describes it. */
export interface FakeNode {
  readonly requires?: readonly string[];
  readonly after?: readonly string[];
  readonly validates?: readonly string[];
  readonly claim?: Partial<ResourceClaim>;
  readonly priorityClass?: number;
  readonly lifetime?: PlannedNode["lifetime"];
  /** Workspace-relative paths of input files. */
  readonly inputs?: readonly string[];
  /** Workspace-relative output files or directories; everything at or below one is an output. */
  readonly outputs?: readonly string[];
  /** Default `["run", LABEL]`. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly attemptsMax?: number;
  /** Why it is not cached; default: it is. */
  readonly uncachedBecause?: string;
}

/** A graph as a test describes it. */
export interface FakeGraph {
  readonly fs: FileSystem;
  /** Absolute; must exist. */
  readonly workspaceRoot: string;
  /** By label. May be changed between runs. */
  readonly nodes: Record<string, FakeNode>;
  /** Anything else of a resolved action that a test wants otherwise. */
  readonly refine?: (action: ResolvedAction) => ResolvedAction;
}

/** A provider of a graph written down in a test. */
export function fakeActionProvider(graph: FakeGraph): ActionProvider {
  return {
    plan: async () => ok(Object.entries(graph.nodes).map(([label, node]) => plannedNode(label, node))),
    resolve: async (label) => {
      const node = graph.nodes[label];
      if (node === undefined) return err(problem("task-unknown", `there is no node ${label}`));
      const action = resolveNode(graph, label, node);
      return action.ok && graph.refine !== undefined ? ok(graph.refine(action.value)) : action;
    },
  };
}

function plannedNode(label: string, node: FakeNode): PlannedNode {
  return {
    label,
    requires: node.requires ?? [],
    after: node.after ?? [],
    validates: node.validates ?? [],
    claim: { ...ONE_SLOT, ...node.claim },
    priorityClass: node.priorityClass ?? 0,
    lifetime: node.lifetime ?? "task",
  };
}

function resolveNode(graph: FakeGraph, label: string, node: FakeNode): Result<ResolvedAction, Problem> {
  const { fs, workspaceRoot } = graph;
  const paths = [...new Set(node.inputs ?? [])].sort();
  const absolute = paths.map((path) => `${workspaceRoot}/${path}`);
  const before = fs.hashMany(absolute);
  const inputs: InputEntry[] = [];
  for (const [index, outcome] of before.entries()) {
    const path = paths[index]!;
    if (outcome.kind === "file") {
      inputs.push({ kind: "file", path, digest: outcome.digest, executable: (outcome.stat.mode & 0o100) !== 0 });
    } else if (outcome.kind === "symlink") inputs.push({ kind: "symlink", path, target: outcome.target });
  }
  const argv = node.argv ?? ["run", label];
  const env = Object.entries(node.env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const roots = [...(node.outputs ?? [])].sort();
  return ok({
    label,
    isolation: "declared",
    command: {
      arguments: argv,
      environment: env.map(([name, value]) => ({ name, value })),
      outputPaths: roots,
      platform: [],
      workingDirectory: "",
    },
    inputs,
    parts: { outputGlobs: roots, external: [], tools: [], platform: "test", env, passedArguments: [] },
    contributions: [],
    reach: "transitive",
    cacheable: node.uncachedBecause === undefined,
    ...(node.uncachedBecause === undefined ? {} : { uncachedBecause: node.uncachedBecause }),
    outputs: {
      workspaceRoot,
      roots,
      matches: (path) => roots.some((root) => path === root || path.startsWith(`${root}/`)),
      mode: "copy",
    },
    run: {
      argv,
      cwd: workspaceRoot,
      env: node.env ?? {},
      timeoutMs: node.timeoutMs,
      graceMs: 1000,
      attemptsMax: node.attemptsMax ?? 1,
      interactive: false,
      ready: undefined,
      unpassedNames: [],
    },
    changedInputs: () => {
      const after = fs.hashMany(absolute);
      return paths.filter((_, index) => contentOf(before[index]!) !== contentOf(after[index]!));
    },
  });
}

function contentOf(outcome: HashOutcome): string {
  switch (outcome.kind) {
    case "file":
      return `${outcome.digest} ${outcome.stat.mode & 0o100}`;
    case "symlink":
      return `-> ${outcome.target}`;
    default:
      return outcome.kind;
  }
}
