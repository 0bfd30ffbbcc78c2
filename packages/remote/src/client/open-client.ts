/** From an address to a client: REAPI for `grpc://`, `grpcs://` and `unix:`, plain HTTP for `http://` and `https://`. */
import type { RemoteTier } from "@kahn/cas";
import type { Clock, DigestFunction, FileSystem, Problem, Random, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ChannelTarget, ChannelTls } from "../grpc/index.ts";
import { parseTarget } from "../grpc/index.ts";
import { loadZstd } from "../store/zstd.ts";
import { RemoteServer, type RemoteServerOptions } from "./calls/remote-server.ts";
import { openHttpTier } from "./tiers/http-tier.ts";
import { reapiTier } from "./tiers/remote-tier.ts";

/** Who is asked, and as whom. */
export interface ClientOptions {
  readonly url: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Of REAPI; default: none. */
  readonly instance?: string;
  /** Sent with each call; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: ChannelTls;
  /** For messages about refusals: what is shown to the server, and which setting has it. No secret. */
  readonly credentials?: string;
  readonly caller?: NonNullable<RemoteServerOptions["caller"]>;
  /** Of all blobs. Default: `sha256`. */
  readonly digestFunction?: DigestFunction;
}

/** A client. Connects at the first question. */
export interface RemoteClient {
  readonly tier: Omit<RemoteTier, "read" | "write">;
  /** Left out for plain HTTP, which cannot execute. */
  readonly server?: RemoteServer;
  /** Ends its connections; calls under way fail. */
  close(): void;
}

/** Makes a client. `remote-address-malformed` for what is no address. */
export function openClient(options: ClientOptions): Result<RemoteClient, Problem<"remote-address-malformed">> {
  const { url, fs, clock, random, headers = {}, tls, instance, caller, credentials, digestFunction } = options;
  const modes = { read: true, write: true };
  const secured = { ...(tls === undefined ? {} : { tls }), ...(credentials === undefined ? {} : { credentials }) };
  if (isHttp(url)) {
    return ok(openHttpTier({ url: new URL(url), fs, clock, random, headers: () => headers, ...secured, ...modes }));
  }
  const target = parseTarget(url);
  if (!target.ok) return err(addressMalformed(target.problem));
  const server = new RemoteServer({
    target: target.value,
    clock,
    random,
    headers: () => headers,
    ...secured,
    ...(instance === undefined ? {} : { instance }),
    ...(caller === undefined ? {} : { caller }),
    ...(digestFunction === undefined ? {} : { digestFunction }),
    // On one machine compressing costs more than the bytes.
    ...(isLocal(target.value) ? {} : { zstd: loadZstd }),
  });
  return ok({ ...reapiTier(server, { fs, ...modes }), server });
}

/** Why `openClient` would not take an address; `undefined` for one that it takes. */
export function checkAddress(url: string): Problem<"remote-address-malformed"> | undefined {
  const target = isHttp(url) ? undefined : parseTarget(url);
  return target?.ok === false ? addressMalformed(target.problem) : undefined;
}

function isHttp(url: string): boolean {
  return /^https?:/.test(url) && URL.canParse(url);
}

/** A client takes plain HTTP, too. */
function addressMalformed(problem: Problem<"remote-address-malformed">): Problem<"remote-address-malformed"> {
  const next = `${problem.next} A plain HTTP cache is http://HOST/PREFIX or https://HOST/PREFIX.`;
  return { ...problem, message: problem.message.replace("a gRPC server", "a server"), next };
}

function isLocal(target: ChannelTarget): boolean {
  return target.kind === "unix" || /^(localhost|127\.|::1$)/.test(target.host);
}
