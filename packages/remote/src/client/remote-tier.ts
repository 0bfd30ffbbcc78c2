/** A REAPI server as a tier behind a local store. */
import type { RemoteTier } from "@kahn/cas";
import type { FileSystem } from "@kahn/core";
import { remoteActions } from "./remote-actions.ts";
import { remoteBlobs } from "./remote-blobs.ts";
import type { RemoteServer } from "./remote-server.ts";

/** What a tier is used for. */
export interface TierModes {
  readonly read: boolean;
  readonly write: boolean;
}

/** A tier with what it holds open. */
export interface OpenTier {
  readonly tier: RemoteTier;
  /** Ends its connections; calls under way fail. */
  close(): void;
}

/** Makes a tier of a server. Connects at the first question. `fs` holds the files that are sent and made. */
export function reapiTier(
  server: RemoteServer,
  { fs, read, write }: TierModes & { readonly fs: FileSystem },
): OpenTier {
  return {
    tier: {
      name: server.name,
      blobs: remoteBlobs(server, fs),
      actions: remoteActions(server),
      read,
      write,
      takesResults: async () => {
        const features = await server.features();
        // One that does not answer is found out by the next question.
        return !features.ok || features.value.mayUpdateActions;
      },
    },
    close: () => server.close(),
  };
}
