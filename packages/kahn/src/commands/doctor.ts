/** `kahn doctor`: what this machine and this workspace offer, and what is wrong with them. */

import { painter, problemText } from "@kahn/report";
import { ALWAYS_PASSED } from "@kahn/workspace";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT } from "../cli/command.ts";
import type { Host } from "../cli/host.ts";
import { cacheSection } from "../session/cache-limits.ts";
import { checkMachine, checkWorkspace, type Finding } from "../session/health.ts";
import { SERVER_OPTIONS, serverMeant, serverOption } from "../session/remote/server-choice.ts";
import { systemPorts } from "../session/system-ports.ts";
import { openSession, type WorkspaceSession } from "../session/workspace-session.ts";
import { VERSION } from "../version.ts";

/** The command. */
export const doctor: Command = {
  usage: "doctor [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 0,
  options: [
    ...SERVER_OPTIONS,
    { name: "env", help: "check nothing; print the variables that every task receives" },
    { name: "json", help: "the findings as one JSON object" },
  ],
  description: `
Checks Node, git, the sandbox, the configuration and the cache; when a server is named, also whether it answers, accepts
your credentials, and caches and runs for you what you want it to. Writes nothing there. Exit code 1 when something is
wrong (✖); what is merely absent (·) is named with what it would be good for.`,
  examples: [
    ["kahn doctor", "this machine, this workspace and its server"],
    ["kahn doctor --remote grpc://host:9092", "a server that is not configured yet"],
    ["kahn doctor --env", "why does my task not see FOO?"],
  ],
  async run(host, given) {
    if (given.has("env")) return printEnv(host);
    const ports = systemPorts(host);
    const findings: Finding[] = [...checkMachine(host, ports)];
    const session = await openSession(host);
    if (session.ok) findings.push(...(await checkWorkspace(session.value)));
    findings.push(...(await checkRemote(host, given, session.ok ? session.value : undefined)));
    const problems = session.ok ? [] : session.problem;
    const isIll = problems.length > 0 || findings.some((each) => each.state === "wrong");
    if (given.has("json")) host.stdout.write(`${JSON.stringify({ version: VERSION, findings, problems })}\n`);
    else {
      const paint = painter(host.stdout.colour);
      const mark = { good: paint("✔", "green"), absent: paint("·", "dim"), wrong: paint("✖", "red") };
      host.stdout.write(`kahn ${VERSION}\n`);
      for (const { state, what, detail, next } of findings) {
        host.stdout.write(`${mark[state]} ${what.padEnd(14)} ${detail}\n`);
        if (next !== undefined) host.stdout.write(`  ${"".padEnd(14)} ${paint("next:", "cyan")} ${next}\n`);
      }
      for (const each of problems) host.stdout.write(problemText(each, paint));
    }
    return isIll ? EXIT.failed : EXIT.done;
  },
};

/** The server that a run here would ask, or the one that was named; nothing without one. */
async function checkRemote(
  host: Host,
  given: ParsedArguments,
  session: WorkspaceSession | undefined,
): Promise<readonly Finding[]> {
  const config = session === undefined ? undefined : cacheSection(session.model);
  const server = serverMeant({ config, env: host.env, option: serverOption(given) });
  if (server === undefined) return [];
  const { checkServer } = await import("../session/remote/health.ts");
  const place = { ports: systemPorts(host), root: session?.model.root ?? host.directory, env: host.env };
  return await checkServer(place, { server });
}

function printEnv(host: Host): number {
  const isPassed = (name: string) =>
    ALWAYS_PASSED.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
  for (const name of Object.keys(host.env).filter(isPassed).sort()) host.stdout.write(`${name}=${host.env[name]}\n`);
  host.stdout.write(
    "\nEvery task receives these, and they are not in its key. Name others in its `env` (also in the key) or `passEnv`.\n",
  );
  return EXIT.done;
}
