/** JSON that clients sent. */
import { HttpRefusal } from "./http-refusal.ts";

/** What the bytes say. @throws HttpRefusal when they are no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch (error) {
    throw new HttpRefusal("malformed", `the body is no JSON: ${error instanceof Error ? error.message : "unknown"}`);
  }
}

/** Like `parseJson`, and it is an object. @throws HttpRefusal */
export function parseJsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HttpRefusal("malformed", "the body is no JSON object");
}
