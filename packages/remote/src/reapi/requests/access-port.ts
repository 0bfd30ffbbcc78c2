/**
 * Port: who may do what. The services ask, `access` answers.
 *
 * Invariant: a caller is found out once per call, by an interceptor that leaves it under `CALLER`; asking for a right
 *            is a look-up and never waits.
 */
import { callKey } from "../../grpc/index.ts";

/** Who calls. `access` has callers of its own with more in them. */
export interface Caller {
  /** For logs and messages; empty for nobody in particular. */
  readonly name: string;
}

/** A caller of whom nothing is known. */
export const ANONYMOUS: Caller = { name: "" };

/** Where an interceptor leaves the caller of a gRPC call. */
export const CALLER = callKey<Caller>("caller");

/** Something to be allowed, on one instance. */
export interface AccessQuestion {
  readonly what: "cas.read" | "cas.write" | "ac.read" | "ac.write" | "exec" | "asset" | "admin";
  readonly instance: string;
}

/** What `access` says. */
export type AccessAnswer =
  | { readonly kind: "allowed" }
  /** Allowed in a layer of its own: results that nobody else reads, over the shared ones. */
  | { readonly kind: "overlay"; readonly overlay: string }
  /** `unauthenticated`: another caller might be allowed. `forbidden`: this one is known, and is not. */
  | { readonly kind: "denied"; readonly because: "unauthenticated" | "forbidden"; readonly message: string };

/** Decides over rights. */
export interface Access {
  may(caller: Caller, question: AccessQuestion): AccessAnswer;
}

const ALLOWED: AccessAnswer = { kind: "allowed" };

/** Everybody may do everything: for a server that only this machine reaches. */
export const OPEN_ACCESS: Access = { may: () => ALLOWED };
