/**
 * Resource names of ByteStream, log streams and operations: parsed by keyword, since instance names hold slashes.
 *
 * Invariant: total; what is parsed prints as itself, or, where a sender wrote a digest function that is not to be
 *            written, as its canonical form. Every part but `metadata` is safe as a file name or path: no empty segment,
 *            no `.` and `..`, no backslash, no control character.
 * Source:    comments of `ContentAddressableStorage` in remote_execution.proto, and of `LogStream`.
 */
import type { Digest, Problem, Result } from "@kahn/core";
import { digestFunction, digestHash, digestSizeBytes, err, ok, problem } from "@kahn/core";
import { type DigestFunctionProblem, needsSegment, requestFunction, segmentFunction } from "./digest-function.ts";
import { messageDigest } from "./request-digest.ts";

/** Why a name cannot be used. INVALID_ARGUMENT. */
export type ResourceNameProblem =
  | Problem<"resource-name-malformed">
  | Problem<"digest-malformed">
  | DigestFunctionProblem;

/** How a blob is sent; `identity` is as it is. */
export type CompressorName = "identity" | "zstd" | "deflate" | "brotli";

/** A blob to read: `{instance}/blobs/{hash}/{size}` and its kin. */
export interface BlobName {
  readonly kind: "blob";
  /** May be empty, and may hold slashes. */
  readonly instance: string;
  readonly compressor: CompressorName;
  readonly digest: Digest;
}

/** A blob to write: `{instance}/uploads/{upload}/blobs/{hash}/{size}/{metadata}` and its kin. */
export interface UploadName {
  readonly kind: "upload";
  readonly instance: string;
  /** What tells this upload from others of the same blob; a UUID, if the client keeps to the rules. */
  readonly upload: string;
  readonly compressor: CompressorName;
  readonly digest: Digest;
  /** Whatever the client wrote behind; means nothing and is nothing to rely on. */
  readonly metadata: string;
}

/** A log to read (`token` is empty) or to write: `{parent}/logstreams/{id}/{token}`. */
export interface LogStreamName {
  readonly kind: "log-stream";
  readonly parent: string;
  readonly id: string;
  /** The secret of the writer. */
  readonly token: string;
}

/** An execution: `{instance}/operations/{id}`. */
export interface OperationName {
  readonly instance: string;
  readonly id: string;
}

/** Words that are no segment of an instance name. */
const KEYWORDS: ReadonlySet<string> = new Set([
  ...["blobs", "uploads", "actions", "actionResults", "operations", "capabilities", "compressed-blobs"],
]);

const COMPRESSORS: ReadonlySet<string> = new Set<CompressorName>(["zstd", "deflate", "brotli"]);

/** Longer names are refused unread. */
const LENGTH_MAX = 4096;

/** A name for `ByteStream.Read`: of a blob, or of a log. A log's writing name is refused. */
export function parseReadName(text: string): Result<BlobName | LogStreamName, ResourceNameProblem> {
  const segments = segmentsOf(text);
  if (segments === undefined) return malformed(text, "it is too long");
  const at = segments.findIndex((segment) => KEYWORDS.has(segment));
  if (at === -1) return parseLogStream(text, "read");
  const instance = instanceOf(segments, at);
  if (!instance.ok) return instance;
  const blob = blobAt(segments, at, text);
  if (!blob.ok) return blob;
  if (blob.value.end < segments.length) return malformed(text, "something follows its size");
  const { compressor, digest } = blob.value;
  return ok({ kind: "blob", instance: instance.value, compressor, digest });
}

/** A name for `ByteStream.Write` and `QueryWriteStatus`: of an upload, or of a log with the writer's token. */
export function parseWriteName(text: string): Result<UploadName | LogStreamName, ResourceNameProblem> {
  const segments = segmentsOf(text);
  if (segments === undefined) return malformed(text, "it is too long");
  const at = segments.findIndex((segment) => KEYWORDS.has(segment));
  if (at === -1) return parseLogStream(text, "write");
  if (segments[at] !== "uploads") return malformed(text, 'it has no "uploads" before its blob');
  const instance = instanceOf(segments, at);
  if (!instance.ok) return instance;
  const upload = segments[at + 1] ?? "";
  if (!isToken(upload)) return malformed(text, 'what follows "uploads" is no identifier');
  const blob = blobAt(segments, at + 2, text);
  if (!blob.ok) return blob;
  const { compressor, digest, end } = blob.value;
  return ok({
    kind: "upload",
    instance: instance.value,
    upload,
    compressor,
    digest,
    metadata: segments.slice(end).join("/"),
  });
}

/** The canonical name of a blob: the function is in it only where its hash's length does not tell it. */
export function printBlobName(name: Omit<BlobName, "kind">): string {
  return joined(name.instance, blobPart(name));
}

/** The canonical name of an upload. */
export function printUploadName(name: Omit<UploadName, "kind">): string {
  const { instance, upload, metadata } = name;
  return joined(instance, `uploads/${upload}/${blobPart(name)}${metadata === "" ? "" : `/${metadata}`}`);
}

/** How a missing blob is called in a `PreconditionFailure`: its reading name without the instance. */
export function blobSubject(digest: Digest): string {
  return blobPart({ digest, compressor: "identity" });
}

/** The name of a log: with its token for the writer, without for everybody else. */
export function printLogStreamName(name: Omit<LogStreamName, "kind">): string {
  return joined(name.parent, `logstreams/${name.id}${name.token === "" ? "" : `/${name.token}`}`);
}

