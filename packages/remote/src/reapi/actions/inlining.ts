/**
 * Putting small blobs into an encoded action result, and taking raw bytes out of one that is too large.
 *
 * Invariant: every other byte of the result stays as its client sent it, fields of later versions included.
 * Source:    ActionResult: output_files = 2, stdout_raw = 5, stdout_digest = 6, stderr_raw = 7, stderr_digest = 8,
 *            execution_metadata = 9; OutputFile: path = 1, digest = 2, contents = 5; ExecutedActionMetadata: worker = 1.
 */
import type { Digest } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";
import { digestMessage } from "../../names/request-digest.ts";
import { Digest as DigestCodec, OutputFile } from "../../proto/generated/remote-execution.ts";
import { field, fieldHead, fieldsOf } from "../wire/fields.ts";

const OUTPUT_FILE = 0o22;
const STDOUT_RAW = 0o52;
const STDOUT_DIGEST = 0o62;
const STDERR_RAW = 0o72;
const STDERR_DIGEST = 0o102;
const METADATA = 0o112;
const CONTENTS = 0o52;

/** What is to be put in. */
export interface Inlined {
  readonly stdout?: Uint8Array | undefined;
  readonly stderr?: Uint8Array | undefined;
  /** Contents of output files by their paths. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The result with these contents in it, in parts. */
export function withInlined(result: Uint8Array, inlined: Inlined): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  if (inlined.files.size === 0) parts.push(result);
  else {
    let copied = 0;
    for (const each of fieldsOf(result)) {
      if (each.tag !== OUTPUT_FILE) continue;
      const file = result.subarray(each.contentStart, each.end);
      const contents = inlined.files.get(OutputFile.decode(file).path);
      if (contents === undefined) continue;
      const head = fieldHead(CONTENTS, contents.length);
      parts.push(result.subarray(copied, each.start));
      parts.push(fieldHead(OUTPUT_FILE, file.length + head.length + contents.length), file, head, contents);
      copied = each.end;
    }
    parts.push(result.subarray(copied));
  }
  // Of a field that is there twice the last one counts.
  if (inlined.stdout !== undefined) parts.push(fieldHead(STDOUT_RAW, inlined.stdout.length), inlined.stdout);
  if (inlined.stderr !== undefined) parts.push(fieldHead(STDERR_RAW, inlined.stderr.length), inlined.stderr);
  return parts;
}

/** The result with a worker's name in its metadata, for one that has none: decoders differ in what they make of two. */
export function withWorker(result: Uint8Array, worker: string): Uint8Array {
  const name = field(0o12, Buffer.from(worker));
  const metadata = [...fieldsOf(result)].findLast(({ tag }) => tag === METADATA);
  if (metadata === undefined) return Buffer.concat([result, field(METADATA, name)]);
  const content = Buffer.concat([result.subarray(metadata.contentStart, metadata.end), name]);
  return Buffer.concat([result.subarray(0, metadata.start), field(METADATA, content), result.subarray(metadata.end)]);
}

/** Raw bytes that a result carries, and the digest that goes in their place. */
export interface RawPart {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

/** The result without raw stdout, stderr and contents, and what they were. */
export function withoutRaw(
  result: Uint8Array,
  digestOf: (bytes: Uint8Array) => Digest,
): { readonly result: Uint8Array; readonly raw: readonly RawPart[] } {
  const parts: Uint8Array[] = [];
  const raw: RawPart[] = [];
  const take = (bytes: Uint8Array): Uint8Array => {
    const digest = digestOf(bytes);
    raw.push({ bytes, digest });
    return DigestCodec.encode(digestMessage(digest));
  };
  for (const each of fieldsOf(result)) {
    const content = result.subarray(each.contentStart, each.end);
    if (each.tag === STDOUT_RAW) parts.push(field(STDOUT_DIGEST, take(content)));
    else if (each.tag === STDERR_RAW) parts.push(field(STDERR_DIGEST, take(content)));
    else if (each.tag === OUTPUT_FILE) parts.push(field(OUTPUT_FILE, withoutContents(content)));
    else parts.push(result.subarray(each.start, each.end));
  }
  return { result: Buffer.concat(parts), raw };
}

/** A file's digest is there already: only what repeats it goes. */
function withoutContents(file: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const each of fieldsOf(file)) if (each.tag !== CONTENTS) parts.push(file.subarray(each.start, each.end));
  return Buffer.concat(parts);
}

/** False for what is not there, and for the empty blob, whose field would be absent. */
export function isWorthInlining(digest: Digest | undefined): digest is Digest {
  return digest !== undefined && digestSizeBytes(digest) > 0;
}
