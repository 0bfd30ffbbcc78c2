/** What an approval has to say, and may say, as examples that a person changes. */
import type { AcceptedPayload } from "@kahn/workflow";

const PLACEHOLDERS = { string: "TEXT", number: 0, boolean: true, json: null } as const;

/** Payloads as JSON, with values of the right types. */
export interface PayloadExamples {
  /** With what has to be there; of a schema, whose words nobody knows, an empty object. */
  readonly needed?: string;
  /** With what may be there as well. */
  readonly whole?: string;
}

/** Examples for what a barrier asks for; none if it asks for nothing. */
export function payloadExamples(accept: AcceptedPayload | undefined): PayloadExamples {
  if (accept === undefined) return {};
  if (accept === "schema") return { needed: "{}" };
  const words = Object.entries(accept);
  const needed = words.filter(([, word]) => !word.endsWith("?"));
  return {
    ...(needed.length === 0 ? {} : { needed: example(needed) }),
    ...(needed.length === words.length ? {} : { whole: example(words) }),
  };
}

/** On one line, with blanks for those who read it. */
function example(words: readonly (readonly [name: string, word: string])[]): string {
  const parts = words.map(([name, word]) => {
    const value = PLACEHOLDERS[word.replace("?", "") as keyof typeof PLACEHOLDERS];
    return `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  });
  return `{${parts.join(", ")}}`;
}
