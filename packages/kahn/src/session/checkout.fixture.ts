/**
 * A workspace in a temporary folder, with the command line and servers in this very process: no build, no child but tasks.
 *
 * Invariant: nothing of the developer's own environment but PATH reaches Kahn; folders and servers go with their test.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type RunEvent, randomHex } from "@kahn/core";
import { resolveServerConfig, startServer as start } from "@kahn/remote";
import { bufferSink } from "@kahn/report";
import { directRunner, startGuardian } from "@kahn/system";
import { onTestFinished } from "vitest";
import { libraryHost } from "../cli/host.ts";
import { main } from "../cli/main.ts";
import { serverPorts } from "./server-ports.ts";

/** Files by path; an object is written as JSON. */
export type Files = Readonly<Record<string, string | object>>;

/** What a command gave. */
export interface Told {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A finished `kahn run --json`. */
export interface Ran extends Told {
  readonly events: readonly RunEvent[];
  /** The last event, whose members are the counts. */
  readonly finished: Readonly<Record<string, unknown>>;
}

/** A folder of files, removed when its test has ended. */
export class Checkout {
  readonly directory = temporaryFolder();

  constructor(files: Files) {
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  write(path: string, content: string | object): void {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    mkdirSync(dirname(join(this.directory, path)), { recursive: true });
    writeFileSync(join(this.directory, path), text);
  }

  /** Runs a command line to its end. Several may run at once, in folders of their own. */
  async kahn(line: string, env: Readonly<Record<string, string>> = {}): Promise<Told> {
    const [stdout, stderr] = [bufferSink(), bufferSink()];
    const unasked = () => Promise.reject(new Error("nobody can be asked"));
    const exitCode = await main(line.split(" "), {
      ...libraryHost(this.directory),
      env: { PATH: process.env.PATH ?? "", ...env },
      ...{ stdout, stderr },
      readInput: unasked,
      canAsk: false,
      ask: unasked,
      watchForeignCode: () => () => {},
      keepOutput: () => {},
      exit: unasked,
    });
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  }

  /** `kahn run … --json`, read. */
  async run(line: string, env?: Readonly<Record<string, string>>): Promise<Ran> {
    const told = await this.kahn(`run --json ${line}`, env);
    const lines = told.stdout.split("\n").filter((each) => each !== "");
    const events = lines.map((each) => JSON.parse(each) as RunEvent);
    return { ...told, events, finished: (events.at(-1) ?? {}) as unknown as Record<string, unknown> };
  }

  /** All files below a folder whose bytes contain a text. */
  filesWith(folder: string, text: string): string[] {
    return readdirSync(join(this.directory, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => readFileSync(file).includes(text));
  }
}

/** A server with the settings of `kahn serve`, whose paths are meant from `files`. @returns its `127.0.0.1:PORT`. */
export async function startServer(settings: object, files: Files = {}): Promise<string> {
  const { directory } = new Checkout(files);
  const text = JSON.stringify({ listen: ["127.0.0.1:0"], dir: "store", ...settings });
  const config = await resolveServerConfig({ file: { name: "server.jsonc", text } });
  if (!config.ok) throw new Error(JSON.stringify(config.problem));
  const { ports, close } = serverPorts(libraryHost(directory), { base: directory, report: () => {} });
  // There is no build with the small process that would start the actions.
  const guardian = startGuardian({ token: `checkout-${randomHex(ports.random, 16)}`, graceMs: 0 });
  const processes = directRunner({ clock: ports.clock, guardian });
  const started = await start(config.value, { ...ports, processes });
  if (!started.ok) throw new Error(JSON.stringify(started.problem));
  const server = started.value;
  onTestFinished(async () => {
    await server.drain(0);
    await server.closed;
    await processes.close();
    await close();
  });
  const [address] = server.addresses;
  if (address?.kind !== "tcp") throw new Error("the server does not listen");
  return `127.0.0.1:${address.port}`;
}

function temporaryFolder(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-checkout-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
