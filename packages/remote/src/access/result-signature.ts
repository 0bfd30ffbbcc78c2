/**
 * Signed action results: an ed25519 signature that travels in the result's own metadata, so that it survives every
 * server which keeps metadata.
 *
 * Owns:      what is signed, and where the signature stands.
 * Invariant: whatever a client acts on is signed: every field but the execution metadata, known here or not. Bytes that
 *            are carried inline count by their digests, because servers put them in and take them out.
 * Note:      a server that writes a result anew in another form makes its signature worthless: such a result is a miss.
 */
import type { KeyObject } from "node:crypto";
import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { loadEngine } from "@kahn/cas";
import type { Digest, Problem, Result } from "@kahn/core";
import { digestFunction, err, ok, problem } from "@kahn/core";
import { digestMessage } from "../names/request-digest.ts";
import { DecodeError } from "../proto/decode-error.ts";
import { Digest as DigestCodec } from "../proto/generated/remote-execution.ts";
import { field, fieldsOf } from "../reapi/wire/fields.ts";

/** Signs results. */
export interface ResultSigner {
  /** @param result an encoded `ActionResult`. @returns the same with a signature in it; older ones of this key go. */
  sign(action: Digest, result: Uint8Array): Promise<Uint8Array>;
  readonly publicKey: KeyObject;
}

/** True for a result that a trusted key has signed for this action. */
export type ResultVerifier = (action: Digest, result: Uint8Array) => Promise<boolean>;

/** How the signature is called among the auxiliary metadata. */
const TYPE_URL = "type.googleapis.com/kahn.v1.ResultSignature";
const KEY_ID_BYTES = 8;
const SIGNATURE_BYTES = 64;

// Tags of ActionResult: output_files = 2, stdout_raw = 5, stdout_digest = 6, stderr_raw = 7, stderr_digest = 8,
// execution_metadata = 9; of OutputFile: contents = 5; of ExecutedActionMetadata: auxiliary_metadata = 11; of Any.
const OUTPUT_FILE = 0o22;
const STDOUT_RAW = 0o52;
const STDOUT_DIGEST = 0o62;
const STDERR_RAW = 0o72;
const STDERR_DIGEST = 0o102;
const METADATA = 0o112;
const CONTENTS = 0o52;
const AUXILIARY = 0o132;
const ANY_TYPE = 0o12;
const ANY_VALUE = 0o22;

/** A signer with an ed25519 key in PEM. @returns `serve-signing-key-invalid` for anything else. */
export function resultSigner(file: string, pem: string): Result<ResultSigner, Problem> {
  const key = keyOf(() => createPrivateKey(pem));
  if (key === undefined) return err(invalidKey(file, "private"));
  const publicKey = createPublicKey(key);
  const id = keyId(publicKey);
  return ok({
    publicKey,
    sign: async (action, result) => {
      const signature = sign(null, await signedBytes(action, result), key);
      return withSignature(result, id, signature);
    },
  });
}

/** A public key in PEM. @returns `serve-signing-key-invalid` for anything else. */
export function trustedKey(file: string, pem: string): Result<KeyObject, Problem> {
  const key = keyOf(() => createPublicKey(pem));
  return key === undefined ? err(invalidKey(file, "public")) : ok(key);
}

/** Verifies with these keys. Bytes that are no result are not signed. */
export function resultVerifier(keys: readonly KeyObject[]): ResultVerifier {
  const known = new Map(keys.map((key) => [keyId(key).toString("hex"), key]));
  return async (action, result) => {
    try {
      const signed = await signedBytes(action, result);
      return signaturesOf(result).some(({ id, signature }) => {
        const key = known.get(id.toString("hex"));
        return key !== undefined && verify(null, signed, key, signature);
      });
    } catch (error) {
      if (error instanceof DecodeError) return false;
      throw error;
    }
  };
}

