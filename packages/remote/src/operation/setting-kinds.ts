/**
 * Kinds of settings: what may be written, and what the program makes of it.
 *
 * Owns:      reading a value of any source, with its default and its unit, and saying what is wrong with it.
 * Never:     knows where a value was written, or which settings there are.
 * Invariant: a value for which nothing was reported has the kind's type; reading never throws.
 */
import { closestName, parseDurationMs, parseSizeBytes } from "@kahn/core";

/** Where a value stands in the configuration: keys and indexes from the top. */
export type SettingPath = readonly (string | number)[];

/** Hears what is wrong. */
export interface Reading {
  /** @param expected completes "must be …". */
  wrong(path: SettingPath, expected: string, received: unknown): void;
  /** A key that is none. @param closest of the known ones. */
  unknown(path: SettingPath, known: readonly string[], closest: string | undefined): void;
}

/** One kind of value. */
export interface Kind<Value> {
  /** Completes "must be …". */
  readonly expected: string;
  readonly description?: string;
  /** As it is written; for the reference. */
  readonly standard?: string;
  /** The value; what is wrong was reported, and what comes back then means nothing. */
  read(written: unknown, path: SettingPath, reading: Reading): Value;
  /** What an environment variable or an option of this text stands for; left out where neither can give one. */
  readonly fromText?: (text: string) => unknown;
  /** Of a section. */
  readonly entries?: Readonly<Record<string, Kind<unknown>>>;
  /** Of a list: the kind of each of its entries. */
  readonly item?: Kind<unknown>;
  /** Whether it may be left out although it has no default. */
  readonly need?: "optional";
}

/** The type of what a kind reads. */
export type ValueOf<K> = K extends Kind<infer Value> ? Value : never;

/** A kind of one value that has no parts. */
export function scalar<Value>(
  expected: string,
  take: (written: unknown) => Value | undefined,
  fromText: (text: string) => unknown = (text) => text,
): Kind<Value> {
  return {
    expected,
    fromText,
    read: (written, path, reading) => {
      const value = take(written);
      if (value === undefined) reading.wrong(path, expected, written);
      return value as Value;
    },
  };
}

/** Text that is not empty. */
export const text: Kind<string> = scalar("a text", (it) => (typeof it === "string" && it !== "" ? it : undefined));

/** True or false. */
export const flag: Kind<boolean> = scalar(
  "true or false",
  (it) => (typeof it === "boolean" ? it : undefined),
  (it) => (it === "true" || it === "1" ? true : it === "false" || it === "0" ? false : it),
);

/** A whole number of at least `least`. */
export function count(least = 0): Kind<number> {
  return scalar(
    `a whole number of ${least} or more`,
    (it) => (typeof it === "number" && Number.isSafeInteger(it) && it >= least ? it : undefined),
    (it) => (/^\d+$/.test(it) ? Number(it) : it),
  );
}

/** A part of the whole, from 0 to 1. */
export const ratio: Kind<number> = scalar(
  "a number from 0 to 1",
  (it) => (typeof it === "number" && it >= 0 && it <= 1 ? it : undefined),
  (it) => (/^\d*\.?\d+$/.test(it) ? Number(it) : it),
);

/** Bytes. */
export const size: Kind<number> = scalar('a size like "50GB", or a number of bytes', (it) =>
  typeof it === "string" || typeof it === "number" ? parseSizeBytes(it) : undefined,
);

/** Milliseconds. */
export const duration: Kind<number> = scalar('a duration like "30s", or milliseconds', (it) =>
  typeof it === "string" || typeof it === "number" ? parseDurationMs(it) : undefined,
);

/** One of a few words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Kind<Word> {
  const expected = words.map((word) => `"${word}"`).join(" or ");
  return scalar(expected, (it) => (words.includes(it as Word) ? (it as Word) : undefined));
}

/** A list; one value without brackets is a list of one. From text: separated by commas. */
export function listOf<Value>(item: Kind<Value>): Kind<readonly Value[]> {
  const fromText = item.fromText;
  return {
    expected: `a list, each ${item.expected}`,
    item,
    ...(fromText === undefined
      ? {}
      : { fromText: (it) => it.split(",").flatMap((each) => (each.trim() === "" ? [] : [fromText(each.trim())])) }),
    read: (written, path, reading) => {
      if (Array.isArray(written)) return written.map((each, index) => item.read(each, [...path, index], reading));
      return [item.read(written, path, reading)];
    },
  };
}

/** Names, freely chosen, with a value each. */
export function mapOf<Value>(member: Kind<Value>): Kind<Readonly<Record<string, Value>>> {
  const expected = `names, each with ${member.expected}`;
  return {
    expected,
    read: (written, path, reading) => {
      if (!isRecord(written)) {
        reading.wrong(path, expected, written);
        return {};
      }
      const read = Object.entries(written).map(([key, value]) => [key, member.read(value, [...path, key], reading)]);
      return Object.fromEntries(read) as Record<string, Value>;
    },
  };
}

/** An object with these keys and no others. */
export function section<Entries extends Readonly<Record<string, Kind<unknown>>>>(
  entries: Entries,
): Kind<{ readonly [Key in keyof Entries]: ValueOf<Entries[Key]> }> {
  const known = Object.keys(entries);
  return {
    expected: `an object with ${known.join(", ")}`,
    entries,
    read: (written, path, reading) => {
      const members = written === undefined || written === null ? {} : written;
      if (!isRecord(members)) {
        reading.wrong(path, `an object with ${known.join(", ")}`, written);
        return {} as { readonly [Key in keyof Entries]: ValueOf<Entries[Key]> };
      }
      for (const key of Object.keys(members)) {
        if (!Object.hasOwn(entries, key)) reading.unknown([...path, key], known, closestName(key, known));
      }
      const read = known.map((key) => [key, entries[key]!.read(members[key], [...path, key], reading)]);
      return Object.fromEntries(read) as { readonly [Key in keyof Entries]: ValueOf<Entries[Key]> };
    },
  };
}

/** What may be left out. */
export function optional<Value>(kind: Kind<Value>): Kind<Value | undefined> {
  return {
    ...kind,
    need: "optional",
    read: (written, path, reading) =>
      written === undefined || written === null ? undefined : kind.read(written, path, reading),
  };
}

/** What stands for something when it is left out. @param written the default as people would write it. */
export function standard<Value>(kind: Kind<Value>, written: unknown): Kind<Value> {
  return {
    ...kind,
    standard: typeof written === "string" ? written : JSON.stringify(written),
    read: (given, path, reading) => kind.read(given === undefined || given === null ? written : given, path, reading),
  };
}

/** With words for the reference. */
export function described<Value>(kind: Kind<Value>, description: string): Kind<Value> {
  return { ...kind, description };
}

/** True for an object that is neither a list nor `null`. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
