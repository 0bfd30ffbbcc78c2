/** Addresses to listen on, as people write them. */
import type { ListenAddress } from "../port/index.ts";

/**
 * `HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT` (every IPv4 interface), `unix:PATH`.
 *
 * @returns `undefined` for text that is none.
 */
export function parseListenAddress(written: string): ListenAddress | undefined {
  const path = /^unix:(?:\/\/)?(.+)$/.exec(written)?.[1];
  if (path !== undefined) return { kind: "unix", path };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]:|([^:[\]/\s]*):)?(\d{1,5})$/.exec(written);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const host = match[1] ?? match[2] ?? "";
  return { kind: "tcp", host: host === "" || host === "*" ? "0.0.0.0" : host, port };
}

/** The address as text: what `parseListenAddress` reads. */
export function listenAddressText(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
