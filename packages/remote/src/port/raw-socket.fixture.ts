/** A bare socket for tests: says what it is told, and keeps what it hears. */
import type { Socket } from "node:net";
import { connect } from "node:net";
import type { TestServer } from "../grpc/echo.fixture.ts";

/** A connection under the test's control. */
export interface RawSocket {
  readonly socket: Socket;
  heard(): string;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
}

/** Connects; half-open, so that it may close its side and still hear. */
export async function rawSocket(server: TestServer): Promise<RawSocket> {
  const { target } = server;
  const where = target.startsWith("unix:")
    ? { path: target.slice(5) }
    : { host: "127.0.0.1", port: Number(target.split(":")[1]) };
  const socket = connect({ ...where, allowHalfOpen: true });
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, heard: () => heard, closed };
}
