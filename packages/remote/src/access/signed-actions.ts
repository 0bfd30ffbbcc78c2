/**
 * Action results that are signed when they are stored, and given out only when they are signed by somebody trusted.
 *
 * Invariant: only shared layers are signed: what an untrusted branch wrote never carries the server's name.
 */
import { ok } from "@kahn/core";
import type { ServerActions, ServerStore } from "../store/server-store.ts";
import type { ResultSigner, ResultVerifier } from "./result-signature.ts";

/** What is done with signatures. */
export interface SigningOptions {
  readonly signer: ResultSigner | undefined;
  readonly verifier: ResultVerifier | undefined;
}

/** The same store, whose shared results are signed. */
export function signedStore(store: ServerStore, options: SigningOptions): ServerStore {
  const actions = signedActions(store.actions, options);
  if (actions === store.actions) return store;
  const { blobs, entries, files } = store;
  return {
    ...{ blobs, actions, entries, files },
    pin: (digests) => store.pin(digests),
    status: () => store.status(),
    close: () => store.close(),
  };
}

/** The same actions with signatures. */
export function signedActions(actions: ServerActions, { signer, verifier }: SigningOptions): ServerActions {
  if (signer === undefined && verifier === undefined) return actions;
  return {
    get: async (scope, action) => {
      const found = await actions.get(scope, action);
      if (!found.ok || found.value === undefined || verifier === undefined) return found;
      // A layer of an untrusted writer is its own affair; what shines through from below is not.
      if (scope.overlay !== undefined) {
        const shared = await actions.get({ instance: scope.instance }, action);
        const isOwn = !shared.ok || shared.value === undefined || !equal(shared.value.bytes, found.value.bytes);
        if (isOwn) return found;
      }
      return (await verifier(action, found.value.bytes)) ? found : ok(undefined);
    },
    put: async (scope, action, bytes) => {
      const isShared = scope.overlay === undefined;
      return await actions.put(
        scope,
        action,
        signer !== undefined && isShared ? await signer.sign(action, bytes) : bytes,
      );
    },
    forget: (scope, action) => actions.forget(scope, action),
  };
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
