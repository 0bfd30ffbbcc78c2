/**
 * A configuration file's text, in YAML or JSON with comments, and the way back from a value to its line.
 *
 * Note: JSON is YAML but for its comments and its tabs, so both are read by one parser: comments are blanked in place,
 *       which leaves every position as it is.
 */
import type { Problem, Result, SourcePlace } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { SettingPath } from "./setting-kinds.ts";

/** A configuration file as it was read. */
export interface ConfigSource {
  /** As it should be shown. */
  readonly name: string;
  readonly text: string;
}

/** What a file says, and where. */
export interface ConfigDocument {
  readonly value: unknown;
  /** Place of the value at a path; of its nearest ancestor when there is none. */
  placeOf(path: SettingPath): SourcePlace;
}

/** Reads a file. @returns `serve-config-syntax` for each place where it is neither YAML nor JSON. */
export async function parseConfigDocument(source: ConfigSource): Promise<Result<ConfigDocument, readonly Problem[]>> {
  // YAML takes 40 ms to load.
  const { isNode, isPair, isMap, isScalar, parseDocument } = await import("yaml");
  const isJson = /^\s*(?:\/[/*]|\{)/.test(source.text);
  const document = parseDocument(isJson ? blanked(source.text) : source.text, {
    prettyErrors: false,
    logLevel: "error",
  });
  const place = (offset: number): SourcePlace => placeAt(source, offset);
  if (document.errors.length > 0) {
    return err(
      document.errors.map((error) =>
        problem("serve-config-syntax", `${source.name} cannot be read: ${error.message}`, {
          where: place(error.pos[0]),
          next: isJson ? "Write JSON; comments and trailing commas are allowed." : "Write YAML or JSON with comments.",
        }),
      ),
    );
  }
  const offsetOf = (path: SettingPath): number => {
    for (let length = path.length; length > 0; length--) {
      const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const key = path[length - 1];
      if (isMap(parent)) {
        const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
        if (pair !== undefined && isNode(pair.key) && pair.key.range) return pair.key.range[0];
      }
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  };
  try {
    // Aliases multiply: a bound keeps a small file from becoming a huge value.
    return ok({ value: document.toJS({ maxAliasCount: 100 }), placeOf: (path) => place(offsetOf(path)) });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const message = `${source.name} cannot be read: ${error.message}`;
    return err([problem("serve-config-syntax", message, { where: { file: source.name }, next: "Remove the alias." })]);
  }
}

function placeAt({ name, text }: ConfigSource, offset: number): SourcePlace {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  const start = before.lastIndexOf("\n") + 1;
  const end = text.indexOf("\n", offset);
  const lineText = text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  return { file: name, line, column: offset - start + 1, text: lineText };
}

/** JSON with spaces in the place of comments and tabs. */
function blanked(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\t/g, (match) =>
    match.startsWith('"') ? match : match.replace(/[^\n]/g, " "),
  );
}
