/** `kahn serve-token`: makes a token for clients of a server. */
import { newToken } from "@kahn/remote";
import { nodeRandom } from "@kahn/system";
import { type Command, EXIT } from "../cli/command.ts";

/** The command. */
export const serveToken: Command = {
  usage: "serve-token NAME [OPTIONS]",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [{ name: "json", help: "as one JSON object" }],
  description: `
Makes a token of 256 random bits, and prints it with what goes into the server's configuration: its hash, under NAME.
The token itself is kept nowhere. What it may do, rules say (access.rules). Kahn sends the token in KAHN_REMOTE_TOKEN;
other clients send it as "authorization: Bearer TOKEN", and Turborepo and Nx have variables for it.`,
  examples: [["kahn serve-token ci", "a token for the subject token:ci"]],
  async run(host, given) {
    const [name = ""] = given.positionals;
    const { token, hash } = newToken(nodeRandom());
    if (given.has("json")) host.stdout.write(`${JSON.stringify({ name, token, hash })}\n`);
    else {
      host.stdout.write(
        `token (shown once): ${token}\n\nfor the server's configuration:\n\naccess:\n  tokens:\n    - { name: ${JSON.stringify(name)}, hash: "${hash}" }\n`,
      );
    }
    return EXIT.done;
  },
};
