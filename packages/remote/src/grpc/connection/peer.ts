/** Who is at the other end of a connection, as far as the connection itself tells. */
import { isIPv6 } from "node:net";

/** The certificate a client proved to hold, verified against the authorities of this port. */
export interface PeerCertificate {
  /** Its common name; empty if it has none. */
  readonly commonName: string;
  /** The subject as `C=…, O=…, CN=…`. */
  readonly subject: string;
  /** Alternative names as they stand in the certificate, such as `DNS:ci.example` or `URI:spiffe://…`. */
  readonly alternativeNames: readonly string[];
  /** SHA-256 of the certificate, lower-case hex without colons. */
  readonly fingerprint: string;
}

/** The other end of a connection. */
export interface Peer {
  /** `address:port` for TCP, `unix` for a Unix socket; for logs. */
  readonly name: string;
  /** The address alone; `undefined` on a Unix socket. */
  readonly address: string | undefined;
  readonly transport: "tcp" | "unix";
  readonly isEncrypted: boolean;
  /** Only of a certificate that was verified. */
  readonly certificate?: PeerCertificate;
}

/** A peer of which nothing is known. */
export const UNKNOWN_PEER: Peer = { name: "unknown", address: undefined, transport: "tcp", isEncrypted: false };

/** What bounds count peers by: the address; of IPv6 its network, for who has one address there has them all. */
export function networkOf({ address = "" }: Peer): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail = ""] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  const ending = tail.split(":").filter((group) => group !== "");
  while (address.includes("::") && groups.length + ending.length < 8) groups.push("0");
  return [...groups, ...ending].slice(0, 4).join(":");
}
