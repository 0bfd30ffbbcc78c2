/**
 * Where a gRPC server is, as people write it: `grpc://host:port`, `grpcs://host:port`, `unix:/path`.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** An address to connect to. */
export type ChannelTarget =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly isEncrypted: boolean }
  | { readonly kind: "unix"; readonly path: string };

const NEXT = "Write grpc://HOST:PORT, grpcs://HOST:PORT for TLS, or unix:/PATH.";

/** Reads an address. Without a port it is 80, or 443 with TLS. */
export function parseTarget(text: string): Result<ChannelTarget, Problem<"remote-address-malformed">> {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (path !== "") return ok({ kind: "unix", path });
  }
  const match = /^(grpcs?|https?):\/\/(\[[0-9a-fA-F:.]+\]|[^/:@?#\s[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) return err(malformed(text));
  const [, scheme, host, portText] = match;
  const isEncrypted = scheme === "grpcs" || scheme === "https";
  const port = portText === undefined ? (isEncrypted ? 443 : 80) : Number(portText);
  if (port < 1 || port > 65535) return err(malformed(text));
  return ok({ kind: "tcp", host: host!.replace(/^\[|\]$/g, ""), port, isEncrypted });
}

/** For messages: the address as `parseTarget` reads it. */
export function targetText(target: ChannelTarget): string {
  if (target.kind === "unix") return `unix:${target.path}`;
  return `${target.isEncrypted ? "grpcs" : "grpc"}://${authorityOf(target)}`;
}

/** The `:authority` of calls to a target. */
export function authorityOf(target: ChannelTarget): string {
  if (target.kind === "unix") return "localhost";
  return `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
}

function malformed(text: string): Problem<"remote-address-malformed"> {
  // Not the text itself: it may hold a password.
  const shown = text.replace(/\/\/[^/]*@/, "//…@");
  return problem("remote-address-malformed", `"${shown}" is no address of a gRPC server`, { next: NEXT });
}
