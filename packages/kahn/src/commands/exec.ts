/**
 * `kahn exec`: runs one action again, on the server or here, or opens a shell in its inputs.
 *
 * Owns: what is shown of the run, and that its exit code is ours.
 */
import { type ActionResult, type BlobStore, ok, type Problem, problem, type Result } from "@kahn/core";
import { type HermeticOutcome, openStagedShell, type ShellPlace } from "@kahn/exec";
import { executeAction, hermeticRequestOf, type StoredAction, writeOutputs } from "@kahn/remote/look";
import { countText, durationText, painter } from "@kahn/report";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import type { Host } from "../cli/host.ts";
import { inputsMissing, openActionBench, runProblem, tellSandbox } from "../session/action/bench.ts";
import { outputFolder } from "../session/action/output-folder.ts";
import type { ActionPlace } from "../session/action/place.ts";
import { executionRefused } from "../session/remote/client.ts";
import { SERVER_OPTIONS } from "../session/remote/server-choice.ts";
import { actionSummary, outputLines } from "./action/text.ts";
import { untilSignal, withActions } from "./action/with-actions.ts";

/** The command. */
export const exec: Command = {
  usage: "exec DIGEST [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [
    ...SERVER_OPTIONS,
    { name: "local", help: "run it here, with its inputs in a scratch folder, in a sandbox where bubblewrap works" },
    { name: "shell", help: "open a shell where it would run here, with its inputs and its variables" },
    { name: "cached", help: "on the server: take the result of its cache, or run it and have it record one" },
    { name: "no-cache", help: "on the server: run it in any case, and leave its cache alone (the default)" },
    { name: "outputs", value: "DIR", help: "write its outputs to this folder, which is to be empty or not there" },
    { name: "force", short: "f", help: "with --outputs: the folder may have something in it, which outputs replace" },
    { name: "json", help: "JSON lines: exec.output while it runs, then exec.finished" },
  ],
  description: `
Runs an action that a server (or the local cache) has, prints what it prints as it comes, and ends with its exit code.
DIGEST is sha256:HASH/SIZE, HASH/SIZE or HASH, as the logs of clients and of the server have it. By default the server
runs it, whatever its cache has, and records nothing: it runs a copy of the action that says so (\`do_not_cache\`), and
the result that others have stays as it is. The outputs are named, and with --outputs written to a folder, as they
would be in the root of the inputs: files with their executable bit, trees, and links as they are.

Tasks of \`kahn run\` can be looked into if they ran with --remote-exec, by the digest that \`kahn why TASK\` and
\`kahn runs show\` name, or by their key; what runs in its workspace reads more than an action says, and cannot be run
elsewhere.`,
  examples: [
    ["kahn exec DIGEST --remote grpc://host:9092", "again on the server, whose cache stays as it is"],
    ["kahn exec DIGEST --local", "here, with nothing but its inputs"],
    ["kahn exec DIGEST --cached --outputs out", "what it gave, without running it again"],
    ["kahn exec DIGEST --shell", "a shell in its inputs, to see why it fails"],
  ],
  async run(host, given) {
    const clash = clashOf(host, given);
    if (clash !== undefined) return refuse(host, [clash]);
    return await withActions(host, given, async ({ place, first: action }) => {
      const folder = folderOf(host, given, place);
      if (!folder.ok) return refuse(host, [folder.problem]);
      const [isJson, mayBeCached] = [given.has("json"), given.has("cached")];
      const task = { host, place, action, isJson, mayBeCached, folder: folder.value };
      if (given.has("shell")) return await openShell(task);
      return await (given.has("local") ? runHere(task) : runThere(task));
    });
  },
};

interface ExecTask {
  readonly host: Host;
  readonly place: ActionPlace;
  readonly action: StoredAction;
  readonly isJson: boolean;
  readonly mayBeCached: boolean;
  /** Where outputs are to be written; absolute. */
  readonly folder: string | undefined;
}

function folderOf(host: Host, given: ParsedArguments, { ports }: ActionPlace): Result<string | undefined, Problem> {
  const name = given.value("outputs");
  if (name === undefined) return ok(undefined);
  return outputFolder(ports.fs, { name, from: host.directory, mayHold: given.has("force") });
}

