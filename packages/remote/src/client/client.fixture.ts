/** Clients of servers on loopback: real services, or a double that does what a test wants. */
import assert from "node:assert/strict";
import type { Result } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import type { MemoryFileSystem } from "@kahn/testing";
import { memoryFileSystem, virtualClock } from "@kahn/testing";
import { onTestFinished } from "vitest";
import type { Interceptor, Registration } from "../grpc/index.ts";
import { GrpcServer, parseTarget } from "../grpc/index.ts";
import { openPort } from "../port/index.ts";
import type { ReapiServer, ReapiServerOptions } from "../reapi/reapi-server.fixture.ts";
import { startReapi } from "../reapi/reapi-server.fixture.ts";
import { RemoteServer, type RemoteServerOptions } from "./calls/remote-server.ts";

/** Repeats at once. */
export const EAGER = { attemptsMax: 4, firstMs: 1, maxMs: 2, askedMaxMs: 5000, giveUpAfterMs: 60_000 } as const;

/** A client of an address. */
export function clientOf(address: string, options: Partial<RemoteServerOptions> = {}): RemoteServer {
  const target = parseTarget(`grpc://${address}`);
  assert.ok(target.ok);
  const clock = nodeClock();
  const server = new RemoteServer({ target: target.value, clock, random: nodeRandom(), retries: EAGER, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** Files in memory, with a folder to work in. */
export function memoryFiles(): MemoryFileSystem {
  const fs = memoryFileSystem({ clock: virtualClock() });
  fs.makeDirectory("/work");
  return fs;
}

/** The real services; `calls` counts by method name. */
export async function realServer(
  options: ReapiServerOptions = {},
): Promise<ReapiServer & { calls: Map<string, number> }> {
  const calls = new Map<string, number>();
  const counting: Interceptor = ({ path }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    calls.set(name, (calls.get(name) ?? 0) + 1);
    return undefined;
  };
  const server = await startReapi({ ...options, interceptors: [counting, ...(options.interceptors ?? [])] });
  onTestFinished(() => server.close());
  return Object.assign(server, { calls });
}

/** A server that has these handlers and nothing else. @returns its address, and what cuts all connections. */
export async function doubleServer(services: readonly Registration[]): Promise<{ address: string; cut(): void }> {
  const clock = nodeClock();
  const grpc = new GrpcServer({ services, clock, onFault: (error) => assert.fail(String(error)) });
  const sessions = new Set<{ destroy(): void }>();
  const port = await openPort({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    clock,
    onStream: (stream, headers, peer) => {
      sessions.add(stream.session!);
      return grpc.accept(stream, headers, peer);
    },
    onFault: (error) => assert.fail(String(error)),
  });
  assert.ok(port.ok && port.value.address.kind === "tcp");
  onTestFinished(async () => {
    grpc.close();
    await port.value.close();
  });
  return {
    address: `127.0.0.1:${port.value.address.port}`,
    cut: () => {
      for (const session of sessions) session.destroy();
      sessions.clear();
    },
  };
}

/** The value, which must be one. */
export function value<T>(result: Result<T, { readonly message: string }>): T {
  assert.ok(result.ok, result.ok ? "" : result.problem.message);
  return result.value;
}

/** A blob in memory. */
export function blob(content: string | Uint8Array) {
  const bytes = Buffer.from(content as string);
  return { bytes, digest: digestOf(bytes) };
}
