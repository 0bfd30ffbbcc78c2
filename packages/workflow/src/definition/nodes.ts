/**
 * Nodes and edges: what a graph is made of, as plain objects.
 *
 * Owns:  the kinds of nodes, what a node is given and what it may return, the classes of edges, and the graph's type.
 * Never: runs one.
 * Size:  one vocabulary whose types name each other; files of it would import each other in a circle.
 */
import type { Digest, Json, MutexClaim, Problem } from "@kahn/core";
import type { ActionOutcome, ActionWork } from "./action-work.ts";
import type { BarrierMark, PayloadMark } from "./barrier-paths.ts";
import type { FailureClass, NodeError } from "./failure.ts";
import type { Blob, StateSchema } from "./state.ts";
import type { GraphStructure } from "./structure.ts";

/** Where an edge leads that ends its part of the graph; the run is complete when every part has ended. */
export const END = "$end";
/** The type of `END`. */
export type End = typeof END;

/** Milliseconds, or a duration such as `"2m"`. */
export type Duration = number | string;

/** What a node returns; every member is optional, and so is returning anything. */
export interface NodeOutput<S = Readonly<Record<string, unknown>>, N extends string = string> {
  /** Writes, each through its key's reducer. */
  readonly set?: Partial<S>;
  /** For keys that add up: a number for `sum`, one item or a list for `append` and `union`. */
  readonly add?: { readonly [K in keyof S]?: S[K] extends readonly (infer Item)[] ? Item | S[K] : S[K] };
  /** Writes that pass by the reducer on purpose. */
  readonly replace?: Partial<S>;
  /** Keys that go. */
  readonly delete?: readonly (keyof S & string)[];
  /** Where to go on: a node that an edge or `targets` names. */
  readonly goto?: N;
  /** Ends the frame (the run, or the subgraph) here; other nodes of it that run are cancelled. */
  readonly end?: true;
  /** Could not do it properly: takes the fallback edge, for this reason. */
  readonly fallback?: string;
  /** What it cost, in units of your choice; counted, and looked at by adaptive snapshots. */
  readonly cost?: number;
}

/** An output, or nothing: a function without `return` is fine, too. */
export type Returned<T> =
  | T
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` gives is `void`.
  | void;

/** How the parents of a join came out. */
export type ParentOutcome = "arrived" | "skipped" | "failed" | "cancelled";

/** What a node is given. Taken apart freely: `({ state, signal }) => …`. */
export interface NodeContext<S = Readonly<Record<string, unknown>>> {
  /** The state when the visit began; the same at every attempt. */
  readonly state: Readonly<S>;
  /** Aborts on cancel, timeout, or the failure of a sibling. A node that heeds it is awaited. */
  readonly signal: AbortSignal;
  readonly run: string;
  /** Which visit this is: `node#occurrence`, inside of branches and subgraphs `outer#1/inner#2`. */
  readonly path: string;
  readonly occurrence: number;
  /** From 1. */
  readonly attempt: number;
  /** Of a join: the outcome of each parent. */
  readonly parents: Readonly<Record<string, ParentOutcome>>;
  /** The same for every attempt of this visit, also after a crash: for services that refuse duplicates. */
  readonly idempotencyKey: string;
  /** Sends data to whoever follows the run. Not kept; may be dropped when a reader is slow. Counts as a heartbeat. */
  emit(data: unknown): void;
  /** Starts the idle timeout anew. */
  heartbeat(): void;
  /** Does something once per visit: the result is journalled before this resolves, and given again on later attempts. */
  once<T>(name: string, work: () => T | Promise<T>): Promise<T>;
  /** Keeps a large value by its digest. */
  putBlob(bytes: Uint8Array | string): Blob;
  /** Keeps a large file by its digest, without reading it into memory. @param path absolute. */
  keepFile(path: string): Blob;
  /** The bytes of a large value; throws when they are gone or damaged. */
  readBlob(blob: Blob): Uint8Array;
  /** The store that outlives runs. */
  readonly store: LongTermStore;
}

