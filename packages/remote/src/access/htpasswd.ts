/**
 * Names and passwords of an htpasswd file.
 *
 * Owns:      reading the file and checking a password against bcrypt, `{SHA}` and apr1 hashes.
 * Invariant: a file with a hash of any other kind is refused by name, so that nobody is locked out without a word.
 *            An unknown name costs as much time as a wrong password.
 * Source:    Apache's "Password Formats"; apr1 is its variant of MD5 crypt.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** Names with their hashes. */
export interface PasswordFile {
  has(name: string): boolean;
  readonly names: readonly string[];
  /** True for the right password. Bcrypt takes tens of milliseconds of the calling thread. */
  verify(name: string, password: string): Promise<boolean>;
}

/** Stands for the hash of a name that is unknown. */
const NOBODY = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const COST_MAX = 14;

/** Reads the file's text. @returns `serve-htpasswd-invalid` for each line that cannot be used. */
export function parseHtpasswd(file: string, text: string): Result<PasswordFile, readonly Problem[]> {
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
      const isRight = await matches(password, hash ?? NOBODY);
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

async function matches(password: string, hash: string): Promise<boolean> {
  if (hash.startsWith("{SHA}")) {
    const made = createHash("sha1").update(password, "utf8").digest();
    return timingSafeEqual(made, Buffer.from(hash.slice(5), "base64"));
  }
  if (hash.startsWith("$apr1$")) {
    const [, , salt = "", wanted = ""] = hash.split("$");
    return timingSafeEqual(Buffer.from(apr1(password, salt)), Buffer.from(wanted));
  }
  const { bcryptVerify } = await import("hash-wasm");
  // Longer ones cannot have been hashed: bcrypt takes 72 bytes.
  if (Buffer.byteLength(password) > 72 || password === "") return false;
  return bcryptVerify({ password, hash: hash.replace(/^\$2[by]\$/, "$2a$") });
}

const md5 = (...parts: readonly (Uint8Array | string)[]): Buffer => {
  const hasher = createHash("md5");
  for (const part of parts) hasher.update(part);
  return hasher.digest();
};

/** The hash part of an apr1 line. */
export function apr1(password: string, salt: string): string {
  const bytes = Buffer.from(password, "utf8");
  let inner = md5(bytes, salt, bytes);
  const parts: (Uint8Array | string)[] = [bytes, "$apr1$", salt];
  for (let left = bytes.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)));
  for (let bits = bytes.length; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? Buffer.from([0]) : bytes.subarray(0, 1));
  }
  inner = md5(...parts);
  for (let round = 0; round < 1000; round++) {
    const isOdd = (round & 1) === 1;
    const turn: (Uint8Array | string)[] = [isOdd ? bytes : inner];
    if (round % 3 !== 0) turn.push(salt);
    if (round % 7 !== 0) turn.push(bytes);
    turn.push(isOdd ? inner : bytes);
    inner = md5(...turn);
  }
  return encoded(inner);
}

const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function encoded(hash: Buffer): string {
  const groups: readonly (readonly [number, number, number])[] = [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ];
  let text = "";
  const put = (value: number, digits: number): void => {
    for (let rest = value, count = 0; count < digits; count++, rest >>= 6) text += DIGITS[rest & 63];
  };
  for (const [high, middle, low] of groups) put((hash[high]! << 16) | (hash[middle]! << 8) | hash[low]!, 4);
  put(hash[11]!, 2);
  return text;
}
