/** `kahn init`: writes a first configuration. */

import { problem } from "@kahn/core";
import { initConfig } from "@kahn/workspace";
import { type Command, EXIT, refuse } from "../cli/command.ts";
import { openSession } from "../session/workspace-session.ts";

/** The command. */
export const init: Command = {
  usage: "init [OPTIONS]",
  positionalsMin: 0,
  positionalsMax: 0,
  options: [
    { name: "print", help: "print the configuration instead of writing it" },
    { name: "force", short: "f", help: "replace a kahn.jsonc that is there" },
  ],
  description: `
Reads the scripts of every package and writes kahn.jsonc: which tasks are worth caching, what they read and make, and
what they need first. It is a proposal: correct what it guessed wrong.`,
  examples: [["kahn init --print", "have a look first"]],
  async run(host, given) {
    const session = await openSession(host);
    if (!session.ok) return refuse(host, session.problem);
    const { model, ports } = session.value;
    const text = initConfig(model, ports.fs);
    if (given.has("print")) {
      host.stdout.write(text);
      return EXIT.done;
    }
    const path = `${model.root}/kahn.jsonc`;
    if (model.source === "kahn" && !given.has("force")) {
      return refuse(host, [
        problem("config-exists", "this workspace has a Kahn configuration", {
          next: "Edit it, or replace it with kahn init --force.",
        }),
      ]);
    }
    ports.fs.writeFile(path, text);
    host.stdout.write(`wrote ${path}\nNext: kahn run build, twice.\n`);
    return EXIT.done;
  },
};
