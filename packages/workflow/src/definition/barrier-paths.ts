/**
 * Barriers of a graph for the type checker: where each is, wherever it is nested, and what it accepts.
 *
 * Invariant: nothing here exists when a program runs. Marks are put together by the functions that make nodes, from the
 *            inside out; a node that is no barrier and holds none has the mark `unknown`.
 */

/** Carries a mark; never set. */
export interface PayloadMark<M> {
  readonly payloadType?: M;
}

/** Of a barrier: its payload. */
export interface BarrierMark<P> {
  readonly barrier: P;
}

/** Of named branches: a mark for each. */
export interface BranchesMark<B> {
  readonly branches: B;
}

/** Of a map: the mark of its body. */
export interface EachMark<M> {
  readonly each: M;
}

/** Of a subgraph: the marks of its nodes, and its state. */
export interface InnerMark<P, S> {
  readonly inner: P;
  readonly state: S;
}

/** One barrier: its path (`sub/review`, `*` for any branch of a map), the ids of its visits, and what it knows. */
interface Place<Path, Id, P, S, N> {
  readonly path: Path;
  readonly id: Id;
  readonly payload: P;
  readonly state: S;
  /** Nodes that a reroute may name. */
  readonly nodes: N;
}

type InNode<M, Path extends string, Id extends string, S, N> =
  M extends BarrierMark<infer P>
    ? Place<Path, Id, P, S, N>
    : M extends BranchesMark<infer B>
      ? { [K in keyof B & string]: InNode<B[K], `${Path}/${K}`, `${Id}/${K}`, S, never> }[keyof B & string]
      : M extends EachMark<infer E>
        ? InNode<E, `${Path}/*`, `${Id}/${number}`, S, never>
        : M extends InnerMark<infer G, infer Inner>
          ? InGraph<G, Inner, `${Path}/`, `${Id}/`>
          : never;

type InGraph<G, S, Path extends string, Id extends string> = {
  [K in keyof G & string]: InNode<G[K], `${Path}${K}`, `${Id}${K}#${number}`, S, keyof G & string>;
}[keyof G & string];

/** Every barrier of a graph with these marks and this state. */
export type BarriersIn<P, S> = InGraph<P, S, "", "">;

/** The barrier of this path. */
export type BarrierOfPath<B, Path> = B extends { readonly path: Path } ? B : never;

/** The barrier of which this is a visit. */
export type BarrierOfVisit<B, Id> = B extends { readonly id: infer Ids } ? (Id extends Ids ? B : never) : never;

/** What the barrier at a path of a graph accepts: `PayloadAt<typeof review, "sub/approve">`. */
export type PayloadAt<G, Path extends string> = G extends { readonly types?: infer T }
  ? NonNullable<T> extends { readonly state: infer S; readonly payloads: infer P }
    ? BarrierOfPath<BarriersIn<P, S>, Path>["payload"]
    : never
  : never;
