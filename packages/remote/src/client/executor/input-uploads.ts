/**
 * What an action reads, brought to the server.
 *
 * Owns:      the memory of what the server has, so that it is asked about each blob once.
 * Invariant: what two actions need is sent once, and what the server has is not sent.
 */

import { type Digest, digestOf, type FileSystem, type Problem, type ResolvedAction } from "@kahn/core";
import type { ActionMessages } from "@kahn/exec";
import { fileSource, memorySource } from "../blobs/blob-ends.ts";
import { type BlobUpload, RemoteUploads } from "../blobs/remote-blobs.ts";
import type { RemoteServer } from "../calls/remote-server.ts";

/** Uploads of all actions of a run. */
export class InputUploads {
  readonly #fs: FileSystem;
  readonly #uploads: RemoteUploads;
  /** Blobs that are there, or on their way: whoever needs one waits for it. */
  readonly #sent = new Map<Digest, Promise<Problem | undefined>>();

  constructor(server: RemoteServer, fs: FileSystem) {
    this.#fs = fs;
    this.#uploads = new RemoteUploads(server, fs);
  }

  /** Sends what the server lacks of an action. @param lost what it was thought to have and has not. */
  async send(form: ResolvedAction, messages: ActionMessages, lost: readonly Digest[]): Promise<Problem | undefined> {
    for (const digest of lost) this.#sent.delete(digest);
    const wanted = this.#blobsOf(form, messages);
    const own = wanted.filter(({ digest }) => !this.#sent.has(digest));
    if (own.length > 0) {
      const sending = this.#uploads.sendMissing(own, digestOf(messages.action));
      for (const { digest } of own) this.#sent.set(digest, sending);
      const refused = await sending;
      if (refused !== undefined) {
        for (const { digest } of own) this.#sent.delete(digest);
        return refused;
      }
    }
    const others = await Promise.all(new Set(wanted.map(({ digest }) => this.#sent.get(digest))));
    return others.find((each) => each !== undefined);
  }

  #blobsOf({ inputs, outputs }: ResolvedAction, { action, command, directories }: ActionMessages): BlobUpload[] {
    const blobs = new Map<Digest, BlobUpload>();
    const add = (digest: Digest, upload: Omit<BlobUpload, "digest">) => blobs.set(digest, { digest, ...upload });
    for (const bytes of [action, command])
      add(digestOf(bytes), { open: () => memorySource(bytes), from: "the action" });
    for (const [digest, bytes] of directories) add(digest, { open: () => memorySource(bytes), from: "a directory" });
    for (const entry of inputs) {
      if (entry.kind !== "file") continue;
      const path = `${outputs.workspaceRoot}/${entry.path}`;
      add(entry.digest, { open: () => fileSource(this.#fs, path), from: path });
    }
    return [...blobs.values()];
  }
}
