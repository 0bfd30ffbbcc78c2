/**
 * One line of a `.gitignore` file, as a test for one path.
 *
 * Owns:   the pattern language.
 * Never:  looks at parents: what is in an ignored directory is ignored because nobody enters it.
 * Source: gitignore(5); git's wildmatch with WM_PATHNAME for patterns that hold a slash, without it for others.
 */

/** What a line says about the paths that it matches. */
export interface IgnorePattern {
  readonly isNegated: boolean;
  /** Matches directories only. */
  readonly isForDirectories: boolean;
  /** Compared with the whole path relative to the file's directory; otherwise with the last name alone. */
  readonly isAnchored: boolean;
  readonly test: (text: string) => boolean;
}

/** Reads a whole file; later patterns win over earlier ones. */
export function parseIgnoreFile(text: string): IgnorePattern[] {
  const patterns: IgnorePattern[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    const pattern = parseLine(line);
    if (pattern !== undefined) patterns.push(pattern);
  }
  return patterns;
}

function parseLine(line: string): IgnorePattern | undefined {
  if (line.startsWith("#")) return undefined;
  // Trailing spaces count only when the last of them is escaped.
  let text = line.replace(/(?<!\\) +$/, "");
  const isNegated = text.startsWith("!");
  if (isNegated) text = text.slice(1);
  const isForDirectories = text.endsWith("/");
  if (isForDirectories) text = text.slice(0, -1);
  const isAnchored = text.includes("/");
  if (text.startsWith("/")) text = text.slice(1);
  if (text === "") return undefined;
  return { isNegated, isForDirectories, isAnchored, test: testOf(text) };
}

function testOf(pattern: string): (text: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (text) => text === pattern;
  const source = wildmatchSource(pattern);
  if (source === undefined) return () => false;
  try {
    const expression = new RegExp(`^${source}$`, "su");
    return (text) => expression.test(text);
  } catch (error) {
    // A range that is turned round (`[z-a]`) matches nothing in git either.
    if (error instanceof SyntaxError) return () => false;
    throw error;
  }
}

/** The pattern as a regular expression; `undefined` for one that can match nothing. */
function wildmatchSource(pattern: string): string | undefined {
  let source = "";
  // Git compares the part before the first wildcard by itself, so a `**` right behind it counts as starting a name.
  const literalLength = pattern.search(/[*?[\\]/);
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at]!;
    if (char === "*") {
      const end = endOfStars(pattern, at);
      const isWhole = end - at >= 2 && (at === literalLength || pattern[at - 1] === "/");
      if (isWhole && pattern[end] === "/") {
        source += "(?:.*/)?";
        at = end + 1;
      } else {
        source += isWhole && end === pattern.length ? ".*" : "[^/]*";
        at = end;
      }
    } else if (char === "?") {
      source += "[^/]";
      at++;
    } else if (char === "[") {
      const set = bracketSource(pattern, at);
      if (set === undefined) return undefined;
      source += set.source;
      at = set.end;
    } else if (char === "\\") {
      if (at + 1 === pattern.length) return undefined;
      source += escaped(pattern[at + 1]!);
      at += 2;
    } else {
      source += escaped(char);
      at++;
    }
  }
  return source;
}

function endOfStars(pattern: string, at: number): number {
  let end = at;
  while (pattern[end] === "*") end++;
  return end;
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "a-zA-Z0-9",
  alpha: "a-zA-Z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
  space: "\\s",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

function bracketSource(pattern: string, start: number): { readonly source: string; readonly end: number } | undefined {
  let at = start + 1;
  const isNegated = pattern[at] === "!" || pattern[at] === "^";
  if (isNegated) at++;
  let members = "";
  for (let isFirst = true; at < pattern.length; isFirst = false) {
    const char = pattern[at]!;
    if (char === "]" && !isFirst) return { source: `(?!/)[${isNegated ? "^" : ""}${members}]`, end: at + 1 };
    const named = /^\[:(\w+):\]/.exec(pattern.slice(at));
    if (named !== null) {
      const set = CLASSES[named[1]!];
      if (set === undefined) return undefined;
      members += set;
      at += named[0].length;
    } else if (char === "-" && !isFirst && pattern[at + 1] !== "]") {
      members += "-";
      at++;
    } else {
      if (char === "\\") at++;
      if (at === pattern.length) return undefined;
      const member = String.fromCodePoint(pattern.codePointAt(at)!);
      members += /[\\\]^[-]/.test(member) ? `\\${member}` : member;
      at += member.length;
    }
  }
  return undefined;
}

function escaped(char: string): string {
  return char.replace(/[$()*+./?[\\\]^{|}]/, "\\$&");
}
