/** What an approval has to say, as an example that a person changes. */
import type { AcceptedPayload } from "@kahn/workflow";

const PLACEHOLDERS = { string: "TEXT", number: 0, boolean: true, json: null } as const;

/**
 * A payload of the right types as JSON; of a schema, whose words nobody knows, an empty object.
 *
 * @returns `undefined` where a barrier asks for nothing.
 */
export function payloadExample(accept: AcceptedPayload | undefined): string | undefined {
  if (accept === undefined) return undefined;
  if (accept === "schema") return "{}";
  const members = Object.entries(accept).map(([name, word]) => {
    return [name, PLACEHOLDERS[word.replace("?", "") as keyof typeof PLACEHOLDERS]] as const;
  });
  return members.length === 0 ? undefined : spaced(Object.fromEntries(members));
}

/** On one line, with blanks for those who read it. */
function spaced(members: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(members).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{${parts.join(", ")}}`;
}
