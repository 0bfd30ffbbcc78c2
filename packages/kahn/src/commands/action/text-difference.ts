/** Two small texts, and what stands between the lines that they share at their ends. */
import { type BlobStore, digestSizeBytes, parseDigest } from "@kahn/core";

/** Bytes above which a text is not compared. */
const TEXT_MAX_BYTES = 64 << 10;

const LINES_MAX = 8;

/** The lines in which two files differ, as digests with or without `+x` name them; empty when they are no small texts. */
export async function differingLines(
  blobs: Pick<BlobStore, "read">,
  { first, second }: { readonly first: string | undefined; readonly second: string | undefined },
): Promise<readonly string[]> {
  const [one, two] = await Promise.all([bytesOf(blobs, first), bytesOf(blobs, second)]);
  return one === undefined || two === undefined ? [] : (textDifference(one, two) ?? []);
}

async function bytesOf(blobs: Pick<BlobStore, "read">, fact: string | undefined): Promise<Uint8Array | undefined> {
  const digest = parseDigest(fact?.replace(/ \+x$/, "") ?? "");
  if (!digest.ok || digestSizeBytes(digest.value) > TEXT_MAX_BYTES) return undefined;
  const read = await blobs.read(digest.value);
  return read.ok ? read.value : undefined;
}

/** Lines with `-` and `+` before them; `undefined` for what is too large, or no text. */
export function textDifference(first: Uint8Array, second: Uint8Array): readonly string[] | undefined {
  const [one, two] = [textOf(first), textOf(second)];
  if (one === undefined || two === undefined) return undefined;
  const [a, b] = [one.split("\n"), two.split("\n")];
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return [...shown("-", a.slice(start, a.length - end)), ...shown("+", b.slice(start, b.length - end))];
}

function shown(sign: string, lines: readonly string[]): string[] {
  const some = lines
    .slice(0, LINES_MAX)
    .map((line) => `${sign} ${line.length > 200 ? `${line.slice(0, 200)}…` : line}`);
  return lines.length > LINES_MAX ? [...some, `${sign} … ${lines.length - LINES_MAX} more lines`] : some;
}

function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > TEXT_MAX_BYTES || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
