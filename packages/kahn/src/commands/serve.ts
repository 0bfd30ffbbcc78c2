/**
 * `kahn serve`: one server for every build cache and for remote execution.
 *
 * Owns:      the life of the server's process: where its configuration comes from, what it says when it has started,
 *            and how signals end it.
 */
import { dirname, resolve } from "node:path";
import type { Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem, warning } from "@kahn/core";
import {
  type AccessFacts,
  type ConfigSource,
  type ConfigSources,
  checkServerConfig,
  importGoregoConfig,
  type RunningServer,
  resolveServerConfig,
  type ServerConfig,
  settingReferences,
  startServer,
  targetText,
} from "@kahn/remote";
import { countText, painter, problemText, sizeText } from "@kahn/report";
import { growHeapFreely } from "@kahn/system";
import type { ParsedArguments } from "../cli/arguments.ts";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import type { Host } from "../cli/host.ts";
import { serverPorts } from "../session/server-ports.ts";
import { systemPorts } from "../session/system-ports.ts";

/** The command. */
export const serve: Command = {
  usage: "serve [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 0,
  options: [
    {
      name: "listen",
      value: "ADDRESS",
      help: "HOST:PORT, :PORT or unix:PATH; repeatable (default: 127.0.0.1:9092)",
    },
    { name: "dir", value: "DIR", help: "the folder of the store (default: .kahn/server)" },
    { name: "config", value: "FILE", help: "configuration, in YAML or JSON with comments" },
    { name: "set", value: "KEY=VALUE", help: "one setting, such as store.maxSize=20GB; repeatable" },
    { name: "settings", help: "list every setting with its variable and its default, and start nothing" },
    { name: "check", help: "read the configuration, say what is wrong with it, and start nothing" },
    {
      name: "import",
      value: "FILE",
      help: "print a config.yaml of goREgo as a configuration of ours, and start nothing",
    },
    { name: "json", help: "JSON lines instead of text" },
  ],
  description: `
Serves every build cache from one store on one port: the Remote Execution API v2 (Bazel, Buck2, moon, Kahn itself), and
over HTTP Bazel, Turborepo, Nx, ccache, sccache, Gradle and GitHub Actions. It runs actions, too, unless
execution.enabled is false.

Options win over variables (KAHN_SERVE_STORE_MAX_SIZE), these over the file, the file over the defaults. Without
authentication it listens on this machine alone. The first TERM or Ctrl-C drains it: running actions finish and their
clients fetch the outputs, within drain.grace; a second one ends it at once. HUP makes a server without a terminal read
the configuration again: tokens, passwords, issuers, rules, quotas and certificates count at once, without losing a
connection; what is wrong is told, and changes nothing. \`kahn serve-token NAME\` makes a token, and docs/guides/serve.md
shows what to write into the files of each client.`,
  examples: [
    ["kahn serve", "on 127.0.0.1:9092, in .kahn/server"],
    ["kahn serve --config server.yaml --check", "is the configuration right?"],
    ["bazel build --remote_cache=grpc://127.0.0.1:9092 //...", "Bazel with it"],
    ["kahn run build --cache remote:rw", "Kahn with it, once cache.remote names it"],
  ],
  async run(host, given) {
    if (given.has("settings")) return listSettings(host, given.has("json"));
    if (given.has("import")) return importConfig(host, given);
    if (given.has("check")) return check(host, given);
    const config = await configOf(host, given);
    if (!config.ok) return refuseAs(host, config.problem, given);
    return serveUntilSignalled(host, { config: config.value, given });
  },
};

async function check(host: Host, given: ParsedArguments): Promise<number> {
  const sources = sourcesOf(host, given);
  if (!sources.ok) return refuseAs(host, [sources.problem], given);
  const resolvePath = (path: string) => resolve(baseOf(host, given), path);
  const checked = await checkServerConfig(sources.value, { ...systemPorts(host), resolvePath });
  if (!checked.ok) return refuseAs(host, checked.problem, given);
  const { config, warnings } = checked.value;
  for (const each of warnings) tell(host, each, given.has("json"));
  host.stdout.write(given.has("json") ? `${JSON.stringify(config)}\n` : "the configuration is right\n");
  return EXIT.done;
}