/** Values across runs, by namespace and key. */
export interface LongTermStore {
  get(namespace: string, key: string): Promise<Json | undefined>;
  put(namespace: string, key: string, value: Json): Promise<void>;
  delete(namespace: string, key: string): Promise<void>;
  /** Entries whose keys begin with a prefix, sorted by key. */
  search(namespace: string, prefix: string): Promise<readonly (readonly [key: string, value: Json])[]>;
}

/** When a failed attempt is followed by another. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly max: number;
  /** Default `exp`: the delay doubles. */
  readonly backoff?: "exp" | "fixed";
  /** Before the second attempt; default 100 ms. */
  readonly delay?: Duration;
  /** Default 30 s. */
  readonly maxDelay?: Duration;
  /** Share of the delay that chance may add, from 0 to 1; default 0.2. */
  readonly jitter?: number;
  /** Which failures; default all but those of class `Terminal` and `Conflict`. */
  readonly when?: (error: NodeError) => boolean;
}

/** What every kind of node may say. */
export interface NodeOptions<N extends string = string> {
  /** Nodes that `goto`, `onReject` or a reroute may name without an edge. */
  readonly targets?: readonly (N | End)[];
  /** Changes when the code changes in a way that a run under way must not meet. */
  readonly version?: string;
  /**
   * Waits for tokens on all incoming edges before it runs once for all of them. `settled` (default of a join): until
   * each parent has arrived or cannot arrive any more; `all`: every parent must arrive; `any`: the first one;
   * `{ quorum }`: so many. Left out: each token runs the node.
   */
  readonly join?: "settled" | "all" | "any" | { readonly quorum: number };
  readonly label?: string;
}

/** What a node that does something may say besides. */
export interface WorkOptions<S> extends WriteOptions<S> {
  readonly retry?: RetryPolicy;
  /** `run`: of an attempt in all; `idle`: without heartbeat. A duration alone means `run`. */
  readonly timeout?: Duration | { readonly run?: Duration; readonly idle?: Duration };
  /** Mutexes, pools and tags of the flow's limits that are held while it runs. */
  readonly claim?: {
    readonly mutexes?: readonly (string | MutexClaim)[];
    readonly pools?: Readonly<Record<string, number>>;
    readonly tags?: readonly string[];
  };
  /** The output is kept under this key, and taken from there instead of running. */
  readonly cache?: { readonly key: (state: Readonly<S>) => Json };
  /** It changes something outside; looked at by adaptive snapshots. */
  readonly sideEffects?: boolean;
}

/** What a node that writes may say of it. */
export interface WriteOptions<S> {
  /**
   * The only keys that it writes. Of branches that say so, two that write one key without a reducer are found when the
   * graph is built; a write of another key is refused when it happens.
   */
  readonly writes?: readonly (keyof S & string)[];
}

/** An ordinary node. */
export interface TaskNode<S, N extends string = string> extends NodeOptions<N>, WorkOptions<S> {
  readonly kind?: "task";
  readonly run: (context: NodeContext<S>) => Returned<NodeOutput<S, N>> | Promise<Returned<NodeOutput<S, N>>>;
}

/** Goes to the first target whose predicate is true; none: on by its edges. */
export interface ConditionNode<S, N extends string = string> extends ConditionSpec<S, N> {
  readonly kind: "condition";
}

/** What `ConditionNode` says besides its kind. */
export interface ConditionSpec<S, N extends string = string> extends NodeOptions<N> {
  readonly choices: readonly (readonly [target: N, when: (state: Readonly<S>) => boolean])[];
}

/** A schema of few words: `{ comment: "string", amount: "number?" }`; `?` marks what may be absent. */
export type PayloadShape = Readonly<Record<string, PayloadWord>>;
/** The words of a payload's shape. */
export type PayloadWord = "string" | "number" | "boolean" | "json" | "string?" | "number?" | "boolean?" | "json?";

