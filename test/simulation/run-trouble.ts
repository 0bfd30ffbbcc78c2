/** What goes wrong in a run: edits, bad attempts, refusals, full disks. */
import type { Fault, FileSystemCall } from "@kahn/testing";
import { editSources } from "./edit-sources.ts";
import type { Mood } from "./fake-commands.ts";
import type { Incident } from "./simulated-run.ts";
import type { StepContext } from "./step-context.ts";
import { CACHE } from "./world.ts";

/** Edits at random moments. */
export function drawEdits(context: StepContext): Incident[] {
  const { random, tally } = context;
  const incidents: Incident[] = [];
  for (let left = random.int(1, 3); left > 0; left--) {
    const draw = random.fork();
    const afterMs = random.int(0, 600);
    incidents.push({
      afterMs,
      what: "edit",
      happen: () => {
        tally("edits during a run");
        editSources({ ...context, random: draw });
      },
    });
  }
  return incidents;
}

/** An edit exactly between two calls of Kahn. */
export function drawEditsBetweenCalls(context: StepContext): Fault[] {
  const { random, tally } = context;
  if (random.chance(0.5)) return [];
  const draw = random.fork();
  const run = () => {
    tally("edits between two calls");
    editSources({ ...context, random: draw });
  };
  return [
    {
      at: nthOf(random.int(1, 300), () => true),
      action: { kind: "meanwhile", when: random.pick(["before", "after"]), run },
    },
  ];
}

/** Commands whose first attempts go wrong. */
export function drawMoods({ world, random, tally }: StepContext): Map<string, Mood[]> {
  const moods = new Map<string, Mood[]>();
  for (const task of world.workspace.tasks) {
    if (task.kind !== "command" || !random.chance(0.3)) continue;
    const attempts: Mood[] = [];
    for (let left = random.int(1, task.retries + 1); left > 0; left--) {
      const kinds: Mood[] = ["fails", "fails-midway", "dies"];
      if (task.timeoutMs !== undefined) kinds.push("hangs", "hangs");
      if (attempts.length === 0) kinds.push("does-not-start");
      attempts.push(random.pick(kinds));
    }
    for (const mood of attempts) tally(`commands: ${mood}`);
    moods.set(task.name, attempts);
  }
  return moods;
}

/** One call of Kahn's is refused. */
export function drawRefusal({ random, tell, tally }: StepContext): Fault {
  const code = random.pick(["EIO", "ENOSPC", "EACCES"]);
  const nth = random.int(1, 150);
  const where = random.pick(["", "", CACHE, "/state/runs/", "/state/values", "/packages/"]);
  tell(`${code} at mutating call ${nth}${where === "" ? "" : ` below ${where}`}`);
  tally(code);
  const action: Fault["action"] =
    code === "ENOSPC" ? { kind: "partial", landedBytes: random.pick([0, 1, 13, 64]), code } : { kind: "error", code };
  const limit = where === "" ? nth : 1 + (nth % 25);
  return {
    at: nthOf(limit, (call) => call.mutates && (call.path.includes(where) || call.to?.includes(where) === true)),
    action,
  };
}

/** From some call on nothing more can be written below one place. */
export function drawFullDisk({ random, tell, tally }: StepContext): Fault[] {
  const where = random.pick([CACHE, CACHE, "/state/values", "/state/runs/", "/w/.kahn", "/"]);
  const nth = random.int(1, 40);
  tell(`the disk below ${where} is full from call ${nth} on`);
  tally("full disks");
  const grows = new Set(["writeFile", "append", "copyFile", "makeDirectory", "symlink", "openAppend"]);
  const from = nthOf(
    nth,
    (call) =>
      grows.has(call.operation) &&
      (call.to ?? call.path).startsWith(where === "/state/runs/" || where === "/state/values" ? "/" : where) &&
      (call.to ?? call.path).includes(where),
    "from",
  );
  return [{ at: from, action: { kind: "error", code: "ENOSPC" }, timesMax: 1_000_000 }];
}

/** True for the nth call that fits, or from the nth on. */
export function nthOf(nth: number, fits: (call: FileSystemCall) => boolean, extent: "only" | "from" = "only") {
  let seen = 0;
  return (call: FileSystemCall): boolean => {
    if (!fits(call)) return false;
    seen++;
    return extent === "only" ? seen === nth : seen >= nth;
  };
}
