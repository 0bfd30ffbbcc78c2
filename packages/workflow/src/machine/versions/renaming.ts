/**
 * Renaming: a run goes on with a graph some of whose nodes have other names now.
 *
 * Owns:      what names appear in of a run's state: visits, frames, counts, counted edges, joins, branches, and decisions
 *            that wait. All of them change together.
 * Invariant: occurrences are kept where the new name was never visited before, so `review#3` becomes `check#3`; where it
 *            was, they are counted on. A node stays in its graph, a branch at its node: only the last part of a path changes.
 */
import type { Fan, Frame, RunState, Visit, VisitPhase } from "../state/run-state.ts";
import { ROOT } from "../state/run-state.ts";

/** New names by path without occurrences (`sub/review`, `both/left`, `each/*\/check`). */
export type Renames = Readonly<Record<string, string>>;

/** The path of an open visit or frame without occurrences; `*` stands for the branch of a map. */
export function patternOf(state: RunState, id: string): string {
  let pattern = "";
  let at = "";
  for (const part of id === ROOT ? [] : id.split("/")) {
    pattern = within(pattern, nameIn(state, at, part));
    at = within(at, part);
  }
  return pattern;
}

/** The name that a part of an id stands for, inside of the visit or frame `at`. */
function nameIn(state: RunState, at: string, part: string): string {
  const hash = part.lastIndexOf("#");
  if (hash !== -1) return part.slice(0, hash);
  const phase = state.visits.get(at)?.phase;
  const isEach = phase?.kind === "fan" ? phase.fan.names === undefined : /^\d+$/.test(part);
  return isEach ? "*" : part;
}

/** A path one level further in. */
export function within(outer: string, part: string): string {
  return outer === "" ? part : `${outer}/${part}`;
}

/** Gives everything that is open, and everything that waits for it, its new name. */
export function rename(state: RunState, names: Renames): void {
  if (Object.keys(names).length === 0) return;
  const renaming = new Renaming(state, names);
  // All of it is worked out before anything changes: ids are read from the state as it was.
  const frames = [...state.frames.values()].map((frame) => renaming.frame(frame));
  const visits = [...state.visits.values()].map((visit) => renaming.visit(visit));
  const early = state.early.map((each) => ({ ...each, v: renaming.id(each.v) }));
  const wildcards = state.wildcards.map((each) => ({ ...each, node: renaming.pattern(each.node) }));
  state.frames.clear();
  for (const frame of frames) state.frames.set(frame.id, frame);
  state.visits.clear();
  for (const visit of visits) state.visits.set(visit.id, visit);
  state.early = early;
  state.wildcards = wildcards;
}

class Renaming {
  readonly #state: RunState;
  readonly #names: Renames;

  constructor(state: RunState, names: Renames) {
    this.#state = state;
    this.#names = names;
  }

  id(id: string): string {
    if (id === ROOT) return ROOT;
    let pattern = "";
    let at = "";
    const parts: string[] = [];
    for (const part of id.split("/")) {
      const name = nameIn(this.#state, at, part);
      const next = this.#nameOf(within(pattern, name));
      parts.push(next === undefined ? part : this.#partOf(part, next, { pattern, frame: at }));
      pattern = within(pattern, name);
      at = within(at, part);
    }
    return parts.join("/");
  }

  pattern(old: string): string {
    let pattern = "";
    const parts: string[] = [];
    for (const part of old.split("/")) {
      pattern = within(pattern, part);
      parts.push(this.#nameOf(pattern) ?? part);
    }
    return parts.join("/");
  }

  #nameOf(pattern: string): string | undefined {
    return Object.hasOwn(this.#names, pattern) ? this.#names[pattern] : undefined;
  }

  #partOf(part: string, name: string, place: { readonly pattern: string; readonly frame: string }): string {
    const hash = part.lastIndexOf("#");
    if (hash === -1) return name;
    // A name that goes elsewhere itself leaves its numbers free.
    const isLeft = this.#nameOf(within(place.pattern, name)) !== undefined;
    const made = isLeft ? 0 : (this.#state.frames.get(place.frame)?.counts.get(name) ?? 0);
    return `${name}#${made + Number(part.slice(hash + 1))}`;
  }

  frame(frame: Frame): Frame {
    const pattern = patternOf(this.#state, frame.id);
    const named = (name: string) => this.#nameOf(within(pattern, name)) ?? name;
    return {
      ...frame,
      id: this.id(frame.id),
      owner: frame.owner === undefined ? undefined : this.id(frame.owner),
      counts: added(frame.counts, named),
      edges: added(frame.edges, (edge) =>
        edge.replace(/[^>+~]+/g, (part) => (/^\d+$/.test(part) ? part : named(part))),
      ),
      joins: new Map([...frame.joins].map(([node, from]) => [named(node), added(from, named)])),
      fired: added(frame.fired, named),
      ends: new Map([...frame.ends].map(([node, outcome]) => [named(node), outcome])),
    };
  }

  visit(visit: Visit): Visit {
    const id = this.id(visit.id);
    const last = id.slice(id.lastIndexOf("/") + 1);
    const hash = last.lastIndexOf("#");
    return {
      ...visit,
      id,
      node: hash === -1 ? last : last.slice(0, hash),
      occurrence: Number(/#(\d+)[^#]*$/.exec(id)![1]),
      frame: this.id(visit.frame),
      parent: visit.parent === undefined ? undefined : this.id(visit.parent),
      phase: this.#phase(visit),
      definition: undefined,
    };
  }

  #phase({ id, phase }: Visit): VisitPhase {
    if (phase.kind !== "fan" || phase.fan.names === undefined) return phase;
    const pattern = patternOf(this.#state, id);
    const named = (name: string) => this.#nameOf(within(pattern, name)) ?? name;
    const { names, done, failed } = phase.fan;
    const fan: Fan = {
      ...phase.fan,
      names: names.map(named),
      done: new Map([...done].map(([name, sets]) => [named(name), sets])),
      failed: new Map([...failed].map(([name, error]) => [named(name), error])),
    };
    return { kind: "fan", fan };
  }
}

function added(counts: ReadonlyMap<string, number>, named: (name: string) => string): Map<string, number> {
  const result = new Map<string, number>();
  for (const [name, count] of counts) result.set(named(name), (result.get(named(name)) ?? 0) + count);
  return result;
}
