/** What a flow refuses, with the next step in the words of the command line. */
import type { Problem } from "@kahn/core";

/** Which run it is about, and what to append to a command so that it finds the run. */
export interface RefusedRun {
  readonly run: string;
  readonly dirOption: string;
}

/** A problem of the library as the command line tells it. */
export function inShellWords(found: Problem, { run, dirOption }: RefusedRun): Problem {
  const next = NEXT[found.code]?.(`kahn flow resume ${run}${dirOption}`, `kahn flow replay ${run}${dirOption}`);
  return next === undefined ? found : { ...found, next };
}

const NEXT: Readonly<Record<string, (resume: string, replay: string) => string>> = {
  "flow-graph-changed": (resume, replay) =>
    `${resume} --mode compatible, if all that is open is still there; --mode migrate --rename OLD=NEW, if it has another name; --mode force, whatever it takes. ${replay} tells where the run would go another way.`,
  "flow-graph-incompatible": (resume) =>
    `${resume} --mode migrate --rename OLD=NEW names its successor, --mode force goes on without it.`,
  "flow-graph-other": (resume) => `${resume} --file FILE#NAME, with the graph that the run is one of.`,
};
