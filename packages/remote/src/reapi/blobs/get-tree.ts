/**
 * GetTree: all directories below a root, in pages.
 *
 * Invariant: each directory comes once, byte for byte as it is stored, in an order that depends on the tree alone; so a
 *            token is a count, and a walk can go on in another call, or on another day, without anything being kept.
 *            Directories that are missing or none are left out with what is below them; only the root must be there.
 * Note:      a directory cannot hold itself, as its digest would have to; but many paths may lead to one.
 */
import { createHash } from "node:crypto";
import type { Digest, Directory } from "@kahn/core";
import { DIRECTORY_MAX_BYTES, decodeDirectory, digestFunction, InvariantError, readMessage } from "@kahn/core";
import type { Codec, EncodedMessage, Registration, SendingCall } from "../../grpc/index.ts";
import { methodOf, serve } from "../../grpc/index.ts";
import { ContentAddressableStorageMethods, type GetTreeRequest } from "../../proto/generated/remote-execution.ts";
import { blobNotFound, invalidArgument, stored } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { oneDigest, permitted } from "../requests/service-context.ts";
import { fieldHead } from "../wire/fields.ts";

/** Directories that are read at once. */
const READ_AT_ONCE = 64;
/** What the field of a directory takes besides its bytes, at most. */
const FIELD_BYTES = 8;

interface Page {
  readonly directories: readonly Uint8Array[];
  readonly token: string;
}

/** Writes the stored bytes as they are: fields that this version does not know are part of what was hashed. */
const PAGE: Codec<never, Page> = {
  encode: ({ directories, token }): EncodedMessage => {
    const parts: Uint8Array[] = [];
    for (const bytes of directories) parts.push(fieldHead(0o12, bytes.length), bytes);
    if (token !== "") parts.push(fieldHead(0o22, token.length), Buffer.from(token, "latin1"));
    return parts;
  },
  decode: () => {
    throw new InvariantError("a page is only sent");
  },
};

/** The method. */
export function getTreeMethod(context: ServiceContext): Registration {
  const method = { ...methodOf("server-streaming", ContentAddressableStorageMethods.getTree), response: PAGE };
  return serve(method, async (request, call) => {
    permitted(context, call, { what: "cas.read", instance: request.instanceName });
    if (request.pageSize < 0) throw invalidArgument("page_size is negative");
    const root = oneDigest(context, request.rootDigest, request.digestFunction);
    const skipped = request.pageToken === "" ? 0 : readToken(request.pageToken, root);
    await sendTree(context, call, { root, skipped, pageSize: pageSizeOf(context, request) });
  });
}

function pageSizeOf(context: ServiceContext, { pageSize }: GetTreeRequest): number {
  return pageSize === 0 ? context.limits.pageDirectories : pageSize;
}

interface Walk {
  readonly root: Digest;
  readonly skipped: number;
  readonly pageSize: number;
}

async function sendTree(context: ServiceContext, call: SendingCall<Page>, walk: Walk): Promise<void> {
  const pageMaxBytes = context.limits.answerMaxBytes;
  let page: Uint8Array[] = [];
  let pageBytes = 0;
  let count = 0;
  for await (const bytes of directoriesOf(context, walk.root)) {
    if (count++ < walk.skipped) continue;
    const isFull = page.length >= walk.pageSize || pageBytes + bytes.length + FIELD_BYTES > pageMaxBytes - 64;
    if (isFull && page.length > 0) {
      await call.send({ directories: page, token: printToken(count - 1, walk.root) });
      page = [];
      pageBytes = 0;
    }
    page.push(bytes);
    pageBytes += bytes.length + FIELD_BYTES;
  }
  // Nothing behind the end is no error: the token of the last page does not exist, but a tree may have shrunk.
  await call.send({ directories: page, token: "" });
}

/** The encoded directories of a tree, breadth first. */
async function* directoriesOf(context: ServiceContext, root: Digest): AsyncGenerator<Uint8Array> {
  const seen = new Set<Digest>([root]);
  const queue: Digest[] = [root];
  for (let at = 0; at < queue.length; ) {
    const batch = queue.slice(at, at + READ_AT_ONCE);
    at += batch.length;
    const directories = await Promise.all(batch.map((digest) => readDirectory(context, digest, digest === root)));
    for (const found of directories) {
      if (found === undefined) continue;
      const fresh = found.directory.directories.map(({ digest }) => digest).filter((digest) => !seen.has(digest));
      for (const digest of new Set(fresh)) {
        seen.add(digest);
        queue.push(digest);
      }
      yield found.bytes;
    }
    if (at > 4096) {
      queue.splice(0, at);
      at = 0;
    }
  }
}

async function readDirectory(
  context: ServiceContext,
  digest: Digest,
  isRoot: boolean,
): Promise<{ readonly bytes: Uint8Array; readonly directory: Directory } | undefined> {
  const message = stored(await readMessage(context.store.blobs, digest, DIRECTORY_MAX_BYTES));
  if (message.kind !== "bytes") {
    if (!isRoot) return undefined;
    throw message.kind === "missing" ? blobNotFound(digest) : invalidArgument(`${digest} is too large for a directory`);
  }
  const { bytes } = message;
  const directory = decodeDirectory(bytes, digestFunction(digest));
  if (directory.ok) return { bytes, directory: directory.value };
  if (isRoot) throw invalidArgument(`${digest} is no directory: ${directory.problem.message}`);
  return undefined;
}

function printToken(count: number, root: Digest): string {
  return `${count}.${sealOf(count, root)}`;
}

function readToken(token: string, root: Digest): number {
  const count = Number(/^([1-9][0-9]{0,9})\.[0-9a-f]{16}$/.exec(token)?.[1] ?? Number.NaN);
  if (Number.isNaN(count) || token !== printToken(count, root))
    throw invalidArgument("page_token is none of this tree");
  return count;
}

/** Ties a token to its tree: one of another is a mistake that would else go unnoticed. */
function sealOf(count: number, root: Digest): string {
  return createHash("sha256").update(`${root} ${count}`).digest("hex").slice(0, 16);
}
