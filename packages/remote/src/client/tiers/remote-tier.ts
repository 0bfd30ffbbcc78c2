/** A REAPI server as a tier behind a local store. */
import type { RemoteTier } from "@kahn/cas";
import type { FileSystem, Result, StoreProblem } from "@kahn/core";
import { remoteBlobs } from "../blobs/remote-blobs.ts";
import type { RemoteServer } from "../calls/remote-server.ts";
import { remoteActions } from "./remote-actions.ts";

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
  const blobs = remoteBlobs(server, fs);
  const actions = remoteActions(server);
  // What was refused once is refused for the rest of the run, whatever the server says it can do.
  let isDenied = false;
  const sent = async <T>(sending: Promise<Result<T, StoreProblem>>): Promise<Result<T, StoreProblem>> => {
    const answer = await sending;
    if (!answer.ok && answer.problem.code === "store-denied") isDenied = true;
    return answer;
  };
  return {
    tier: {
      name: server.name,
      blobs: { ...blobs, ingest: (requests) => sent(blobs.ingest(requests)) },
      actions: { ...actions, record: (action, result) => sent(actions.record(action, result)) },
      read,
      write,
      takesResults: async () => {
        if (isDenied) return false;
        const features = await server.features();
        // One that does not answer is found out by the next question.
        return !features.ok || features.value.mayUpdateActions;
      },
    },
    close: () => server.close(),
  };
}
