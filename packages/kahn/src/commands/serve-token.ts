/** `kahn serve-token`: makes a token for clients of a server. */
import { newToken } from "@kahn/remote";
import { nodeRandom } from "@kahn/system";
import { type Command, EXIT } from "../cli/command.ts";

/** The command. */
export const serveToken: Command = {
  usage: "serve-token NAME",
  positionalsMin: 1,
  positionalsMax: 1,
  options: [{ name: "json", help: "as one JSON object" }],
  description: `
Makes a token of 256 random bits. It is shown once; the server's configuration holds only its hash. A client sends it as
"authorization: Bearer TOKEN"; Turborepo and Nx have variables for it.`,
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
