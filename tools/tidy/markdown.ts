/** The parts of a Markdown document that can be wrong: links, headings, fenced blocks. */

/** A fenced block. */
export interface Snippet {
  /** The word after the fence, for example `ts`; empty if there is none. */
  readonly language: string;
  readonly text: string;
  /** Line of the opening fence, counted from 1. */
  readonly line: number;
}

/** A link to somewhere. */
export interface Link {
  readonly target: string;
  readonly line: number;
}

/** Every fenced block. */
export function snippetsOf(text: string): readonly Snippet[] {
  const snippets: Snippet[] = [];
  let open: { readonly fence: string; readonly language: string; readonly line: number; body: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*(```+|~~~+)\s*([\w-]*)/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1]!, language: fence[2]!, line: index + 1, body: [] };
    } else if (fence?.[1] === open.fence && fence[2] === "") {
      snippets.push({ language: open.language, text: open.body.join("\n"), line: open.line });
      open = undefined;
    } else open.body.push(line);
  }
  return snippets;
}

/** Every link outside of fenced blocks and inline code. */
export function linksOf(text: string): readonly Link[] {
  const links: Link[] = [];
  for (const [index, line] of withoutSnippets(text).split("\n").entries()) {
    for (const match of line.replace(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      links.push({ target: match[1]!, line: index + 1 });
    }
  }
  return links;
}

/** The anchors of all headings, as the usual renderers make them. */
export function headingsOf(text: string): ReadonlySet<string> {
  const titles = [...withoutSnippets(text).matchAll(/^#+ +(.+)$/gm)].map((match) => match[1]!.trim().toLowerCase());
  return new Set(titles.map((title) => title.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-")));
}

function withoutSnippets(text: string): string {
  return text.replace(/^(```+|~~~+)[\s\S]*?^\1\s*$/gm, (block) => block.replace(/[^\n]/g, ""));
}
