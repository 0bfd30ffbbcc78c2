/**
 * Nx's self-hosted remote cache: `GET` and `PUT /v1/cache/{hash}`.
 *
 * A cache must not fail a build, and Nx fails its run for any status of a GET but 200 and 404, and for a PUT that is
 * refused with anything but 403 and 409: so troubles are told in those words. Only who has no valid token is told by
 * 401, because that is a mistake to be mended, and Nx shows the sentence.
 * Source: the specification at nx.dev ("build your own caching server"), and Nx 21 and 24 as they behave.
 */

import { answerBlob } from "../exchange/blob-answer.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { answer, isRead, onlyMethods, permitted } from "../exchange/exchange.ts";
import type { RefusalKind } from "../exchange/http-refusal.ts";
import { HttpRefusal, MISSING, REFUSAL_STATUS } from "../exchange/http-refusal.ts";
import type { ValuePlace } from "../exchange/named-values.ts";
import { findIn, findValue, takeValue } from "../exchange/named-values.ts";

/** Answers a request. @throws HttpRefusal */
export async function serveNx(exchange: Exchange, instance: string, key: string): Promise<void> {
  onlyMethods(exchange, "GET", "HEAD", "PUT");
  const place: ValuePlace = { protocol: "nx", instance };
  if (isRead(exchange.request)) {
    const entry = await findValue(exchange, place, key);
    if (entry === undefined) throw MISSING;
    return await answerBlob(exchange, entry.digest);
  }
  const where = { place, scope: permitted(exchange, "ac.write", instance) };
  const present = await findIn(exchange, where, key);
  if (present !== undefined) throw exists(key);
  if ((await takeValue(exchange, where, { name: key, exclusive: true })) === "exists") throw exists(key);
  answer(exchange, 200, { headers: { "content-type": "text/plain; charset=utf-8" }, body: "stored\n" });
}

/** The status by which Nx goes on building. */
export function nxStatus(kind: RefusalKind, method: string | undefined): number {
  if (kind === "unauthenticated" || kind === "malformed" || kind === "method-unknown") return REFUSAL_STATUS[kind];
  if (method === "PUT") return kind === "exists" ? 409 : 403;
  return 404;
}

function exists(key: string): HttpRefusal {
  return new HttpRefusal("exists", `a result of ${key} is stored already; results are never replaced`);
}
