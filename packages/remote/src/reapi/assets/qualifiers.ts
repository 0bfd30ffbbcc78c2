/**
 * Qualifiers of assets: what narrows an address down to one content.
 *
 * Source: qualifiers.md of the Remote Asset API, and the two families of header qualifiers that Bazel sends.
 */
import { createHash, type Hash } from "node:crypto";
import { invalidArgument, invalidField } from "../requests/refusal.ts";

/** One of a request. */
export interface QualifierMessage {
  readonly name: string;
  readonly value: string;
}

/** The qualifiers of a request, understood. */
export interface Qualifiers {
  /** Those that tell one content from another, in one order: part of what an asset is stored under. */
  readonly identity: readonly QualifierMessage[];
  /** What the bytes must hash to, if any is known. */
  readonly checksums: readonly Checksum[];
  /** Sent to the origin: of all addresses, and of one by its place in the request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly headersOf: ReadonlyMap<number, Readonly<Record<string, string>>>;
}

/** One hash of `checksum.sri`. */
export interface Checksum {
  readonly algorithm: "sha256" | "sha384" | "sha512";
  readonly base64: string;
}

const IDENTITY = new Set([
  "resource_type",
  "checksum.sri",
  "bazel.canonical_id",
  "directory",
  "vcs.branch",
  "vcs.commit",
]);
const HEADER = "http_header:";
const HEADER_OF = "http_header_url:";
/** Names of headers that are the connection's business. */
const FORBIDDEN = new Set(["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"]);

/** Reads the qualifiers of a request. @throws StatusError INVALID_ARGUMENT naming the one at fault. */
export function readQualifiers(messages: readonly QualifierMessage[]): Qualifiers {
  const names = new Set<string>();
  const identity: QualifierMessage[] = [];
  const headers: Record<string, string> = {};
  const headersOf = new Map<number, Record<string, string>>();
  let checksums: readonly Checksum[] = [];
  for (const { name, value } of messages) {
    if (names.has(name)) throw atFault(name, "is there twice");
    names.add(name);
    if (IDENTITY.has(name)) identity.push({ name, value });
    if (name === "checksum.sri") checksums = readChecksums(value);
    else if (name.startsWith(HEADER)) addHeader(headers, name, { header: name.slice(HEADER.length), value });
    else if (name.startsWith(HEADER_OF)) {
      const [index = "", ...header] = name.slice(HEADER_OF.length).split(":");
      if (!/^(0|[1-9][0-9]{0,3})$/.test(index)) throw atFault(name, "names no address by its number");
      const own = headersOf.get(Number(index)) ?? {};
      addHeader(own, name, { header: header.join(":"), value });
      headersOf.set(Number(index), own);
    } else if (!IDENTITY.has(name)) throw atFault(name, "is not known here");
  }
  identity.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { identity, checksums, headers, headersOf };
}

function addHeader(
  headers: Record<string, string>,
  qualifier: string,
  { header, value }: { readonly header: string; readonly value: string },
): void {
  const name = header.toLowerCase();
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || FORBIDDEN.has(name))
    throw atFault(qualifier, "names no header to send");
  if (/[\r\n\0]/.test(value)) throw atFault(qualifier, "has a value that is no header's");
  headers[name] = value;
}

function readChecksums(value: string): readonly Checksum[] {
  const checksums: Checksum[] = [];
  for (const each of value.split(/\s+/).filter((text) => text !== "")) {
    const match = /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})(\?.*)?$/.exec(each);
    if (match !== null) checksums.push({ algorithm: match[1] as Checksum["algorithm"], base64: match[2]! });
  }
  if (checksums.length === 0) throw atFault("checksum.sri", "holds no checksum by sha256, sha384 or sha512");
  return checksums;
}

/** Hashes bytes as they come, with the strongest algorithm that there is a checksum of. */
export class ChecksumCheck {
  readonly #checksums: readonly Checksum[];
  readonly #hash: Hash | undefined;

  constructor(checksums: readonly Checksum[]) {
    // As subresource integrity has it: what is weaker does not count beside what is stronger.
    const strongest = checksums
      .map(({ algorithm }) => algorithm)
      .sort()
      .at(-1);
    this.#checksums = checksums.filter(({ algorithm }) => algorithm === strongest);
    this.#hash = strongest === undefined ? undefined : createHash(strongest);
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
  }

  /** True when the bytes have one of the checksums, or none was named. Once. */
  isMet(): boolean {
    const actual = this.#hash?.digest("base64");
    return actual === undefined || this.#checksums.some(({ base64 }) => base64 === actual);
  }
}

/** The addresses of a request. @throws StatusError INVALID_ARGUMENT */
export function readUris(uris: readonly string[]): readonly string[] {
  if (uris.length === 0) throw invalidField("uris", "no address is named");
  if (uris.some((uri) => uri === "" || uri.length > 4096)) throw invalidArgument("an address is empty or too long");
  return uris;
}

function atFault(name: string, what: string): Error {
  return invalidField("qualifiers.name", `${JSON.stringify(name.slice(0, 200))} ${what}`);
}
