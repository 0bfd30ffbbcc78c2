/**
 * The built `kahn serve` as a child process, on loopback.
 *
 * Owns:      its folder, its configuration file, its output and its end: no server outlives its test, however it ends.
 * Invariant: nothing of the developer's own environment but PATH reaches it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kahnBinary } from "../../e2e/rig/kahn-process.ts";

/** What a test may choose. */
export interface ServedOptions {
  /** Contents of the configuration file, YAML. Paths in it are meant from `base`. */
  readonly config?: string;
  /** Addresses besides one of 127.0.0.1. */
  readonly listen?: readonly string[];
  /** Absolute; the folder of another server's test to go on in. Default: a new one that goes with the server. */
  readonly base?: string;
  /** Port of 127.0.0.1; default: any. */
  readonly port?: number;
}

/** A server that listens. */
export interface Served {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  readonly port: number;
  /** Folder with `store/` and `server.yaml`, absolute. */
  readonly base: string;
  readonly store: string;
  readonly pid: number;
  /** Standard error so far. */
  told(): string;
  /** Resident memory, in bytes: now, and the most it ever was. */
  memory(): { readonly now: number; readonly peak: number };
  /** Ends it as a power cut of the process would, and starts another on the same folder and port. */
  killAndRestart(): Promise<Served>;
  kill(): Promise<void>;
  /** Drains it; resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a server and waits until it listens; a server that does not start is an error with what it said. */
export async function serve(options: ServedOptions = {}): Promise<Served> {
  const { config, listen = [], base = mkdtempSync(join(tmpdir(), "kahn-served-")), port = 0 } = options;
  const file = join(base, "server.yaml");
  if (config !== undefined) writeFileSync(file, config);
  const args = ["serve", "--json", "--dir", join(base, "store")];
  for (const address of [`127.0.0.1:${port}`, ...listen]) args.push("--listen", address);
  if (config !== undefined) args.push("--config", file);
  const child = spawn(process.execPath, [kahnBinary(), ...args], {
    cwd: base,
    env: { PATH: process.env.PATH, HOME: base },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const told = () => stderr;
  const listening = await listeningPort(child, told);
  return new ServedProcess(child, { options: { ...options, base, port: listening }, told });
}

async function listeningPort(child: ChildProcess, told: () => string): Promise<number> {
  let stdout = "";
  const ended = once(child, "close").then(() => "ended" as const);
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  for (;;) {
    const port = /127\.0\.0\.1:(\d+)/.exec(stdout)?.[1];
    if (port !== undefined && stdout.includes("\n")) return Number(port);
    const event = await Promise.race([once(child.stdout!, "data"), ended]);
    if (event === "ended") throw new Error(`the server did not start: ${stdout}${told()}`);
  }
}

class ServedProcess implements Served {
  readonly #child: ChildProcess;
  readonly #options: ServedOptions & { readonly base: string; readonly port: number };
  readonly told: () => string;

  constructor(
    child: ChildProcess,
    { options, told }: { options: ServedOptions & { base: string; port: number }; told: () => string },
  ) {
    this.#child = child;
    this.#options = options;
    this.told = told;
    running.add(this);
    child.once("close", () => running.delete(this));
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#options.port;
  }

  get base(): string {
    return this.#options.base;
  }

  get store(): string {
    return join(this.base, "store");
  }

  get pid(): number {
    return this.#child.pid!;
  }

  memory(): { now: number; peak: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
    return { now: bytes("VmRSS"), peak: bytes("VmHWM") };
  }

  async killAndRestart(): Promise<Served> {
    await this.kill();
    return await serve(this.#options);
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<number | null> {
    await this.#end("SIGTERM");
    return this.#child.exitCode;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill(signal);
    await closed;
  }
}

const running = new Set<ServedProcess>();

/** Ends every server that still runs and removes the folders that are given; for `afterEach` and `afterAll`. */
export async function endServers(...folders: readonly string[]): Promise<void> {
  await Promise.all([...running].map((each) => each.kill()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
