/**
 * The review of a document: every section is inspected on its own, an editor decides, what is rejected is revised and
 * inspected again.
 *
 * The inspection looks for unfinished and long-winded sentences; a language model would stand in the same place.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { barrier, defineGraph, END, fail, map, reduce, state } from "kahn/flow";

const HERE = fileURLToPath(new URL(".", import.meta.url));

interface Section {
  readonly title: string;
  readonly text: string;
}

interface Finding {
  readonly section: string;
  readonly what: "unfinished" | "long-winded";
  readonly sentence: string;
}

const S = state({
  file: state.value("handbook.md"),
  sections: state.value<Section[]>([]),
  findings: state.value<Finding[]>([], reduce.append),
  round: state.value(1, reduce.sum),
  remarks: state.value<string[]>([], reduce.append),
  result: state.value(""),
});

const WORDS_MAX = 25;

const sentencesOf = (text: string) => text.match(/[^.!?]+[.!?]?/g)?.map((each) => each.trim()) ?? [];

function inspect({ title, text }: Section): Finding[] {
  const found: Finding[] = [];
  for (const sentence of sentencesOf(text)) {
    if (sentence.includes("TODO")) found.push({ section: title, what: "unfinished", sentence });
    else if (sentence.split(/\s+/).length > WORDS_MAX) found.push({ section: title, what: "long-winded", sentence });
  }
  return found;
}

/** Leaves out what is unfinished, and cuts what is long-winded at its second comma. */
function revise(section: Section, findings: readonly Finding[]): Section {
  let { text } = section;
  for (const { sentence, what } of findings.filter((each) => each.section === section.title)) {
    const shorter = sentence.split(",").slice(0, 2).join(",");
    text = text.replace(sentence, what === "unfinished" ? "" : `${shorter}.`);
  }
  return { ...section, text: text.replace(/ +/g, " ").trim() };
}

export default defineGraph(S, {
  id: "review",
  version: "1",
  start: "read",
  maxSteps: 200,
  nodes: {
    read: {
      run: ({ state: { file } }) => {
        const parts = readFileSync(join(HERE, file), "utf8").split(/^# /m).slice(1);
        if (parts.length === 0) fail(`${file} has no sections`);
        const sections = parts.map((part) => {
          const [title = "", ...rest] = part.split("\n");
          return { title, text: rest.join("\n").trim() };
        });
        return { set: { sections } };
      },
    },

    inspect: map({
      over: ({ sections }) => sections,
      limit: 4,
      run: ({ item, emit }) => {
        emit(`reading "${item.title}"`);
        return { set: { findings: inspect(item) } };
      },
    }),

    // editor#1, editor#2, …: one visit for each round.
    editor: barrier({
      payload: ({ round, findings }) => ({ round, findings: findings.map((each) => ({ ...each })) }),
      onReject: { goto: "revise" },
      decided: (outcome) => (outcome.kind === "reject" ? { set: { remarks: [outcome.reason] } } : {}),
    }),

    revise: {
      run: ({ state: { sections, findings } }) => ({
        set: { sections: sections.map((each) => revise(each, findings)), round: 1 },
        replace: { findings: [] },
      }),
    },

    finish: {
      run: ({ state: { sections }, run }) => {
        mkdirSync(join(HERE, "out"), { recursive: true });
        const result = join("out", `${run}.md`);
        writeFileSync(join(HERE, result), sections.map(({ title, text }) => `# ${title}\n\n${text}\n`).join("\n"));
        return { set: { result } };
      },
    },
  },
  edges: [
    ["read", "inspect"],
    ["inspect", "editor"],
    ["editor", "finish"],
    // Whoever rejects a sixth time wants another author.
    { from: "revise", to: "inspect", maxVisits: 5 },
    ["finish", END],
  ],
});
