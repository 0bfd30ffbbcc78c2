/** `kahn flow decide`: decides a barrier of a run, whoever executes it. */
import { err, ok, type Problem, parseDurationMs, problem, type Result } from "@kahn/core";
import { barriersText, errorText, painter } from "@kahn/report";
import type { Ack, DecideOptions, Decision, DecisionTarget, RunCommand, RunSummary } from "@kahn/workflow";
import type { ParsedArguments } from "../../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import type { Host } from "../../cli/host.ts";
import type { FlowSession } from "../../session/flow/flow-session.ts";
import { waitingBarriers } from "../../session/flow/status.ts";
import { DIR_OPTION, FILE_OPTION, JSON_OPTION, parseJson, parseJsonObject, runFor, whoActs } from "./options.ts";

/** The command. */
export const flowDecide: Command = {
  name: "flow decide",
  usage: "flow decide RUN BARRIER --approve | --reject [REASON] | --modify JSON | --reroute NODE [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 3,
  options: [
    { name: "approve", help: "let it go on" },
    { name: "reject", value: "REASON", optional: true, help: "refuse, with a reason" },
    { name: "modify", value: "JSON", help: "put these values in the place of what the state holds, and go on" },
    { name: "reroute", value: "NODE", help: "go on at this node" },
    { name: "payload", value: "JSON", help: "with --approve or --reject: what the barrier asks for" },
    { name: "by", value: "NAME", help: "who decides (default: $USER)" },
    { name: "count", value: "N", help: "of a bare node: how many of its visits are decided, or all (default: 1)" },
    { name: "for", value: "DURATION", help: "of a bare node: for how long, such as 10m" },
    { name: "revoke", value: "TOKEN", help: "take back a decision that has not been used" },
    FILE_OPTION,
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
BARRIER is one visit, as flow show names it (review#1), or a node (review), whose next visit is decided, now or when
it comes. If a process executes the run, it is told, and answers once the decision is on disk; if none does, the
decision is written into the run, and kahn flow resume goes on with it. Of a run that failed or was cancelled it is kept
as well, and takes nothing up by itself.

Prints what became of it: accepted (early, if the visit has not come), duplicate (it was decided before), late, unknown
or invalid. Exit code 0 for the first two, else 1.`,
  examples: [
    ["kahn flow decide last review#1 --approve", "that visit of review"],
    ["kahn flow decide 01JH review --reject 'too thin' --by ann", "the next visit of review"],
    [`kahn flow decide last plan#2 --modify '{"days": 3}'`, "change the state"],
    ["kahn flow decide last review --approve --for 10m --count all", "everything in the next ten minutes"],
  ],
  async run(host, given) {
    const command = readCommand(host, given);
    if (!command.ok) return refuse(host, [command.problem]);
    const found = await runFor(host, given, { command: `decide ${given.positionals[0]}` });
    if (!found.ok) return refuse(host, found.problem);
    const { session, run } = found.value;
    const owner = await session.owner(run);
    const before = session.summary(run);
    const statusBefore = before.ok ? before.value.status : "running";
    const ack = await session.tell(run, command.value);
    if (given.has("json")) host.stdout.write(`${JSON.stringify({ run, ...ack })}\n`);
    else host.stdout.write(ackText(ack, { session, run, given, hasOwner: owner !== undefined, statusBefore }));
    return ack.ack === "accepted" || ack.ack === "duplicate" ? EXIT.done : EXIT.failed;
  },
};

function readCommand(host: Host, given: ParsedArguments): Result<RunCommand, Problem> {
  const token = given.value("revoke");
  const [, barrier, reason] = given.positionals;
  if (token !== undefined) {
    const others = ["approve", "reject", "modify", "reroute"].filter((name) => given.has(name));
    if (barrier === undefined && others.length === 0) return ok({ kind: "revoke", token });
    return err(problem("arguments-count", "--revoke takes back a decision; it goes with RUN alone"));
  }
  if (barrier === undefined) {
    return err(
      problem("arguments-count", "no barrier was named", { next: "kahn flow show RUN tells which are open." }),
    );
  }
  const decision = readDecision(given, reason);
  if (!decision.ok) return decision;
  const options = readOptions(host, given, barrier);
  if (!options.ok) return options;
  const target = (barrier.includes("#") ? barrier : { node: barrier }) as DecisionTarget;
  return ok({ kind: "decide", target, decision: decision.value, options: options.value });
}

function readDecision(given: ParsedArguments, reason: string | undefined): Result<Decision, Problem> {
  const kinds = ["approve", "reject", "modify", "reroute"].filter((name) => given.has(name));
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? "nothing was decided" : `--${kinds.join(" and --")} were given`;
    return err(problem("arguments-count", found, { next: "Give one of --approve, --reject, --modify, --reroute." }));
  }
  const [kind] = kinds;
  if (reason !== undefined && kind !== "reject") return err(problem("arguments-count", "too many arguments"));
  const payload = given.value("payload");
  const parsed = payload === undefined ? ok(undefined) : parseJson(payload, "--payload");
  if (!parsed.ok) return parsed;
  const extra = parsed.value === undefined ? {} : { payload: parsed.value };
  switch (kind) {
    case "approve":
      return ok({ approve: true, ...extra } as Decision);
    case "reject":
      return ok({ reject: reason ?? given.value("reject") ?? "", ...extra } as Decision);
    default: {
      if (payload !== undefined) return err(problem("option-value", `--payload does not go with --${kind}`));
      if (kind === "reroute") return ok({ reroute: given.value("reroute")! });
      const set = parseJsonObject(given.value("modify")!, "--modify");
      return set.ok ? ok({ modify: set.value }) : set;
    }
  }
}

