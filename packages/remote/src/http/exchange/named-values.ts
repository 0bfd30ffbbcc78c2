/**
 * Values under a protocol's own names, in the layer of whoever asks.
 *
 * Invariant: what an untrusted writer stores is read by that writer alone; it lies over what is shared.
 */
import type { ActionScope, NamedEntry } from "../../store/server-store.ts";
import type { GatheredBody } from "./body.ts";
import { GATHERED_BYTES, gatherBody } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import { permitted } from "./exchange.ts";
import { stored } from "./http-refusal.ts";

/** Where values of a protocol are. */
export interface ValuePlace {
  readonly protocol: string;
  readonly instance: string;
}

/** The entry that the caller may read under a name; `undefined` when there is none. @throws HttpRefusal */
export function findValue(exchange: Exchange, place: ValuePlace, name: string): Promise<NamedEntry | undefined> {
  return findIn(exchange, { place, scope: permitted(exchange, "ac.read", place.instance) }, name);
}

/** A place as somebody sees it who has been asked for rights already. */
export interface ScopedPlace {
  readonly place: ValuePlace;
  readonly scope: ActionScope;
}

/** As `findValue`, without asking for rights. @throws HttpRefusal */
export async function findIn(
  { services }: Exchange,
  { place, scope }: ScopedPlace,
  name: string,
): Promise<NamedEntry | undefined> {
  const { entries } = services.store;
  if (scope.overlay !== undefined) {
    const own = stored(await entries.get(namespaceOf(place, scope), name));
    if (own !== undefined) return own;
  }
  return stored(await entries.get(namespaceOf(place, { instance: scope.instance }), name));
}

/** The namespace that a caller who may write here writes to. */
export function namespaceOf({ protocol }: ValuePlace, { instance, overlay }: ActionScope): string {
  // None of the parts holds a line break: paths are checked, and overlays are names of ours.
  return overlay === undefined ? `${protocol}\n${instance}` : `${protocol}\n${instance}\n${overlay}`;
}

/** A name to be given to a value. */
export interface NewName {
  readonly name: string;
  readonly facts?: Readonly<Record<string, string>>;
  readonly exclusive?: boolean;
}

/** Names a value, which is stored already or in memory. @throws HttpRefusal */
export async function nameValue(
  { services }: Exchange,
  where: ScopedPlace,
  { name, value, facts = {}, exclusive = false }: NewName & { readonly value: GatheredBody },
): Promise<"stored" | "exists"> {
  const { entries } = services.store;
  const namespace = namespaceOf(where.place, where.scope);
  const { kind } = value;
  if (kind === "bytes") return stored(await entries.putBytes(namespace, name, { ...value, facts, exclusive }));
  return stored(await entries.put(namespace, name, { ...value, facts }, { exclusive }));
}

/** Stores the body of a request under a name. @throws HttpRefusal */
export async function takeValue(exchange: Exchange, where: ScopedPlace, name: NewName): Promise<"stored" | "exists"> {
  return await nameValue(exchange, where, { ...name, value: await gatherBody(exchange, GATHERED_BYTES) });
}
