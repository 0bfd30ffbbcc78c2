// Goal: what help shows can be read and typed. Method: every command's own texts; its examples are read as its arguments.
import { expect, test } from "vitest";
import { parseArguments } from "./arguments.ts";
import type { Command, CommandEntry } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { commandHelp, generalHelp, groupHelp } from "./help.ts";

interface Known {
  readonly words: string;
  readonly text: string;
  readonly command?: Command;
  readonly examples: Command["examples"];
}

async function knownBelow(entries: readonly CommandEntry[], above = ""): Promise<Known[]> {
  const all: Known[] = [];
  for (const entry of entries) {
    const words = `${above}${entry.name}`;
    const loaded = await entry.load();
    const { examples } = loaded;
    if ("commands" in loaded) {
      all.push({ words, text: groupHelp(loaded), examples });
      all.push(...(await knownBelow(loaded.commands, `${words} `)));
    } else all.push({ words, text: commandHelp(loaded), command: loaded, examples });
  }
  return all;
}

const ALL = await knownBelow(COMMANDS);

test("help fits a terminal, with no line of blanks and nothing behind the last word", () => {
  for (const { words, text } of [{ words: "", text: generalHelp() }, ...ALL]) {
    const unfit = text.split("\n").filter((line) => line.length > 120 || line !== line.trimEnd());
    expect(unfit, `kahn ${words}`).toEqual([]);
    expect(text, `kahn ${words}`).not.toContain("\n\n\n");
  }
});

test("a usage says that there are options, and each example that it means something", () => {
  for (const { words, command, examples } of ALL) {
    if (command !== undefined && command.options.length > 0) {
      expect(command.usage, `kahn ${words}`).toMatch(/\[OPTIONS\]|--[a-z]/);
    }
    expect(examples.length, `kahn ${words}`).toBeGreaterThan(0);
    for (const [line, meaning] of examples) expect(meaning, line).not.toBe("");
  }
});

test("every example of Kahn is a command line that is accepted", () => {
  const byWords = new Map(ALL.map((each) => [each.words, each.command]));
  for (const [line] of ALL.flatMap(({ examples }) => examples)) {
    const words = [...line.split(" | ")[0]!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
    if (words.shift() !== "kahn") continue;
    const name = words[0] === "flow" ? `flow ${words[1]}` : words[0]!;
    const command = byWords.get(name);
    expect(command, line).toBeDefined();
    const given = parseArguments(command!, words.slice(name.split(" ").length));
    expect(given.ok || given.problem.message, line).toBe(true);
  }
});