function listSettings(host: Host, isJson: boolean): number {
  for (const { key, expected, need, variable, standard, description } of settingReferences()) {
    if (isJson) {
      host.stdout.write(`${JSON.stringify({ key, expected, need, variable, default: standard, description })}\n`);
      continue;
    }
    const left = standard === undefined ? (need === "required" ? need : undefined) : `default ${standard || '""'}`;
    const shown = [variable, left].filter((fact) => fact !== undefined).join(", ");
    const facts = shown === "" ? "" : ` (${shown})`;
    host.stdout.write(`${key}${facts}\n    ${description}\n    May be: ${expected}.\n`);
  }
  return EXIT.done;
}

async function importConfig(host: Host, given: ParsedArguments): Promise<number> {
  const file = readConfig(host, given.value("import"));
  if (!file.ok) return refuse(host, [file.problem]);
  const imported = await importGoregoConfig(file.value ?? { name: "", text: "" });
  if (!imported.ok) return refuse(host, imported.problem);
  host.stdout.write(imported.value.text);
  for (const each of imported.value.warnings) tell(host, each, given.has("json"));
  return EXIT.done;
}

async function configOf(host: Host, given: ParsedArguments): Promise<Result<ServerConfig, readonly Problem[]>> {
  const sources = sourcesOf(host, given);
  return sources.ok ? resolveServerConfig(sources.value) : err([sources.problem]);
}

function sourcesOf(host: Host, given: ParsedArguments): Result<ConfigSources, Problem> {
  const file = readConfig(host, given.value("config"));
  if (!file.ok) return file;
  const options: Record<string, unknown> = {};
  for (const pair of given.values("set")) {
    const at = pair.indexOf("=");
    options[at === -1 ? pair : pair.slice(0, at)] = at === -1 ? "" : pair.slice(at + 1);
  }
  const listen = given.values("listen");
  if (listen.length > 0) options.listen = listen;
  // A folder that is named on the command line is meant from here, whatever folder the file is in.
  const directory = given.value("dir");
  if (directory !== undefined) options.dir = resolve(host.directory, directory);
  return ok({ environment: host.env, options, ...(file.value === undefined ? {} : { file: file.value }) });
}

function readConfig(host: Host, name: string | undefined): Result<ConfigSource | undefined, Problem> {
  if (name === undefined) return ok(undefined);
  const next = "Name a configuration file that this user may read.";
  try {
    const bytes = systemPorts(host).fs.readFile(resolve(host.directory, name));
    if (bytes !== undefined) return ok({ name, text: Buffer.from(bytes).toString("utf8") });
    return err(problem("serve-file-unreadable", `there is no ${name}`, { next }));
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return err(problem("serve-file-unreadable", `${name} cannot be read (${error.code})`, { next }));
  }
}

/** The folder that paths of the configuration are meant from, absolute. */
function baseOf(host: Host, given: ParsedArguments): string {
  const file = given.value("config");
  return file === undefined ? host.directory : dirname(resolve(host.directory, file));
}

async function serveUntilSignalled(
  host: Host,
  { config, given }: { readonly config: ServerConfig; readonly given: ParsedArguments },
): Promise<number> {
  const isJson = given.has("json");
  const { ports, close } = serverPorts(host, {
    base: baseOf(host, given),
    report: (problem) => tell(host, problem, isJson),
  });
  try {
    growHeapFreely();
    const started = await startServer(config, ports);
    if (!started.ok) return refuseAs(host, started.problem, given);
    const server = started.value;
    for (const warning of server.warnings) tell(host, warning, isJson);
    announce(host, { server, config, given, isJson });
    let signals = 0;
    let reloading: Promise<void> = Promise.resolve();
    // A terminal that closes says HUP, too, and means that whoever started the server has gone.
    const isAttended = host.stdout.isTerminal || host.stderr.isTerminal;
    const stop = host.onSignal((name) => {
      if (name === "SIGHUP" && !isAttended) {
        if (signals === 0) reloading = reloading.then(() => reload(host, { server, given }));
        return;
      }
      if (!isJson) host.stderr.write(`${isAttended ? "\n" : ""}${name}: draining\n`);
      // The first allows the grace of the configuration, any further one none.
      void server.drain(signals++ === 0 ? undefined : 0);
    });
    await server.closed;
    stop();
    if (isJson) host.stdout.write(`${JSON.stringify({ kind: "serve.stopped" })}\n`);
    else host.stderr.write("stopped\n");
    return EXIT.done;
  } finally {
    await close();
  }
}

