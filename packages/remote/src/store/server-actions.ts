/** Action results by scope, complete or not at all. */
import { loadEngine } from "@kahn/cas";
import type { ResidentRecords } from "@kahn/cas/resident";
import type { Digest } from "@kahn/core";
import { digestFunction } from "@kahn/core";
import type { ActionScope, ServerActions } from "./server-store.ts";

/** The actions of a store. */
export function serverActions(records: ResidentRecords): ServerActions {
  return {
    get: async (scope, action) => {
      const own = await records.get(await scopedKey(scope, action));
      if (!own.ok || own.value !== undefined || scope.overlay === undefined) return own;
      return await records.get(await scopedKey({ instance: scope.instance }, action));
    },
    put: async (scope, action, bytes) => await records.put(await scopedKey(scope, action), bytes),
    forget: async (scope, action) => await records.forget(await scopedKey(scope, action)),
  };
}

/** What the record of an action of a scope is kept under: of the same function, because its result's digests are too. */
export async function scopedKey({ instance, overlay }: ActionScope, action: Digest): Promise<Digest> {
  // Text of JSON: no two scopes look alike, whatever is in their names.
  const text = JSON.stringify(["action", instance, overlay ?? null, action]);
  return (await loadEngine(digestFunction(action))).digest(Buffer.from(text));
}
