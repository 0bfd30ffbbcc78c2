/** `kahn flow cancel`: stops a run, whoever executes it. */
import { painter } from "@kahn/report";
import { type Command, EXIT, refuse } from "../../cli/command.ts";
import { DIR_OPTION, FILE_OPTION, JSON_OPTION, runFor, whoActs } from "./options.ts";

/** The command. */
export const flowCancel: Command = {
  name: "flow cancel",
  usage: "flow cancel RUN [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [
    { name: "reason", value: "TEXT", help: "why, for the record" },
    { name: "by", value: "NAME", help: "who cancels (default: $USER)" },
    FILE_OPTION,
    DIR_OPTION,
    JSON_OPTION,
  ],
  description: `
Aborts what runs and ends the run as cancelled; no barrier is decided by it. A cancelled run can be resumed.`,
  examples: [["kahn flow cancel last --reason 'wrong branch'", "the last run, with a word for the record"]],
  async run(host, given) {
    const found = await runFor(host, given, { command: `cancel ${given.positionals[0]}` });
    if (!found.ok) return refuse(host, found.problem);
    const { session, run } = found.value;
    const reason = given.value("reason");
    const why = reason === undefined ? {} : { reason };
    const ack = await session.tell(run, { kind: "cancel", ...why, ...whoActs(host, given) });
    const paint = painter(host.stdout.colour);
    if (given.has("json")) host.stdout.write(`${JSON.stringify({ run, ...ack })}\n`);
    else if (ack.ack === "accepted") host.stdout.write(`${paint("○ cancelled", "yellow")} ${run}\n`);
    else host.stdout.write(`${paint(`✖ ${ack.ack}`, "red")}${ack.why === undefined ? "" : `: ${ack.why}`}\n`);
    return ack.ack === "accepted" ? EXIT.done : EXIT.failed;
  },
};