function clashOf(host: Host, given: ParsedArguments): Problem | undefined {
  const pairs = [
    ["local", "shell"],
    ["cached", "no-cache"],
    ["cached", "local"],
    ["cached", "shell"],
    ["shell", "json"],
    ["shell", "outputs"],
  ];
  const clash = pairs.find((pair) => pair.every((each) => given.has(each)));
  if (clash !== undefined) {
    const next = "Leave one of them out.";
    return problem("option-value", `--${clash[0]} and --${clash[1]} exclude each other`, { next });
  }
  if (given.has("force") && !given.has("outputs")) {
    const next = "Name a folder with --outputs, or leave --force out.";
    return problem("option-value", "--force is about the folder of --outputs", { next });
  }
  if (!given.has("shell") || host.canAsk) return undefined;
  return problem("action-shell-without-terminal", "--shell needs a terminal, and there is none", {
    next: "Run it in a terminal, or use --local.",
  });
}

async function runThere(task: ExecTask): Promise<number> {
  const { host, place, action, mayBeCached } = task;
  const { client } = place;
  const otherwise = "Use --local to run it here";
  if (client?.server === undefined) {
    if (client !== undefined) return refuse(host, [(await executionRefused(client, otherwise))!]);
    const next = "Name the server with --remote, or use --local to run it here.";
    return refuse(host, [problem("remote-unset", "no server is named that could run it", { next })]);
  }
  const refused = await executionRefused(client, otherwise);
  if (refused !== undefined) return refuse(host, [refused]);
  const { server, tier } = client;
  const output = outputTo(task);
  const startedMs = place.ports.clock.monotonicMs();
  const stores = { from: place.blobs, to: tier.blobs };
  const result = mayBeCached ? "recorded" : "apart";
  const ended = await untilSignal(host, (signal) =>
    executeAction(server, stores, { digest: action.digest, result, onOutput: output.write, signal }),
  );
  output.end();
  if (!ended.ok) return refuse(host, [ended.problem]);
  switch (ended.value.kind) {
    case "cancelled":
      return EXIT.cancelled;
    case "timed-out":
      return failed(host, timedOut(action));
    case "completed": {
      const { result, cached, message } = ended.value;
      const durationMs = place.ports.clock.monotonicMs() - startedMs;
      const written = await writeTo(task, tier.blobs, result);
      return finish(task, { where: server.name, cached, result, durationMs, notes: [message], written });
    }
  }
}

async function runHere(task: ExecTask): Promise<number> {
  const { host, place, action } = task;
  const bench = openActionBench(host, place);
  const output = outputTo(task);
  let outcome: HermeticOutcome;
  let written: Result<number, Problem> | undefined;
  try {
    await tellSandbox(host, bench);
    outcome = await untilSignal(host, (signal) =>
      bench.runner().run(hermeticRequestOf(action), { output: output.write }, signal),
    );
    if (outcome.kind === "completed") written = await writeTo(task, bench.blobs, outcome.result);
  } finally {
    output.end();
    await bench.close();
  }
  switch (outcome.kind) {
    case "cancelled":
      return EXIT.cancelled;
    case "completed": {
      const { result, timings, undeclared = [], sandbox } = outcome;
      const durationMs = timings.executionMs ?? 0;
      const notes =
        undeclared.length === 0 ? [] : [`it also wrote ${undeclared.join(", ")}, which it does not declare`];
      const where = sandbox === "bubblewrap" ? "here, in a sandbox" : "here, without a sandbox";
      return finish(task, { where, cached: false, result, durationMs, notes, written });
    }
    case "timed-out":
      return failed(host, outcome.problem);
    default:
      return refuse(host, [runProblem(action.digest, outcome)]);
  }
}

async function openShell({ host, place, action }: ExecTask): Promise<number> {
  const bench = openActionBench(host, place);
  // The shell has the terminal: what is typed is its own business.
  const stop = host.onSignal((name) => void (name === "SIGINT" ? undefined : bench.options.processes.close()));
  try {
    const { fs } = place.ports;
    const program = ["/bin/bash", "/usr/bin/bash"].find((path) => fs.lstat(path) !== undefined);
    const outcome = await openStagedShell(bench.options, {
      action: hermeticRequestOf(action),
      shell: program === undefined ? ["/bin/sh", "-i"] : [program, "--norc", "--noprofile", "-i"],
      variables: [
        { name: "TERM", value: host.env.TERM ?? "dumb" },
        { name: "PS1", value: "action:\\w\\$ " },
        { name: "PATH", value: "/usr/local/bin:/usr/bin:/bin" },
      ],
      onReady: (ready) => host.stderr.write(shellWelcome(action, ready)),
    });
    if (outcome.kind === "refused") return refuse(host, [outcome.problem]);
    if (outcome.kind === "missing-blobs") return refuse(host, [inputsMissing(action.digest, outcome.digests)]);
    return outcome.exit.kind === "exited" ? outcome.exit.exitCode : EXIT.failed;
  } finally {
    stop();
    await bench.close();
  }
}

