/**
 * Filters of ListOperations: conditions joined by `AND`, such as `done=false AND invocation="ci-7"`.
 *
 * Source: AIP-160, as much of it as is of use here.
 */
import type { Result } from "@kahn/core";
import { digestHash, err, ok } from "@kahn/core";
import type { OperationRecord } from "../pool/execution-pool.ts";

/** True for an operation that is asked for. */
export type OperationFilter = (operation: OperationRecord) => boolean;

const FIELDS: Readonly<Record<string, (operation: OperationRecord) => string>> = {
  done: ({ view }) => String(view.stage === "completed"),
  stage: ({ view }) => view.stage.replace("-", "_").toUpperCase(),
  action: ({ request }) => digestHash(request.action),
  invocation: ({ request }) => request.client?.toolInvocationId ?? "",
  correlated: ({ request }) => request.client?.correlatedInvocationsId ?? "",
  mnemonic: ({ request }) => request.client?.actionMnemonic ?? "",
  target: ({ request }) => request.client?.targetId ?? "",
  tool: ({ request }) => request.client?.toolDetails?.toolName ?? "",
};

/** One condition at the front of what is left: a field, `=` or `!=`, and a word or a text in quotes. */
const CONDITION = /^\s*([a-z_]+)\s*(!?=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))\s*(?:$|(AND)\s+(?=\S))/;

/** Characters of a filter: it is asked of every operation. */
const LENGTH_MAX = 2048;

/** The filter, or what is wrong with it. An empty one lets all through. */
export function parseOperationFilter(text: string): Result<OperationFilter, string> {
  if (text.length > LENGTH_MAX) return err(`the filter has ${text.length} characters, and may have ${LENGTH_MAX}`);
  const conditions: OperationFilter[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const match = CONDITION.exec(rest);
    if (match === null) {
      return err(
        `the filter cannot be read at ${JSON.stringify(rest.slice(0, 40))}; write field=value AND field="value"`,
      );
    }
    const [all, name = "", operator, quoted, word] = match;
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (field === undefined) return err(`the filter names ${name}; it may name ${Object.keys(FIELDS).join(", ")}`);
    const wanted = quoted?.replace(/\\(.)/g, "$1") ?? word ?? "";
    conditions.push((operation) => (field(operation) === wanted) === (operator === "="));
    rest = rest.slice(all.length);
  }
  return ok((operation) => conditions.every((holds) => holds(operation)));
}

/** A page token: the number of the last operation of the page before. */
export function printPageToken(last: number): string {
  return Buffer.from(`after ${last}`).toString("base64url");
}

/** The number in a token; 0 for an empty one, `undefined` for one that is none. */
export function parsePageToken(token: string): number | undefined {
  if (token === "") return 0;
  const match = /^after ([1-9][0-9]{0,14})$/.exec(Buffer.from(token, "base64url").toString("latin1"));
  return match === null || printPageToken(Number(match[1])) !== token ? undefined : Number(match[1]);
}