/** Any schema library's object that follows the Standard Schema. */
export interface StandardSchema<T = unknown> {
  readonly "~standard": {
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
  };
}
type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

type WordType<W> = W extends `string${string}`
  ? string
  : W extends `number${string}`
    ? number
    : W extends `boolean${string}`
      ? boolean
      : Json;
/** The payload that a shape or schema accepts. */
export type PayloadOf<A> =
  A extends StandardSchema<infer T>
    ? T
    : { readonly [K in keyof A as A[K] extends `${string}?` ? never : K]: WordType<A[K]> } & {
        readonly [K in keyof A as A[K] extends `${string}?` ? K : never]?: WordType<A[K]>;
      };

/** What became of a barrier. */
export type BarrierOutcome<P = unknown> =
  | { readonly kind: "approve"; readonly payload: P; readonly by?: string; readonly timedOut?: true }
  | {
      readonly kind: "reject";
      readonly reason: string;
      readonly payload?: P;
      readonly by?: string;
      readonly timedOut?: true;
    }
  | { readonly kind: "modify"; readonly set: Readonly<Record<string, unknown>>; readonly by?: string }
  | { readonly kind: "reroute"; readonly to: string; readonly by?: string }
  | { readonly kind: "skip"; readonly timedOut: true };

/** Waits for a decision. */
export interface BarrierNode<S, N extends string = string, P = unknown>
  extends BarrierSpec<S, N, P>,
    PayloadMark<BarrierMark<P>> {
  readonly kind: "barrier";
}

/** What `BarrierNode` says besides its kind. */
export interface BarrierSpec<S, N extends string = string, P = unknown> extends NodeOptions<N>, WriteOptions<S> {
  /** What those who decide are shown. */
  readonly payload?: (state: Readonly<S>) => Json;
  readonly accept?: PayloadShape | StandardSchema;
  readonly timeout?: Duration;
  /** Default `reject`. `skip` goes on without approving. */
  readonly onTimeout?: "approve" | "reject" | "skip";
  /** Where a rejection goes if no conditional edge takes it. `continue`: on by the normal edge. Left out: it fails. */
  readonly onReject?: { readonly goto: N } | "continue";
  /** Writes the decision into the state. */
  readonly decided?: (outcome: BarrierOutcome<P>, state: Readonly<S>) => Returned<NodeOutput<S, N>>;
}

/** A node inside of a parallel or map: the same kinds, with nowhere to go but back. */
export type BranchNode<S> = FlowNode<S, never>;

/** How a node with branches deals with failures. */
export type Strategy =
  /** The first failure aborts the others, which are awaited. */
  | "failFast"
  /** All run; successes are kept and failures reported as `Observed`; fails only if every branch did. */
  | "collect"
  /** So many successes are enough; the others are aborted. */
  | { readonly quorum: number };

/** What nodes with branches have in common. */
export interface FanOptions {
  readonly strategy?: Strategy;
  /** How many branches run at once; default all. */
  readonly limit?: number;
  /** Order in which writes are reduced: of declaration (default), or of completion. */
  readonly order?: "declared" | "completed";
}

/** Runs named branches side by side. */
export interface ParallelNode<S, N extends string = string> extends NodeOptions<N>, FanOptions {
  readonly kind: "parallel";
  readonly branches: Readonly<Record<string, BranchNode<S>>>;
}

/** Runs one body for each item of a list. */
export interface MapNode<S, N extends string = string> extends NodeOptions<N>, FanOptions {
  readonly kind: "map";
  /** Pure; the items are journalled. */
  readonly over: (state: Readonly<S>) => readonly unknown[];
  /** The body for an item. */
  readonly body: (item: unknown, index: number) => BranchNode<S>;
  /** For hashes and drawings. */
  readonly shape: BranchNode<S>;
}

/** Runs a graph of its own state. */
export interface SubgraphNode<S, N extends string = string> extends SubgraphSpec<S, N> {
  readonly kind: "subgraph";
}

