/**
 * Values under any path: ccache (flat and in folders) and WebDAV clients such as sccache; and Gradle's build cache.
 *
 * Note: folders are a fiction: each exists as soon as it is asked for, so that clients that make them first find peace.
 * Source: ccache's HTTP storage; RFC 4918 as far as opendal's client goes; Gradle's `HttpBuildCache`.
 */
import { digestSizeBytes } from "@kahn/core";
import { answerBlob } from "../exchange/blob-answer.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { answer, isRead, onlyMethods, permitted } from "../exchange/exchange.ts";
import { HttpRefusal, MISSING, stored } from "../exchange/http-refusal.ts";
import type { ValuePlace } from "../exchange/named-values.ts";
import { findValue, namespaceOf, takeValue } from "../exchange/named-values.ts";
import type { ValueRoute } from "../exchange/route.ts";

const GRADLE_TYPE = "application/vnd.gradle.build-cache-artifact.v2";

/** Answers a request of Gradle. @throws HttpRefusal */
export async function serveGradle(exchange: Exchange, instance: string, key: string): Promise<void> {
  onlyMethods(exchange, "GET", "HEAD", "PUT");
  const place: ValuePlace = { protocol: "gradle", instance };
  if (isRead(exchange.request)) await sendValue(exchange, { place, name: key, type: GRADLE_TYPE });
  else await keepValue(exchange, place, key);
}

/** Answers a request of ccache or of a WebDAV client. @throws HttpRefusal */
export async function serveValue(exchange: Exchange, { instance, name, isCollection }: ValueRoute): Promise<void> {
  const place: ValuePlace = { protocol: "value", instance };
  const isFolder = isCollection || name === "";
  switch (exchange.request.method) {
    case "OPTIONS":
      return answer(exchange, 200, {
        headers: { dav: "1", allow: "GET, HEAD, PUT, DELETE, OPTIONS, PROPFIND, MKCOL" },
      });
    case "PROPFIND":
      return await describe(exchange, place, isFolder ? undefined : name);
    case "MKCOL":
      permitted(exchange, "ac.write", instance);
      return answer(exchange, 201);
    case "PUT":
      if (isFolder) throw new HttpRefusal("malformed", "a value needs a name, and this is the path of a folder");
      return await keepValue(exchange, place, name);
    case "DELETE":
      return await forgetValue(exchange, place, name);
    default:
      onlyMethods(exchange, "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND", "MKCOL");
      if (isFolder) throw new HttpRefusal("missing", "this is the path of a folder");
      return await sendValue(exchange, { place, name });
  }
}

interface Asked {
  readonly place: ValuePlace;
  readonly name: string;
  readonly type?: string;
}

async function sendValue(exchange: Exchange, { place, name, type }: Asked): Promise<void> {
  const entry = await findValue(exchange, place, name);
  if (entry === undefined) throw MISSING;
  await answerBlob(exchange, entry.digest, type === undefined ? {} : { type });
}

async function keepValue(exchange: Exchange, place: ValuePlace, name: string): Promise<void> {
  const scope = permitted(exchange, "ac.write", place.instance);
  await takeValue(exchange, { place, scope }, { name });
  answer(exchange, 201);
}

async function forgetValue(exchange: Exchange, place: ValuePlace, name: string): Promise<void> {
  const scope = permitted(exchange, "ac.write", place.instance);
  stored(await exchange.services.store.entries.forget(namespaceOf(place, scope), name));
  answer(exchange, 204);
}

/** @param name `undefined` for a folder. */
async function describe(exchange: Exchange, place: ValuePlace, name: string | undefined): Promise<void> {
  const entry = name === undefined ? undefined : await findValue(exchange, place, name);
  if (name === undefined) permitted(exchange, "ac.read", place.instance);
  else if (entry === undefined) throw MISSING;
  const path = escaped((exchange.request.url ?? "/").split("?")[0]!);
  // No time is kept; clients of caches have no use for it, but some cannot read an answer without.
  const modified = "<D:getlastmodified>Thu, 01 Jan 1970 00:00:00 GMT</D:getlastmodified>";
  const kind =
    entry === undefined
      ? "<D:resourcetype><D:collection/></D:resourcetype>"
      : `<D:resourcetype/><D:getcontentlength>${digestSizeBytes(entry.digest)}</D:getcontentlength>`;
  const body =
    '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:"><D:response>' +
    `<D:href>${path}</D:href><D:propstat><D:prop>${kind}${modified}</D:prop>` +
    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>\n";
  answer(exchange, 207, { headers: { "content-type": "application/xml; charset=utf-8" }, body });
}

function escaped(text: string): string {
  return text.replace(/[<>&"']/g, (each) => `&#${each.charCodeAt(0)};`);
}
