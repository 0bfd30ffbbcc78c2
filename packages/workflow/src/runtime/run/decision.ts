/** Decisions as people write them, checked against what a barrier accepts, and encoded. */
import type { Json } from "@kahn/core";
import { parseDurationMs } from "@kahn/core";
import type { BarrierOfPath, BarrierOfVisit, BarriersIn } from "../../definition/barrier-paths.ts";
import type { PayloadShape, StandardSchema } from "../../definition/nodes.ts";
import type { DecideRequest } from "../../machine/barriers/decide.ts";
import type { BarrierPlace } from "../../machine/barriers/places.ts";
import type { RecordedDecision } from "../../machine/state/records.ts";
import type { ValueCodec } from "../../machine/state/values.ts";

/** One visit of a barrier (`review#1`, `both#1/legal`: as events name it), or every one of a node (`{ node: "review" }`). */
export type DecisionTarget<N extends string = string> = `${N}#${string}` | { readonly node: N };

type Payload<P> = unknown extends P
  ? { readonly payload?: unknown }
  : keyof P extends never
    ? { readonly payload?: P }
    : { readonly payload: P };

/** What a person says. `P` is what the barrier accepts, `S` the state, `N` where a reroute may lead. */
export type Decision<P = unknown, S = Readonly<Record<string, unknown>>, N = string> =
  | ({ readonly approve: true } & Payload<P>)
  | { readonly reject: string; readonly payload?: P }
  | { readonly modify: Partial<S> }
  | { readonly reroute: N };

/** Targets in a graph of which the barriers are known; any text where they are not. */
export type TargetIn<P, S> = unknown extends P
  ? DecisionTarget
  : BarriersIn<P, S>["id"] | { readonly node: BarriersIn<P, S>["path"] };

/** What may be said to a target: payload, state and nodes are those of the barrier that it names. */
export type DecisionFor<P, S, T> = unknown extends P
  ? Decision<unknown, S>
  : [T] extends [never]
    ? Decision
    : DecisionAt<
        T extends { readonly node: infer Path }
          ? BarrierOfPath<BarriersIn<P, S>, Path>
          : BarrierOfVisit<BarriersIn<P, S>, T>
      >;

type DecisionAt<B> = B extends { readonly payload: infer P; readonly state: infer S; readonly nodes: infer N }
  ? Decision<P, S, N>
  : never;

/** By whom, and for how long. */
export interface DecideOptions {
  readonly by?: string;
  /** Of a decision for every occurrence: how many it answers; default all until the run ends. */
  readonly count?: number;
  /** Or for how long from now. */
  readonly forMs?: number | string;
}

/** What a run can be told. JSON, for it may travel through an inbox. */
export type RunCommand =
  | {
      readonly kind: "decide";
      readonly target: DecisionTarget;
      readonly decision: Decision;
      readonly options?: DecideOptions;
    }
  | { readonly kind: "revoke"; readonly token: string }
  | { readonly kind: "cancel"; readonly reason?: string; readonly by?: string };

/** What is made of it for the machine. */
export interface DecisionInput {
  readonly target: DecisionTarget;
  readonly decision: Decision;
  readonly options: DecideOptions;
  /** The barriers that it is for. */
  readonly places: readonly BarrierPlace[];
  readonly codec: ValueCodec;
  readonly nowMs?: number;
  readonly cmd?: string;
}

/** Checks the payload and encodes the values; what is wrong is told by the request itself. */
export async function decideRequest(input: DecisionInput): Promise<DecideRequest> {
  const { target, decision, options, places, codec, nowMs, cmd } = input;
  const checked = await recorded(decision, [...new Set(places.map(({ barrier }) => barrier.accept))], codec);
  const untilMs =
    options.forMs === undefined || nowMs === undefined ? undefined : nowMs + (parseDurationMs(options.forMs) ?? 0);
  return {
    ...(typeof target === "string" ? { barrier: target } : { node: target.node }),
    decision: checked.decision,
    ...(options.by === undefined ? {} : { by: options.by }),
    ...(options.count === undefined ? {} : { count: options.count }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(checked.invalid === undefined ? {} : { invalid: checked.invalid }),
  };
}

interface Checked {
  readonly decision: RecordedDecision;
  readonly invalid?: string;
}

async function recorded(decision: Decision, accepts: readonly Accept[], codec: ValueCodec): Promise<Checked> {
  if (typeof decision !== "object" || decision === null)
    return bad("a decision is an object: approve, reject, modify or reroute");
  if ("modify" in decision) return modification(decision.modify, codec);
  if ("reroute" in decision) return { decision: { kind: "reroute", to: String(decision.reroute) } };
  const isApproval = "approve" in decision;
  if (!isApproval && !("reject" in decision)) return bad("a decision says approve, reject, modify or reroute");
  const given = decision.payload;
  const payload = isApproval ? await acceptedByAll(given, accepts) : { value: given };
  const encoded = payload.value === undefined ? undefined : codec.encode(payload.value);
  const kept = encoded?.ok === true ? { payload: encoded.value } : {};
  const wrong = payload.issue ?? (encoded?.ok === false ? encoded.problem.message : undefined);
  const head = isApproval ? { kind: "approve" as const } : { kind: "reject" as const, reason: String(decision.reject) };
  return { decision: { ...head, ...kept }, ...(wrong === undefined ? {} : { invalid: wrong }) };
}

function bad(invalid: string): Checked {
  return { decision: { kind: "reject", reason: "" }, invalid };
}

function modification(set: Readonly<Record<string, unknown>>, codec: ValueCodec): Checked {
  const writes: Record<string, Json> = {};
  for (const [key, value] of Object.entries(set)) {
    const encoded = codec.encode(value);
    if (!encoded.ok) return { decision: { kind: "modify", set: {} }, invalid: `${key}: ${encoded.problem.message}` };
    writes[key] = encoded.value;
  }
  return { decision: { kind: "modify", set: writes } };
}

interface Accepted {
  readonly value: unknown;
  readonly issue?: string;
}

type Accept = PayloadShape | StandardSchema | undefined;

/** What is for several barriers has to suit all of them. */
async function acceptedByAll(given: unknown, accepts: readonly Accept[]): Promise<Accepted> {
  let value = given;
  for (const accept of accepts) {
    const checked = await accepted(value, accept);
    if (checked.issue !== undefined) return checked;
    value = checked.value;
  }
  return { value };
}

async function accepted(given: unknown, accept: Accept): Promise<Accepted> {
  if (accept === undefined) return { value: given };
  if ("~standard" in accept) {
    const result = await (accept as StandardSchema)["~standard"].validate(given);
    if (result.issues === undefined) return { value: result.value };
    return { value: given, issue: result.issues.map((issue) => issue.message).join("; ") };
  }
  const payload = (given ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof payload !== "object" || Array.isArray(payload)) return { value: given, issue: "the payload is no object" };
  const issues = [
    ...Object.entries(accept).flatMap(([name, word]) => mismatch(name, word, payload[name])),
    ...Object.keys(payload).flatMap((name) => (Object.hasOwn(accept, name) ? [] : [`"${name}" is not asked for`])),
  ];
  return issues.length === 0 ? { value: payload } : { value: payload, issue: issues.join("; ") };
}

function mismatch(name: string, word: string, value: unknown): readonly string[] {
  if (value === undefined) return word.endsWith("?") ? [] : [`"${name}" is missing`];
  const wanted = word.replace("?", "");
  return wanted === "json" || typeof value === wanted ? [] : [`"${name}" is not a ${wanted}`];
}
