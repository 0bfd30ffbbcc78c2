/** Who is at the other end of a socket. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Peer, PeerCertificate } from "../grpc/connection/peer.ts";

/** The peer of a plain or encrypted socket that is connected. */
export function peerOf(socket: Socket | TLSSocket, isUnix: boolean): Peer {
  const address = isUnix ? undefined : socket.remoteAddress;
  const name = isUnix ? "unix" : `${address ?? "unknown"}:${socket.remotePort ?? 0}`;
  const isEncrypted = "encrypted" in socket && socket.encrypted === true;
  const peer: Peer = { name, address, transport: isUnix ? "unix" : "tcp", isEncrypted };
  const certificate = isEncrypted ? certificateOf(socket as TLSSocket) : undefined;
  return certificate === undefined ? peer : { ...peer, certificate };
}

/** The client's certificate, if it gave one and an authority of ours vouches for it. */
function certificateOf(socket: TLSSocket): PeerCertificate | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  if (certificate.fingerprint256 === undefined) return undefined;
  const subject = certificate.subject as unknown as Readonly<Record<string, string | string[]>>;
  return {
    commonName: [subject.CN ?? ""].flat()[0] ?? "",
    subject: Object.entries(subject)
      .flatMap(([name, value]) => [value].flat().map((each) => `${name}=${each}`))
      .join(", "),
    alternativeNames: splitNames(certificate.subjectaltname ?? ""),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** Node quotes names that hold a comma, as JSON: `DNS:a.example, URI:"x, y"`. */
function splitNames(list: string): readonly string[] {
  const names = list.match(/[^,\s"][^,"]*("(\\.|[^"\\])*")?/g) ?? [];
  return names.map((name) => {
    const quoted = /^([^"]*)("(?:\\.|[^"\\])*")$/.exec(name);
    return quoted === null ? name : `${quoted[1]}${JSON.parse(quoted[2]!) as string}`;
  });
}
