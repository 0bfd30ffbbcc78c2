/**
 * Whether a password is the one of a hash.
 *
 * Owns:   bcrypt, `{SHA}` and apr1.
 * Never:  needs anything but Node and a library: it is also the whole of a thread of its own.
 * Source: Apache's "Password Formats"; apr1 is its variant of MD5 crypt.
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** Answers whether a password is the one of a hash, in a form that `parseHtpasswd` takes. */
export type PasswordCheck = (password: string, hash: string) => Promise<boolean>;

/** The check, on this thread: bcrypt keeps it from everything else, for tens of milliseconds at a cost of 10. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
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
