/** Makes nodes of the kinds that have one: `barrier`, `map`, `parallel`, `subgraph`, `condition`, `action`. */
import type { BranchesMark, EachMark, InnerMark, PayloadMark } from "./barrier-paths.ts";
import type {
  ActionNode,
  ActionSpec,
  AnyNode,
  BarrierNode,
  BarrierSpec,
  BranchNode,
  ConditionNode,
  FanOptions,
  FlowGraph,
  MapNode,
  NodeContext,
  NodeOptions,
  NodeOutput,
  ParallelNode,
  PayloadOf,
  PayloadShape,
  Returned,
  StandardSchema,
  SubgraphNode,
  WorkOptions,
  WriteOptions,
} from "./nodes.ts";

/** A barrier with the type of its payload taken from `accept`. */
export function barrier<
  S,
  N extends string = never,
  const A extends PayloadShape | StandardSchema = Readonly<Record<never, never>>,
>(
  spec: BarrierSpec<NoInfer<S>, N, NoInfer<PayloadOf<A>>> & { readonly accept?: A },
): BarrierNode<S, NoInfer<N>, PayloadOf<A>> {
  return { kind: "barrier", ...spec };
}

/** What a map is made of: either `run`, or a `body` for nodes of other kinds. */
export type MapSpec<S, N extends string, T, M = unknown> = NodeOptions<N> &
  FanOptions &
  WorkOptions<S> & {
    readonly over: (state: Readonly<S>) => readonly T[];
  } & (
    | {
        readonly run: (
          context: NodeContext<S> & { readonly item: T; readonly index: number },
        ) => Returned<NodeOutput<S, never>> | Promise<Returned<NodeOutput<S, never>>>;
        readonly body?: undefined;
      }
    | { readonly run?: undefined; readonly body: (item: T, index: number) => BranchNode<S> & PayloadMark<M> }
  );

/** One branch for each item of a list. */
export function map<S, T, N extends string = never, M = unknown>(
  spec: MapSpec<NoInfer<S>, N, T, M>,
): MapNode<S, NoInfer<N>> & PayloadMark<EachMark<M>> {
  const { run, body, over, retry, timeout, claim, cache, sideEffects, writes, ...rest } = spec;
  const work = { retry, timeout, claim, cache, sideEffects, writes } as WorkOptions<S>;
  // One object for all items: the item is in the context.
  const shared = { kind: "task", run: run as unknown, ...defined(work) } as BranchNode<S>;
  const bodyOf = body as ((item: unknown, index: number) => BranchNode<S>) | undefined;
  return {
    kind: "map",
    over,
    body: bodyOf ?? (() => shared),
    shape: bodyOf === undefined ? shared : shapeOf(bodyOf),
    ...rest,
  };
}

/** A body that needs its item cannot be looked at without one; it then counts as a task. */
function shapeOf<S>(body: (item: unknown, index: number) => BranchNode<S>): BranchNode<S> {
  try {
    return body(undefined, 0);
  } catch {
    return { kind: "task", run: () => undefined };
  }
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** Named branches side by side. */
export function parallel<S, N extends string = never, B = unknown, K extends string = string>(
  branches: { readonly [Name in K]: BranchNode<NoInfer<S>> } & { readonly [Name in keyof B]: PayloadMark<B[Name]> },
  options: FanOptions & NodeOptions<N> = {},
): ParallelNode<S, NoInfer<N>> & PayloadMark<BranchesMark<NoInfer<B>>> {
  return { kind: "parallel", branches, ...options };
}

/** A graph inside of a graph, with its own state: `input` makes it, `output` gives back what is wanted of it. */
export function subgraph<S, Inner, N extends string = never, P = unknown>(
  spec: NodeOptions<N> &
    WriteOptions<NoInfer<S>> & {
      readonly graph: FlowGraph<Inner, P>;
      readonly input: (state: Readonly<NoInfer<S>>) => Partial<NoInfer<Inner>>;
      readonly output: (inner: Readonly<NoInfer<Inner>>, state: Readonly<NoInfer<S>>) => NodeOutput<NoInfer<S>, N>;
    },
): SubgraphNode<S, NoInfer<N>> & PayloadMark<InnerMark<P, Inner>> {
  return { kind: "subgraph", ...spec } as unknown as SubgraphNode<S, N>;
}

/** Goes to the first target whose predicate holds; none: on by the edges. */
export function condition<S, N extends string = never>(
  choices: readonly (readonly [target: N, when: (state: Readonly<NoInfer<S>>) => boolean])[],
  options: NodeOptions<N> = {},
): ConditionNode<S, NoInfer<N>> {
  return { kind: "condition", choices, ...options };
}

/** Tasks of the workspace, or a command. */
export function action<S, N extends string = never>(spec: ActionSpec<NoInfer<S>, N>): ActionNode<S, NoInfer<N>> {
  return { kind: "action", ...spec };
}

/** The kind of a node; a task may leave it out. */
export function kindOf(node: AnyNode): NonNullable<AnyNode["kind"]> {
  return node.kind ?? "task";
}
