/** Test fixture: a whole server on loopback, with a store in memory. */
import assert from "node:assert/strict";
import type { FileSystem, Problem } from "@kahn/core";
import { livenessOf, nodeClock, nodeRandom, ownIdentity } from "@kahn/system";
import { memoryFileSystem } from "@kahn/testing";
import type { CallOptions } from "./grpc/index.ts";
import { Channel } from "./grpc/index.ts";
import { resolveServerConfig } from "./operation/server-config.ts";
import type { ServerPorts } from "./server/ports.ts";
import type { RunningServer } from "./server.ts";
import { startServer } from "./server.ts";
import { memoryStore } from "./store/store.fixture.ts";

/** A server under test. */
export interface TestServer {
  readonly server: RunningServer;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** What was told of bugs and troubles. */
  readonly reported: Problem[];
  channel(): Channel;
  close(): Promise<void>;
}

/** What a test may choose. */
export interface TestServerOptions {
  /** The configuration file, YAML. */
  readonly config?: string;
  readonly fs?: FileSystem;
  /** Default: loopback. The first must be there. */
  readonly listen?: readonly string[];
  readonly ports?: Partial<ServerPorts>;
}

/** Starts a server, or fails the test. */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { config = "", fs, ports = {}, listen = ["127.0.0.1:0"] } = options;
  const resolved = await resolveServerConfig({
    file: { name: "server.yaml", text: config },
    options: { listen },
  });
  assert.ok(resolved.ok, JSON.stringify(resolved));
  const reported: Problem[] = [];
  const clock = ports.clock ?? nodeClock();
  const files = fs ?? memoryFileSystem({ clock });
  const started = await startServer(resolved.value, {
    clock,
    random: nodeRandom(),
    fs: files,
    resolvePath: (path) => (path.startsWith("/") ? path : `/${path}`),
    version: "1.2.3",
    owner: ownIdentity(),
    livenessOf,
    report: (problem) => void reported.push(problem),
    store: await memoryStore({ fs: files }),
    ...ports,
  });
  assert.ok(started.ok, JSON.stringify(started));
  const server = started.value;
  const [address] = server.addresses;
  assert.ok(address?.kind === "tcp");
  const channels: Channel[] = [];
  return {
    server,
    url: `http://127.0.0.1:${address.port}`,
    reported,
    channel: () => {
      const target = { kind: "tcp", host: "127.0.0.1", port: address.port, isEncrypted: false } as const;
      const channel = new Channel({ target, clock: nodeClock(), random: nodeRandom() });
      channels.push(channel);
      return channel;
    },
    close: async () => {
      for (const channel of channels) channel.close();
      await server.drain(0);
    },
  };
}

/** Options of a call with a credential. */
export function bearer(token: string): CallOptions {
  return { metadata: { authorization: `Bearer ${token}` } };
}