function keyOf(make: () => KeyObject): KeyObject | undefined {
  try {
    const key = make();
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

function invalidKey(file: string, kind: string): Problem {
  const next = "Make a pair: openssl genpkey -algorithm ed25519 -out key.pem.";
  return problem("serve-signing-key-invalid", `${file} holds no ${kind} ed25519 key in PEM`, { where: { file }, next });
}

function keyId(key: KeyObject): Buffer {
  const der = key.export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest().subarray(0, KEY_ID_BYTES);
}

/** What is signed: the action, and the result's fields in an order of their own. */
async function signedBytes(action: Digest, result: Uint8Array): Promise<Buffer> {
  const engine = await loadEngine(digestFunction(action));
  const digestField = (tag: number, raw: Uint8Array): Uint8Array =>
    field(tag, DigestCodec.encode(digestMessage(engine.digest(raw))));
  const fields = new Set<string>();
  for (const { tag, start, contentStart, end } of fieldsOf(result)) {
    const content = result.subarray(contentStart, end);
    // Absent and empty are the same on this wire; so are absent and zero.
    if (tag === METADATA || isDefault(tag, content)) continue;
    let bytes: Uint8Array = result.subarray(start, end);
    if (tag === STDOUT_RAW) bytes = digestField(STDOUT_DIGEST, content);
    else if (tag === STDERR_RAW) bytes = digestField(STDERR_DIGEST, content);
    else if (tag === OUTPUT_FILE)
      bytes = field(
        OUTPUT_FILE,
        withoutFields(content, (inner) => inner === CONTENTS),
      );
    fields.add(Buffer.from(bytes).toString("latin1"));
  }
  const sorted = [...fields].sort();
  const text = JSON.stringify(["kahn action result", 1, action, sorted]);
  return createHash("sha256").update(text, "utf8").digest();
}

function isDefault(tag: number, content: Uint8Array): boolean {
  return (tag & 7) === 2 ? content.length === 0 : (tag & 7) === 0 && content.length === 1 && content[0] === 0;
}

function withoutFields(message: Uint8Array, isLeftOut: (tag: number, content: Uint8Array) => boolean): Buffer {
  const parts: Uint8Array[] = [];
  for (const { tag, start, contentStart, end } of fieldsOf(message)) {
    if (!isLeftOut(tag, message.subarray(contentStart, end))) parts.push(message.subarray(start, end));
  }
  return Buffer.concat(parts);
}

interface FoundSignature {
  readonly id: Buffer;
  readonly signature: Buffer;
}

function signaturesOf(result: Uint8Array): readonly FoundSignature[] {
  const found: FoundSignature[] = [];
  for (const outer of fieldsOf(result)) {
    if (outer.tag !== METADATA) continue;
    const metadata = result.subarray(outer.contentStart, outer.end);
    for (const { tag, contentStart, end } of fieldsOf(metadata)) {
      const signature = tag === AUXILIARY ? signatureOf(metadata.subarray(contentStart, end)) : undefined;
      if (signature !== undefined) found.push(signature);
    }
  }
  return found;
}

function signatureOf(any: Uint8Array): FoundSignature | undefined {
  let type = "";
  let value: Buffer | undefined;
  for (const { tag, contentStart, end } of fieldsOf(any)) {
    const content = Buffer.from(any.subarray(contentStart, end));
    if (tag === ANY_TYPE) type = content.toString("utf8");
    else if (tag === ANY_VALUE) value = content;
  }
  if (type !== TYPE_URL || value?.length !== KEY_ID_BYTES + SIGNATURE_BYTES) return undefined;
  return { id: value.subarray(0, KEY_ID_BYTES), signature: value.subarray(KEY_ID_BYTES) };
}

/** Into the metadata that is there: decoders differ in what they make of two. */
function withSignature(result: Uint8Array, id: Buffer, signature: Buffer): Uint8Array {
  const value = Buffer.concat([id, signature]);
  const any = Buffer.concat([field(ANY_TYPE, Buffer.from(TYPE_URL)), field(ANY_VALUE, value)]);
  const rest: Uint8Array[] = [];
  const metadata: Uint8Array[] = [];
  for (const { tag, start, contentStart, end } of fieldsOf(result)) {
    if (tag === METADATA) metadata.push(result.subarray(contentStart, end));
    else rest.push(result.subarray(start, end));
  }
  const isOlder = (tag: number, content: Uint8Array) =>
    tag === AUXILIARY && signatureOf(content)?.id.equals(id) === true;
  const kept = withoutFields(Buffer.concat(metadata), isOlder);
  return Buffer.concat([...rest, field(METADATA, Buffer.concat([kept, field(AUXILIARY, any)]))]);
}
