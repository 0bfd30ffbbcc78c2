/**
 * JSON, with or without comments, as a tree that knows where each part was written.
 *
 * Owns:   the grammar of RFC 8259; in the dialect `jsonc` also comments and a comma before a closing bracket.
 * Never:  goes on after the first syntax error: what follows one is guesswork.
 * Source: not a library, because the usual one costs 15 ms to load and its two module formats do not bundle alike.
 */

/** How strictly a text is read: `jsonc` allows comments and trailing commas. */
export type JsonDialect = "json" | "jsonc";

/** A part of a document. Offsets count UTF-16 code units; `end` is behind the last. */
export type JsonNode =
  | { readonly kind: "object"; readonly start: number; readonly end: number; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly start: number; readonly end: number; readonly items: readonly JsonNode[] }
  | {
      readonly kind: "scalar";
      readonly start: number;
      readonly end: number;
      readonly value: string | number | boolean | null;
    };

/** A key with its value. */
export interface JsonMember {
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: JsonNode;
}

/** What is wrong with a text, and where. */
export interface JsonSyntaxError {
  /** A sentence part: `a comma is missing before this`. */
  readonly what: string;
  readonly offset: number;
  readonly length: number;
}

/** Reads a whole text. */
export function parseJsonTree(
  text: string,
  dialect: JsonDialect,
): { readonly ok: true; readonly value: JsonNode } | { readonly ok: false; readonly problem: JsonSyntaxError } {
  try {
    return { ok: true, value: new JsonReader(text, dialect).document() };
  } catch (error) {
    if (error instanceof SyntaxAt) return { ok: false, problem: error.found };
    throw error;
  }
}

/** The plain value of a node. The last of several equal keys counts, as with `JSON.parse`. */
export function plainValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "array":
      return node.items.map(plainValue);
    case "object":
      // Defines and does not assign, so that a key "__proto__" is a key.
      return Object.fromEntries(node.members.map((member) => [member.key, plainValue(member.value)]));
  }
}

/** The member of an object that counts for a key. */
export function memberOf(node: JsonNode, key: string): JsonMember | undefined {
  return node.kind === "object" ? node.members.findLast((member) => member.key === key) : undefined;
}

/** Carries a syntax error out of the recursion; never leaves this module. */
class SyntaxAt extends Error {
  readonly found: JsonSyntaxError;
  constructor(found: JsonSyntaxError) {
    super(found.what);
    this.found = found;
  }
}

/** Deeper than any configuration, and less than the stack bears. */
const DEPTH_MAX = 500;

class JsonReader {
  readonly #text: string;
  readonly #dialect: JsonDialect;
  #at = 0;
  #depth = 0;

  constructor(text: string, dialect: JsonDialect) {
    this.#text = text;
    this.#dialect = dialect;
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  document(): JsonNode {
    const node = this.#value();
    this.#blank();
    if (this.#at < this.#text.length) this.#fail("the document should end before this");
    return node;
  }

  #value(): JsonNode {
    this.#blank();
    const character = this.#text[this.#at];
    if (character === "{") return this.#object();
    if (character === "[") return this.#array();
    const start = this.#at;
    if (character === '"') return { kind: "scalar", start, value: this.#string(), end: this.#at };
    return this.#word();
  }

  #object(): JsonNode {
    const start = this.#open();
    const members: JsonMember[] = [];
    while (!this.#closes("}", members.length)) {
      if (this.#text[this.#at] !== '"') this.#fail("a key in double quotes is expected here");
      const keyStart = this.#at;
      const key = this.#string();
      const keyEnd = this.#at;
      this.#blank();
      if (this.#text[this.#at] !== ":") this.#fail(`a colon is missing after the key "${key}"`);
      this.#at++;
      members.push({ key, keyStart, keyEnd, value: this.#value() });
    }
    return { kind: "object", start, members, end: this.#at };
  }

  #array(): JsonNode {
    const start = this.#open();
    const items: JsonNode[] = [];
    while (!this.#closes("]", items.length)) items.push(this.#value());
    return { kind: "array", start, items, end: this.#at };
  }

  #open(): number {
    if (++this.#depth > DEPTH_MAX) this.#fail("this is nested too deeply");
    return this.#at++;
  }

  /** At a closing bracket: steps over it. Otherwise: steps over the comma that must follow all but the first part. */
  #closes(bracket: "}" | "]", count: number): boolean {
    this.#blank();
    let isAfterComma = count === 0;
    if (count > 0 && this.#text[this.#at] === ",") {
      this.#at++;
      this.#blank();
      isAfterComma = true;
      if (this.#dialect === "json" && this.#text[this.#at] === bracket)
        this.#fail("there is a comma too many before this");
    }
    if (this.#text[this.#at] === bracket) {
      this.#at++;
      this.#depth--;
      return true;
    }
    if (this.#at >= this.#text.length) this.#fail(`the text ends before a closing "${bracket}"`);
    if (!isAfterComma) this.#fail(`a comma or "${bracket}" is missing before this`);
    return false;
  }

  #string(): string {
    const start = this.#at++;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) {
        this.#at++;
        return this.#unescape(start);
      }
      if (code === 0x5c) this.#at++;
      else if (code < 0x20) break;
    }
    const length = Math.min(this.#at, this.#text.length) - start;
    throw new SyntaxAt({ what: "this text does not end on its line", offset: start, length });
  }

  #unescape(start: number): string {
    const quoted = this.#text.slice(start, this.#at);
    if (!quoted.includes("\\")) return quoted.slice(1, -1);
    try {
      return JSON.parse(quoted) as string;
    } catch {
      // The engine's message counts from the start of the text alone.
      throw new SyntaxAt({
        what: "this text has an escape that JSON does not know",
        offset: start,
        length: quoted.length,
      });
    }
  }

  #word(): JsonNode {
    const start = this.#at;
    const word = /^[^\s,:{}[\]"/]+/.exec(this.#text.slice(start, start + 400))?.[0] ?? "";
    if (word === "")
      this.#fail(start >= this.#text.length ? "the text ends where a value is expected" : "a value is expected here");
    this.#at += word.length;
    const end = this.#at;
    if (word === "true" || word === "false") return { kind: "scalar", start, end, value: word === "true" };
    if (word === "null") return { kind: "scalar", start, end, value: null };
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word))
      return { kind: "scalar", start, end, value: Number(word) };
    const what = word.startsWith("'") ? "texts are written in double quotes" : `"${word}" is not JSON`;
    throw new SyntaxAt({ what, offset: start, length: word.length });
  }

  #blank(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) this.#at++;
      else if (code === 0x2f) this.#comment();
      else return;
    }
  }

  #comment(): void {
    const isLine = this.#text[this.#at + 1] === "/";
    if (!isLine && this.#text[this.#at + 1] !== "*") this.#fail("this is neither a value nor a comment");
    if (this.#dialect === "json") this.#fail("comments are not allowed in this file", 2);
    const end = this.#text.indexOf(isLine ? "\n" : "*/", this.#at + 2);
    if (end === -1 && !isLine) this.#fail("this comment does not end", 2);
    this.#at = end === -1 ? this.#text.length : end + (isLine ? 1 : 2);
  }

  #fail(what: string, length = 1): never {
    throw new SyntaxAt({ what, offset: this.#at, length });
  }
}