/** Takes over what a running server can of its configuration as it is now; says what became of it. */
async function reload(
  host: Host,
  { server, given }: { readonly server: RunningServer; readonly given: ParsedArguments },
): Promise<void> {
  const isJson = given.has("json");
  const next = await configOf(host, given);
  const reloaded = next.ok ? server.reload(next.value) : next;
  if (!reloaded.ok) {
    for (const each of reloaded.problem) tell(host, each, isJson);
    const message = "HUP: the configuration is wrong, so nothing of it was taken over";
    tell(host, problem("serve-reload-refused", message, { next: "Correct it, and send HUP again." }), isJson);
    return;
  }
  const { access, forRestart } = reloaded.value;
  if (forRestart.length > 0) {
    const message = `changes of ${forRestart.join(", ")} count from the next start on`;
    tell(host, warning("serve-reload-partial", message, { next: "Restart the server." }), isJson);
  }
  if (isJson) host.stdout.write(`${JSON.stringify({ kind: "serve.reloaded", access, forRestart })}\n`);
  else host.stderr.write(`HUP: ${accessCounts(access)} and the certificates are read again\n`);
}

function accessCounts({ tokens, users, issuers, rules, quotas }: AccessFacts): string {
  const counts = [countText(tokens, "token"), countText(users, "user"), countText(issuers, "issuer")];
  return [...counts, countText(rules, "rule"), countText(quotas, "quota")].join(", ");
}

const ACCESS: Readonly<Record<AccessFacts["strangers"], string>> = {
  all: "everybody who reaches it may do everything",
  more: "by credentials, and everybody what the rules for anonymous allow",
  read: "by credentials, and everybody may read",
  nothing: "by credentials",
};

interface Announced {
  readonly server: RunningServer;
  readonly config: ServerConfig;
  readonly given: ParsedArguments;
  readonly isJson: boolean;
}

function announce(host: Host, { server, config, given, isJson }: Announced): void {
  const { store, version } = server.status();
  const isEncrypted = config.tls !== undefined;
  const targets = server.addresses.map((it) => targetText(it.kind === "unix" ? it : { ...it, isEncrypted }));
  const dir = resolve(baseOf(host, given), config.dir);
  if (isJson) {
    host.stdout.write(`${JSON.stringify({ kind: "serve.started", version, targets, dir, store })}\n`);
    return;
  }
  const web = targets.find((it) => it.startsWith("grpc"))?.replace(/^grpc/, "http");
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["store", `${dir}, ${sizeText(store.usedBytes)} of ${sizeText(store.maxSizeBytes)}`],
    ["access", ACCESS[server.access.strangers]],
    ["execution", executionText(host, { server, config })],
    ["look", web === undefined ? undefined : `${web}/status`],
    ["stop", host.stdout.isTerminal ? "Ctrl-C; once more to stop at once" : "TERM; once more to stop at once"],
  ];
  const shown = lines.filter(([, text]) => text !== undefined).map(([name, text]) => `  ${name.padEnd(9)}  ${text}\n`);
  host.stdout.write(
    `Kahn ${version} serves ${targets.join(", ")}${web === undefined ? "" : ` and ${web}`}\n${shown.join("")}`,
  );
}

function executionText(host: Host, { server, config }: Pick<Announced, "server" | "config">): string {
  const { enabled, slots, sandbox } = config.execution;
  if (!enabled) return "off";
  const isBare = sandbox === "off" || server.warnings.some(({ code }) => code === "sandbox-lowered");
  const count = slots === 0 ? host.processorCount : slots;
  return `${count} ${count === 1 ? "action" : "actions"} at once, ${isBare ? "without a sandbox" : "each in a sandbox"}`;
}

/** As `refuse`, in JSON where that was asked for. */
function refuseAs(host: Host, problems: readonly Problem[], given: ParsedArguments): number {
  for (const each of problems) tell(host, each, given.has("json"));
  return EXIT.usage;
}

function tell(host: Host, problem: Problem, isJson: boolean): void {
  if (isJson) host.stderr.write(`${JSON.stringify({ kind: "serve.problem", problem })}\n`);
  else host.stderr.write(problemText(problem, painter(host.stderr.colour)));
}