/** What `SubgraphNode` says besides its kind. */
export interface SubgraphSpec<S, N extends string = string> extends NodeOptions<N>, WriteOptions<S> {
  readonly graph: FlowGraph;
  readonly input: (state: Readonly<S>) => Readonly<Record<string, unknown>>;
  readonly output: (inner: Readonly<Record<string, unknown>>, state: Readonly<S>) => NodeOutput<S, N>;
}

/** Runs tasks of the workspace, or a command. */
export interface ActionNode<S, N extends string = string> extends ActionSpec<S, N> {
  readonly kind: "action";
}

/** What `ActionNode` says besides its kind. */
export interface ActionSpec<S, N extends string = string> extends NodeOptions<N>, WorkOptions<S> {
  readonly work: ActionWork | ((state: Readonly<S>) => ActionWork);
  readonly result?: (outcome: ActionOutcome, state: Readonly<S>) => Returned<NodeOutput<S, N>>;
}

/** A barrier of any payload. */
export interface AnyBarrier<S, N extends string = string> extends BarrierSpec<S, N, never> {
  readonly kind: "barrier";
}

/** Any node. */
export type FlowNode<S, N extends string = string> =
  | TaskNode<S, N>
  | ConditionNode<S, N>
  | AnyBarrier<S, N>
  | ParallelNode<S, N>
  | MapNode<S, N>
  | SubgraphNode<S, N>
  | ActionNode<S, N>;

/** Any node of any graph, as the machine sees it. */
export type AnyNode = FlowNode<Readonly<Record<string, unknown>>>;

/** What a predicate may look at besides the state. */
export interface RouteFacts {
  /** Of a barrier: what was decided. */
  readonly decision?: BarrierOutcome;
}

/** An edge with more to say than where it leads. */
export interface EdgeSpec<S, N extends string = string> {
  readonly from: N;
  /** Several targets are all started. */
  readonly to: N | End | readonly (N | End)[];
  /** Makes it conditional: tried in order of declaration, before normal edges. */
  readonly when?: (state: Readonly<S>, facts: RouteFacts) => boolean;
  /** Taken when the node says `fallback`, when it fails and no error edge matches, or when nothing else is left. */
  readonly fallback?: true;
  /** Taken when the node fails, with one of these classes or if the predicate says so. */
  readonly onError?: readonly FailureClass[] | ((error: NodeError) => boolean);
  /** How often it may be taken in one frame; after that it is passed over. */
  readonly maxVisits?: number;
  readonly label?: string;
}

/** An edge as it is written. */
export type Edge<S, N extends string = string> =
  | readonly [from: N, to: N | End | readonly (N | End)[]]
  | EdgeSpec<S, N>;

/** An edge as the machine reads it. */
export interface FlowEdge extends Omit<EdgeSpec<Readonly<Record<string, unknown>>>, "to"> {
  readonly to: readonly string[];
  readonly kind: "conditional" | "normal" | "fallback" | "error";
  /** Names the edge in journals: `from>to`, with a number where there are several. */
  readonly id: string;
}

/** A valid graph. `S` is its state, `P` the marks of its nodes, which tell of its barriers; both for the type checker alone. */
export interface FlowGraph<S = unknown, P = unknown> {
  readonly id: string;
  readonly version: string;
  readonly schema: StateSchema;
  readonly start: string;
  readonly maxSteps: number;
  readonly nodes: ReadonlyMap<string, AnyNode>;
  readonly edges: readonly FlowEdge[];
  /** Edges by the node that they leave, in order of declaration. */
  readonly outgoing: ReadonlyMap<string, readonly FlowEdge[]>;
  /** Digest of the structure: names, kinds, versions, edges, reducers. */
  readonly hash: Digest;
  readonly structure: GraphStructure;
  /** What is odd, yet no reason to refuse it. */
  readonly warnings: readonly Problem[];
  readonly types?: { readonly state: S; readonly payloads: P };
}
