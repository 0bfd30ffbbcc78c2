/**
 * Names and passwords of an htpasswd file.
 *
 * Owns:      reading the file: which kinds of hashes are taken, and whose they are.
 * Invariant: a file with a hash of any other kind is refused by name, so that nobody is locked out without a word.
 *            An unknown name costs as much time as a wrong password.
 * Source:    Apache's "Password Formats".
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { PasswordCheck } from "./password-hash.ts";
import { isPassword } from "./password-hash.ts";

/** Names with their hashes. */
export interface PasswordFile {
  has(name: string): boolean;
  readonly names: readonly string[];
  /** True for the right password. */
  verify(name: string, password: string): Promise<boolean>;
}

/** Stands for the hash of a name that is unknown. */
const NOBODY = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const COST_MAX = 14;

/**
 * Reads the file's text.
 *
 * @param check default: on this thread.
 * @returns `serve-htpasswd-invalid` for each line that cannot be used.
 */
export function parseHtpasswd(
  file: string,
  text: string,
  check: PasswordCheck = isPassword,
): Result<PasswordFile, readonly Problem[]> {
  const hashes = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const colon = trimmed.indexOf(":");
    const name = trimmed.slice(0, Math.max(0, colon));
    const hash = trimmed.slice(colon + 1);
    const wrong = colon < 1 ? "has no name and hash" : hashes.has(name) ? `names ${name} again` : refusal(name, hash);
    if (wrong === undefined) hashes.set(name, hash);
    else {
      const next = "Make the line anew with `htpasswd -B`.";
      // Without the line's text: it has the hash.
      const where = { file, line: index + 1 };
      problems.push(problem("serve-htpasswd-invalid", `line ${index + 1} of ${file} ${wrong}`, { where, next }));
    }
  }
  if (problems.length > 0) return err(problems);
  return ok({
    has: (name) => hashes.has(name),
    names: [...hashes.keys()],
    verify: async (name, password) => {
      const hash = hashes.get(name);
      const isRight = await check(password, hash ?? NOBODY);
      return isRight && hash !== undefined;
    },
  });
}

function refusal(name: string, hash: string): string | undefined {
  const bcrypt = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash);
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1]);
    return cost >= 4 && cost <= COST_MAX
      ? undefined
      : `has a bcrypt cost of ${cost} for ${name}; 4 to ${COST_MAX} work`;
  }
  if (/^\{SHA\}[A-Za-z0-9+/]{27}=$/.test(hash)) return undefined;
  if (/^\$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}$/.test(hash)) return undefined;
  const kind = /^\$5\$/.test(hash)
    ? "SHA-256 crypt"
    : /^\$6\$/.test(hash)
      ? "SHA-512 crypt"
      : /^\$1\$/.test(hash)
        ? "MD5 crypt"
        : /^\{SSHA\}/.test(hash)
          ? "salted SHA"
          : "plain text, DES crypt or an unknown kind";
  return `has a hash of a kind that is not taken (${kind}) for ${name}; bcrypt, {SHA} and apr1 are`;
}
