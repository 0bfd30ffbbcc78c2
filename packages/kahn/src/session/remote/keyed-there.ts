/**
 * Keys of tasks that run on a server.
 *
 * Invariant: what a server made is found by runs on that server only. Its tools are not those of this machine, and it had
 *            no file that the task does not declare, so it is not what a run here would make.
 */
import type { RemoteConfig } from "@kahn/cas";
import { type ActionProvider, ok } from "@kahn/core";

/** The server as keys name it. */
export function placeOf({ url, instance }: Pick<RemoteConfig, "url" | "instance">): string {
  return `${url} ${instance}`.trim();
}

/** The same nodes, with keys of actions that run there; without a place as they are. */
export function keyedThere(provider: ActionProvider, place: string | undefined): ActionProvider {
  if (place === undefined) return provider;
  return {
    plan: () => provider.plan(),
    resolve: async (label) => {
      const resolved = await provider.resolve(label);
      if (!resolved.ok) return resolved;
      return ok({ ...resolved.value, parts: { ...resolved.value.parts, server: place } });
    },
  };
}
