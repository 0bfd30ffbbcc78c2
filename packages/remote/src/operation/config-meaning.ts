/**
 * What values of a configuration must be together, when each is one that it may be.
 *
 * Owns:      rules and quotas that could never do anything, subjects that nobody can be, sizes that contradict each other.
 * Never:     reads a file: which users there are, `openAccess` knows.
 */
import { closestName } from "@kahn/core";
import type { AccessSettings, ServerConfig } from "./server-settings.ts";
import type { SettingPath } from "./setting-kinds.ts";

/** Hears of a value that means nothing. @param what follows the setting's name. */
export type Amiss = (path: SettingPath, what: string, next: string) => void;

/** Less than this keeps no result of a build. Bytes. */
const STORE_MIN_BYTES = 1e6;

/** Where subjects stand in a section `access`, each with its path from the top. */
export function namedSubjects({ rules, quotas }: AccessSettings): readonly (readonly [SettingPath, string])[] {
  const of = (list: string, entries: readonly { readonly who: readonly string[] }[]) =>
    entries.flatMap(({ who }, index) => who.map((name) => [["access", list, index, "who"], name] as const));
  return [...of("rules", rules), ...of("quotas", quotas)];
}

/** Completes "names …" for one of several that may be meant. */
export function didYouMean(closest: string | undefined, otherwise: string): string {
  return closest === undefined ? otherwise : `Did you mean ${closest}?`;
}

/** Looks at who is named, and what for. @param config with a section `access` of the right form. */
export function checkAccess(config: ServerConfig, amiss: Amiss): void {
  const { access } = config;
  for (const [index, { who, instances, allow }] of access.rules.entries()) {
    const path = ["access", "rules", index] as const;
    if (allow.length === 0)
      amiss(path, "allows nothing", 'Write what they may do, such as "allow: read", or remove it.');
    if (who.length === 0) amiss(path, "is for nobody", 'Write for whom, such as "who: token:ci", or remove it.');
    if (instances.length === 0) amiss(path, "is for no instance", "Leave instances out: then it is for all.");
  }
  for (const [index, { who, bytesPerDay, executions }] of access.quotas.entries()) {
    const path = ["access", "quotas", index] as const;
    const next = "Write bytesPerDay or executions, or remove it.";
    if (bytesPerDay === undefined && executions === undefined) amiss(path, "bounds nothing", next);
    if (who.length === 0) amiss(path, "is for nobody", 'Write for whom, such as "who: token:*", or remove it.');
  }
  for (const [path, name] of namedSubjects(access)) {
    const trouble = subjectTrouble(config, name);
    if (trouble !== undefined) amiss(path, `names ${name}, ${trouble.what}`, trouble.next);
  }
}

/** Looks at sizes. @param config with a section `store` of the right form. @param written the section as it was written. */
export function checkStore({ store }: ServerConfig, written: { readonly maxBlob?: unknown }, amiss: Amiss): void {
  if (store.maxSize < STORE_MIN_BYTES) {
    amiss(["store", "maxSize"], "is less than 1 MB", 'Write a size with its unit, such as "50GB".');
  } else if (written.maxBlob !== undefined && written.maxBlob !== null && store.maxSize < store.maxBlob) {
    amiss(["store", "maxSize"], "is less than store.maxBlob", "Make the store larger, or leave maxBlob out.");
  }
}

interface Trouble {
  readonly what: string;
  readonly next: string;
}

const KINDS = ["token:", "user:", "cert:", "jwt:"] as const;
const PLAIN = ["anonymous", "local"] as const;

/** Why nobody can be this subject; `undefined` for one that somebody may be. */
function subjectTrouble(config: ServerConfig, written: string): Trouble | undefined {
  const star = written.indexOf("*");
  const fixed = star === -1 ? written : written.slice(0, star);
  const kind = KINDS.find((each) => fixed.startsWith(each));
  if (kind !== undefined)
    return memberTrouble(config, { kind, member: fixed.slice(kind.length), isWhole: star === -1 });
  // A star so early that a kind can still follow.
  if (star !== -1 && [...KINDS, ...PLAIN].some((each) => each.startsWith(fixed))) return undefined;
  if (PLAIN.some((each) => each === written)) return undefined;
  const { tokens, issuers } = config.access;
  const known = [...tokens.map(({ name }) => `token:${name}`), ...issuers.map(({ name }) => `jwt:${name}/*`), ...PLAIN];
  const colon = written.indexOf(":");
  const closestKind = colon === -1 ? undefined : closestName(written.slice(0, colon + 1), KINDS);
  const closest =
    known.find((each) => each === `token:${written}`) ??
    closestName(written, known) ??
    (closestKind === undefined ? undefined : `${closestKind}${written.slice(colon + 1)}`);
  const next =
    "Write token:NAME, user:NAME, cert:NAME, jwt:ISSUER/SUBJECT, local, anonymous, or * for all who are known.";
  return { what: "which is no kind of subject", next: didYouMean(closest, next) };
}

interface Member {
  readonly kind: (typeof KINDS)[number];
  /** What is fixed of the name. */
  readonly member: string;
  /** False before a star. */
  readonly isWhole: boolean;
}

function memberTrouble({ access, tls }: ServerConfig, { kind, member, isWhole }: Member): Trouble | undefined {
  const has = { "token:": access.tokens.length > 0, "user:": access.htpasswd !== undefined };
  switch (kind) {
    case "token:": {
      const names = access.tokens.map(({ name }) => name);
      if (!has[kind]) return { what: "and there are no tokens", next: "Make one with `kahn serve-token`." };
      if (!isWhole || names.includes(member)) return undefined;
      const closest = closestName(
        `token:${member}`,
        names.map((name) => `token:${name}`),
      );
      return {
        what: "which is in no entry of access.tokens",
        next: didYouMean(closest, `Known are ${names.join(", ")}.`),
      };
    }
    case "user:":
      return has[kind] ? undefined : { what: "and there are no users", next: "Name their file in access.htpasswd." };
    case "cert:":
      if (tls !== undefined && tls.clientCertificate !== "none") return undefined;
      return { what: "and nobody is asked for a certificate", next: "Set tls.clientCertificate." };
    case "jwt:": {
      const names = access.issuers.map(({ name }) => name);
      if (names.length === 0) return { what: "and there are no issuers", next: "Write one into access.issuers." };
      const slash = member.indexOf("/");
      if (slash === -1 && !isWhole) return undefined;
      const issuer = slash === -1 ? member : member.slice(0, slash);
      if (slash !== -1 && names.includes(issuer)) return undefined;
      const closest = names.includes(issuer) ? issuer : closestName(issuer, names);
      const meant = closest === undefined ? undefined : `jwt:${closest}${slash === -1 ? "/*" : member.slice(slash)}`;
      const next = didYouMean(meant, `Known issuers are ${names.join(", ")}.`);
      return { what: "which is of no entry of access.issuers", next };
    }
  }
}
