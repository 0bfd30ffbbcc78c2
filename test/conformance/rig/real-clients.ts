/**
 * The real clients that are installed here, run through the scripts of `clients/`.
 *
 * Owns:      where each is looked for: `CLIENT_MODULES` has node_modules with turbo, nx and @moonrepo/cli, `BAZEL2` names
 *            Bazel 2.1.0, bazel-4 and ccache are on the PATH. `npm run test:clients` sets the first two.
 */
import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KIT = join(import.meta.dirname, "../clients");

/** A Bazel. */
export type BazelVersion = "2" | "4";

const { CLIENT_MODULES, BAZEL2 } = process.env;

/** Why a client cannot be run here; `undefined` when it can. */
export function absence(client: "turbo" | "nx" | "moon" | "ccache" | "bazel-4" | "bazel-2"): string | undefined {
  if (client === "ccache" || client === "bazel-4") {
    // Bazel takes a minute: it is for those who ask for clients.
    if (client === "bazel-4" && CLIENT_MODULES === undefined) return "run by `npm run test:clients`";
    return onPath(client) ? undefined : `${client} is not installed`;
  }
  if (client === "bazel-2") {
    return BAZEL2 !== undefined && existsSync(BAZEL2) ? undefined : "BAZEL2 names no Bazel 2.1.0";
  }
  const name = client === "moon" ? "@moonrepo/cli" : client;
  const isThere = CLIENT_MODULES !== undefined && existsSync(join(CLIENT_MODULES, "node_modules", name));
  return isThere ? undefined : `CLIENT_MODULES has no ${name}; \`npm run test:clients\` installs it`;
}

/** Runs a script of the kit; answers with all that it printed, whatever its exit code. */
export async function runKit(script: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(join(KIT, script), args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  }
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, printed };
}

/** One Bazel server with a folder of its own. `close` ends it. */
export class Bazel {
  readonly #version: BazelVersion;
  #made: string | undefined;

  constructor(version: BazelVersion) {
    this.#version = version;
  }

  /** Made when it is first needed: a Bazel that is not installed leaves nothing. */
  get #root(): string {
    this.#made ??= mkdtempSync(join(tmpdir(), "kahn-bazel-"));
    return this.#made;
  }

  /** Runs a command; `workspace` is that of the kit unless it is given. */
  async run(args: readonly string[], workspace?: string): Promise<{ exitCode: number | null; printed: string }> {
    return await runKit("bazel.sh", [this.#version, this.#root, ...args], workspace ? { WS: workspace } : {});
  }

  /** Runs a command as a machine that has built nothing yet. */
  async fresh(args: readonly string[], workspace?: string): Promise<{ exitCode: number | null; printed: string }> {
    await this.run(["clean"], workspace);
    return await this.run(args, workspace);
  }

  async close(workspaces: readonly (string | undefined)[] = [undefined]): Promise<void> {
    if (this.#made === undefined) return;
    for (const workspace of workspaces) await this.run(["shutdown"], workspace);
    // Bazel takes the right to write away from what it keeps.
    spawnSync("chmod", ["-R", "u+w", this.#root]);
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Makes a workspace of `count` independent actions and one that depends on all. */
export function loadWorkspace(folder: string, count: number): string {
  const made = spawnSync(join(KIT, "gen-bazel-load.sh"), [folder, `${count}`]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  return folder;
}

/** Makes an authority, a server's and a client's certificate: `ca.pem`, `server.pem`, `server.key`, `client.pem`, … */
export function makeCertificates(folder: string): void {
  const made = spawnSync(join(KIT, "tools/mk-tls.sh"), [folder]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
}

/** Gives out tokens to Bazels that have the credentials of a service account: the token is the path. */
export class TokenIssuer {
  readonly #server: Server;
  readonly #key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<TokenIssuer> {
    const server = createServer((request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ access_token: request.url!.slice(1), token_type: "Bearer", expires_in: 3600 }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TokenIssuer(server);
  }

  /** Writes credentials that get a token. */
  credentials(file: string, token: string): void {
    const { port } = this.#server.address() as { port: number };
    const account = {
      ...{ type: "service_account", client_id: "1", client_email: "bazel@localhost", private_key_id: "1" },
      private_key: this.#key.export({ type: "pkcs8", format: "pem" }),
      token_uri: `http://127.0.0.1:${port}/${token}`,
    };
    writeFileSync(file, JSON.stringify(account));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function onPath(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}
