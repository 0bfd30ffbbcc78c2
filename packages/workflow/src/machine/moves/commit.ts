/** Commits: writes and where the frame goes on, as one record. */

import type { CommitRecord } from "../state/records.ts";
import { ROOT, type Visit } from "../state/run-state.ts";
import type { Desk } from "./desk.ts";
import type { Route } from "./route.ts";

/** What is committed. */
export interface Way {
  readonly route: Route;
  /** Writes, cost and what else of a commit is not routing. */
  readonly writes: Partial<CommitRecord>;
}

/** Writes the commit of a visit and sets going what follows. A route that ends the frame first ends what runs in it. */
export function commit(desk: Desk, visit: Visit, way: Way): void {
  if (way.route.end !== true) {
    commitNow(desk, visit, way);
    return;
  }
  desk.drain(visit.frame, "not-needed", () => commitNow(desk, visit, way));
}

function commitNow(desk: Desk, visit: Visit, { route, writes }: Way): void {
  const frame = desk.frameOf(visit);
  const { nodes } = desk.graphOf(frame);
  const isJoin = (name: string) => nodes.get(name)?.join !== undefined;
  const joins = route.to.filter(isJoin);
  const starts = joins.length === 0 ? route.to : route.to.filter((name) => !isJoin(name));
  const record: { -readonly [K in keyof CommitRecord]: CommitRecord[K] } = {
    k: "c",
    v: visit.id,
    t: desk.t,
    ...writes,
  };
  if (starts.length > 0) record.n = starts;
  if (joins.length > 0) record.j = joins;
  if (route.counted.length > 0) record.e = route.counted;
  if (route.go === true) record.go = 1;
  if (route.end === true) record.end = 1;
  if (route.how !== undefined) record.how = route.how;
  if (route.why !== undefined) record.why = route.why;
  if (route.error !== undefined) record.error = route.error;
  desk.emit(record);
  const prefix = frame.id === ROOT ? "" : `${frame.id}/`;
  for (const name of starts) {
    const opened = desk.state.visits.get(`${prefix}${name}#${frame.counts.get(name)}`);
    if (opened !== undefined) desk.moves.push({ move: "launch", visit: opened });
  }
  if (frame.open === 0 || frame.joins.size > 0) desk.moves.push({ move: "settle", frame: frame.id });
}