function readOptions(host: Host, given: ParsedArguments, barrier: string): Result<DecideOptions, Problem> {
  const who = whoActs(host, given);
  const [count, duration] = [given.value("count"), given.value("for")];
  if (barrier.includes("#")) {
    if (count === undefined && duration === undefined) return ok(who);
    const next = `Name the node, ${barrier.replace(/#\d+$/, "")}, to decide several of its visits.`;
    return err(problem("option-value", `--count and --for do not go with one visit, ${barrier}`, { next }));
  }
  if (duration !== undefined && parseDurationMs(duration) === undefined) {
    return err(problem("option-value", `--for is no duration: "${duration}"`, { next: "For example 30s, 10m or 2h." }));
  }
  const life = duration === undefined ? {} : { forMs: duration };
  if (count === "all" || (count === undefined && duration !== undefined)) return ok({ ...who, ...life });
  if (count !== undefined && !/^[1-9][0-9]{0,8}$/.test(count)) {
    return err(problem("option-value", `--count wants a whole number of at least 1, or all; not "${count}"`));
  }
  // Of a person who types a node's name, one visit is meant: a rejection of all to come would go round for ever.
  return ok({ ...who, ...life, count: Number(count ?? 1) });
}

interface AckPlace {
  readonly session: FlowSession;
  readonly run: string;
  readonly given: ParsedArguments;
  readonly hasOwner: boolean;
  readonly statusBefore: RunSummary["status"];
}

function ackText(ack: Ack, { session, run, given, hasOwner, statusBefore }: AckPlace): string {
  const { host, ports } = session;
  const paint = painter(host.stdout.colour);
  const why = ack.why === undefined ? "" : `: ${ack.why}`;
  const summary = session.summary(run);
  const open = summary.ok ? waitingBarriers(summary.value) : [];
  switch (ack.ack) {
    case "accepted": {
      const token = ack.token === "" || given.has("revoke") ? "" : paint(` (token ${ack.token})`, "dim");
      const revoke = `kahn flow decide ${run} --revoke ${ack.token}${session.dirOption()}`;
      const early = ack.why === undefined ? "" : `early: ${ack.why}\nto take it back: ${revoke}\n`;
      const after = hasOwner || !summary.ok ? "" : afterwards(summary.value, statusBefore, session);
      return `${paint("✔ accepted", "green")}${token}\n${early}${after}`;
    }
    case "duplicate":
      return `${paint("= duplicate", "cyan")}${why}\n`;
    default: {
      const options = { nowMs: ports.clock.nowMs(), dirOption: session.dirOption(), paint };
      // Of an unknown one the answer says so itself.
      const nothing = ack.ack === "late" ? "nothing of this run waits for a decision\n" : "";
      const waiting = open.length === 0 ? nothing : barriersText(run, open, options);
      return `${paint(`✖ ${ack.ack}`, "red")}${why}\n${waiting}`;
    }
  }
}

/** What became of a run by a decision that nobody was there to act on, and what there is to do. */
function afterwards({ run, status }: RunSummary, before: RunSummary["status"], session: FlowSession): string {
  const resume = `kahn flow resume ${run}${session.dirOption()}`;
  if (status === "completed") return "with it the run is completed\n";
  if (status === "running") return `nobody executes the run; to go on: ${resume}\n`;
  if (before !== "running") return `the run is ${status}, and stays so until it is taken up again: ${resume}\n`;
  const result = session.flow.peek(run);
  const error = result.ok ? result.value.error : undefined;
  return `with it the run ${error === undefined ? `is ${status}` : `has failed: ${errorText(error)}`}\nto try again: ${resume}\n`;
}
