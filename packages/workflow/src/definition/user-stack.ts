/**
 * Where code of the graph threw: the frames of a stack that are not the engine's and not Node's.
 *
 * Invariant: at most 8 frames and 2,000 characters, for journals keep it with the failure.
 */

const FRAMES_MAX = 8;
const CHARACTERS_MAX = 2000;
/** A bundle lies in `dist`, this file in `src/definition`: either way what is beside and above it is the engine's. */
const OWN = new URL("..", import.meta.url);
const OWN_PLACES = [OWN.href, OWN.protocol === "file:" ? decodeURIComponent(OWN.pathname) : OWN.href];

/** The frames, one to a line, each such as `run (/work/graph.ts:12:7)`; `undefined` when there are none. */
export function userStack(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return undefined;
  const frames: string[] = [];
  let left = CHARACTERS_MAX;
  for (const line of thrown.stack.split("\n")) {
    const [, frame] = /^\s+at (?:async )?(.*:\d+:\d+\)?)$/.exec(line) ?? [];
    if (frame === undefined || isForeign(frame)) continue;
    const plain = frame.replaceAll("file://", "");
    left -= plain.length + 1;
    if (frames.length === FRAMES_MAX || left < 0) break;
    frames.push(plain);
  }
  return frames.length === 0 ? undefined : frames.join("\n");
}

function isForeign(frame: string): boolean {
  return (
    /\bnode:|\/node_modules\/(?:jiti|vitest|@vitest)\//.test(frame) || OWN_PLACES.some((own) => frame.includes(own))
  );
}