/** The name of an execution. */
export function printOperationName(name: OperationName): string {
  return joined(name.instance, `operations/${name.id}`);
}

/** The parts of the name of an execution. */
export function parseOperationName(text: string): Result<OperationName, ResourceNameProblem> {
  const segments = segmentsOf(text);
  const at = segments?.findIndex((segment) => KEYWORDS.has(segment)) ?? -1;
  if (segments?.[at] !== "operations") return malformed(text, 'it has no "operations"');
  const instance = instanceOf(segments, at);
  if (!instance.ok) return instance;
  const id = segments[at + 1] ?? "";
  if (!isToken(id) || segments.length > at + 2) return malformed(text, 'what follows "operations" is no identifier');
  return ok({ instance: instance.value, id });
}

/** An instance name, if it is one: empty, or segments none of which is a keyword of resource names. */
export function parseInstanceName(text: string): Result<string, Problem<"resource-name-malformed">> {
  if (text === "") return ok(text);
  if (text.length > LENGTH_MAX) return malformed(text, "it is too long");
  for (const segment of text.split("/")) {
    if (KEYWORDS.has(segment)) return malformed(text, `an instance name has no segment "${segment}"`);
    if (!isSafe(segment)) return malformed(text, "an instance name has no empty, dotted or unprintable segment");
  }
  return ok(text);
}

function parseLogStream(
  text: string,
  use: "read" | "write",
): Result<LogStreamName, Problem<"resource-name-malformed">> {
  const segments = text.split("/");
  const at = segments.length - (use === "read" ? 2 : 3);
  if (at < 0 || segments[at] !== "logstreams") return malformed(text, `it names no blob, and no log to ${use}`);
  const [id = "", token = ""] = segments.slice(at + 1);
  if (!isToken(id) || (use === "write" && !isToken(token))) return malformed(text, "its log has no identifier");
  const parent = instanceOf(segments, at);
  // "logstreams/logstreams/a" would be two names.
  if (!parent.ok || parent.value.split("/").includes("logstreams")) return malformed(text, "its parent is no parent");
  return ok({ kind: "log-stream", parent: parent.value, id, token });
}

/** The instance name that ends before a place. A name does not begin with a slash. */
function instanceOf(segments: readonly string[], at: number): Result<string, Problem<"resource-name-malformed">> {
  const text = segments.slice(0, at).join("/");
  return text === "" && at > 0 ? malformed(segments.join("/"), "it begins with a slash") : parseInstanceName(text);
}

interface BlobPart {
  readonly compressor: CompressorName;
  readonly digest: Digest;
}

/** Reads `blobs/…` or `compressed-blobs/…` at a place; `end` is the segment behind it. */
function blobAt(
  segments: readonly string[],
  at: number,
  text: string,
): Result<BlobPart & { readonly end: number }, ResourceNameProblem> {
  let next = at + 1;
  let compressor: CompressorName = "identity";
  if (segments[at] === "compressed-blobs") {
    const name = segments[next++] ?? "";
    if (!isCompressor(name)) return malformed(text, "its compressor is none of zstd, deflate, brotli");
    compressor = name;
  } else if (segments[at] !== "blobs") return malformed(text, "it names no blob");
  const named = segmentFunction(segments[next] ?? "");
  if (named !== undefined) next++;
  const hash = segments[next++] ?? "";
  const fn = named ?? requestFunction(0, hash);
  if (!fn.ok) return fn;
  const size = segments[next++] ?? "";
  // Not `Number(size)`: "0x10", " 7" and "1e3" would all be accepted.
  if (!/^(0|[1-9][0-9]{0,14})$/.test(size)) return malformed(text, "its size is no whole number");
  const digest = messageDigest({ hash, sizeBytes: Number(size) }, fn.value);
  return digest.ok ? ok({ compressor, digest: digest.value, end: next }) : digest;
}

function blobPart({ compressor, digest }: BlobPart): string {
  const fn = digestFunction(digest);
  const kind = compressor === "identity" ? "blobs" : `compressed-blobs/${compressor}`;
  return `${kind}/${needsSegment(fn) ? `${fn}/` : ""}${digestHash(digest)}/${digestSizeBytes(digest)}`;
}

function joined(instance: string, rest: string): string {
  return instance === "" ? rest : `${instance}/${rest}`;
}

function segmentsOf(text: string): readonly string[] | undefined {
  return text.length > LENGTH_MAX ? undefined : text.split("/");
}

function isCompressor(name: string): name is CompressorName {
  return COMPRESSORS.has(name);
}

/** One segment that somebody made up to be unique; `uploads/blobs/blobs/…` is nobody's. */
function isToken(segment: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._~:-]{0,199}$/.test(segment) && !KEYWORDS.has(segment);
}

function isSafe(segment: string): boolean {
  return segment !== "" && segment !== "." && segment !== ".." && !/[\\\0-\x1f\x7f]/.test(segment);
}

function malformed(
  text: string,
  why: string,
): { readonly ok: false; readonly problem: Problem<"resource-name-malformed"> } {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const next = "Name a blob as [INSTANCE/]blobs/HASH/SIZE; an instance name holds none of the words of such names.";
  return err(problem("resource-name-malformed", `${JSON.stringify(shown)} is no resource name: ${why}`, { next }));
}