function shellWelcome(action: StoredAction, { sandbox, lowered, execRoot, added, network }: ShellPlace): string {
  const differs = [
    `a terminal, and ${added.join(", ") || "no variable"} added to its variables`,
    ...(sandbox === "none"
      ? ["no sandbox: the whole machine can be seen, and nothing keeps you from changing it"]
      : []),
    ...(sandbox === "none" && lowered !== undefined ? [lowered.message] : []),
    ...(network && sandbox !== "none" ? ["the network is on, as the action asks"] : []),
    "what is not declared can be written and is gone afterwards, as are outputs; there is no timeout",
  ];
  const inputs = sandbox === "none" ? execRoot : "read-only, but where outputs go";
  return [
    ...actionSummary(action),
    `inputs      ${inputs}`,
    "differs from a run by:",
    ...differs.map((line) => `  - ${line}`),
    "exit ends the shell and removes everything",
    "",
  ].join("\n");
}

interface Finished {
  readonly where: string;
  readonly cached: boolean;
  readonly result: ActionResult;
  readonly durationMs: number;
  readonly notes: readonly string[];
  /** What became of writing the outputs; left out when nobody asked for it. */
  readonly written: Result<number, Problem> | undefined;
}

async function writeTo(
  { place, action, folder }: ExecTask,
  blobs: BlobStore,
  result: ActionResult,
): Promise<Result<number, Problem> | undefined> {
  if (folder === undefined) return undefined;
  const { fs } = place.ports;
  const { workingDirectory } = action.command;
  return await writeOutputs({ fs, blobs, directory: folder, workingDirectory }, result);
}

/** @returns the action's exit code, or ours if its outputs could not be written. */
function finish(task: ExecTask, finished: Finished): number {
  tellFinished(task, finished);
  const { written, result } = finished;
  return written?.ok === false ? refuse(task.host, [written.problem]) : result.exitCode;
}

function tellFinished({ host, action, isJson, folder }: ExecTask, finished: Finished): void {
  const { where, cached, result, durationMs, notes, written } = finished;
  const { exitCode, outputFiles, outputDirectories, outputSymlinks } = result;
  const place = written?.ok === true ? { directory: folder } : {};
  const said = notes.filter((note) => note !== "");
  if (isJson) {
    const outputs = [...outputFiles, ...outputDirectories, ...outputSymlinks];
    const line = {
      kind: "exec.finished",
      action: action.digest,
      where,
      exitCode,
      cached,
      durationMs: Math.round(durationMs),
    };
    host.stdout.write(`${JSON.stringify({ ...line, outputs, ...place, notes: said })}\n`);
    return;
  }
  const paint = painter(host.stderr.colour);
  const from = cached ? "from its cache, nothing was run" : `ran in ${durationText(durationMs)}`;
  const lines = [`${where}: exit code ${exitCode}, ${from}`, ...said, ...outputLines(result)];
  if (written?.ok === true) lines.push(`written to ${folder}: ${countText(written.value, "output")}`);
  host.stderr.write(`${lines.map((line) => paint(line, "dim")).join("\n")}\n`);
}

/** Where the bytes of a run go, as text. */
function outputTo({ host, isJson }: ExecTask) {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let isAtStart = true;
  const show = (stream: "stdout" | "stderr", text: string) => {
    if (text === "") return;
    isAtStart = text.endsWith("\n");
    if (isJson) host.stdout.write(`${JSON.stringify({ kind: "exec.output", stream, text })}\n`);
    else host[stream].write(text);
  };
  return {
    write: (stream: "stdout" | "stderr", bytes: Uint8Array) =>
      show(stream, decoders[stream].decode(bytes, { stream: true })),
    end: () => {
      for (const stream of ["stdout", "stderr"] as const) show(stream, decoders[stream].decode());
      // What is said next begins a line of its own.
      if (!isAtStart && !isJson && host.stdout.isTerminal) host.stderr.write("\n");
    },
  };
}

function timedOut({ digest, timeoutMs }: StoredAction): Problem<"action-timed-out"> {
  const limit = timeoutMs === undefined ? "the server's timeout" : `its timeout of ${timeoutMs} ms`;
  const next = "Raise the action's timeout, or find out what it waits for.";
  return problem("action-timed-out", `${digest} did not end within ${limit}`, { next });
}

function failed(host: Host, why: Problem): number {
  refuse(host, [why]);
  return EXIT.failed;
}
