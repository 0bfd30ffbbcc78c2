/**
 * Makes a server's access from its configuration.
 *
 * Owns:      reading the files that the section names, and refusing a server that a network could use unasked.
 * Invariant: a server without authentication is reached by this machine only, unless its owner said otherwise.
 */
import type { Clock, FileSystem, Problem, Result } from "@kahn/core";
import { closestName, err, ok, problem, warning } from "@kahn/core";
import { didYouMean, namedSubjects } from "../operation/config-meaning.ts";
import type { AccessSettings, IssuerSettings } from "../operation/server-settings.ts";
import type { ListenAddress } from "../port/index.ts";
import { Authenticator } from "./authenticator.ts";
import type { PasswordFile } from "./htpasswd.ts";
import { parseHtpasswd } from "./htpasswd.ts";
import type { KeySet } from "./json-web-token.ts";
import { parseKeySet, TokenVerifier } from "./json-web-token.ts";
import type { PasswordCheck } from "./password-hash.ts";
import type { Strangers } from "./policy.ts";
import { letsStrangersWrite, Policy, strangersMay } from "./policy.ts";
import { Quotas } from "./quotas.ts";
import { resultSigner, resultVerifier, trustedKey } from "./result-signature.ts";
import type { SigningOptions } from "./signed-actions.ts";
import { TokenList } from "./token.ts";

/** What access is made from. */
export interface AccessOptions {
  readonly settings: AccessSettings;
  /** Whether certificates of clients are asked for. */
  readonly clientCertificate: "none" | "verify-if-given" | "require";
  readonly isEncrypted: boolean;
  readonly addresses: readonly ListenAddress[];
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** Makes a path of the configuration absolute. */
  readonly resolvePath: (path: string) => string;
  /** Default: on this thread. */
  readonly checkPassword?: PasswordCheck | undefined;
}

/** What access was made from, in numbers, to be told. */
export interface AccessFacts {
  readonly strangers: Strangers;
  readonly tokens: number;
  /** In the file of passwords. */
  readonly users: number;
  readonly issuers: number;
  readonly rules: number;
  readonly quotas: number;
}

/** Who may come, who may do what, and how much. */
export interface ServerAccess {
  readonly facts: AccessFacts;
  readonly authenticator: Authenticator;
  readonly policy: Policy;
  readonly quotas: Quotas;
  readonly signing: SigningOptions;
  readonly warnings: readonly Problem[];
}

/** Reads credentials and rules. @returns every problem at once. */
export function openAccess(options: AccessOptions): Result<ServerAccess, readonly Problem[]> {
  const { settings, clock } = options;
  const problems: Problem[] = [];
  const passwords = passwordsOf(options, problems);
  if (passwords !== undefined) problems.push(...unknownUsers(settings, passwords));
  const issuers = settings.issuers.flatMap((issuer) => issuerOf(options, issuer, problems));
  const signing = signingOf(options, problems);
  const tokens = new TokenList(settings.tokens);
  const jwt = new TokenVerifier(issuers);
  const hasAuthentication =
    settings.tokens.length > 0 ||
    settings.htpasswd !== undefined ||
    settings.issuers.length > 0 ||
    options.clientCertificate !== "none";
  const anonymous = settings.anonymous ?? (hasAuthentication || settings.rules.length > 0 ? "none" : "all");
  const isOpen = anonymous === "all" || letsStrangersWrite(settings.rules);
  const open = options.addresses.filter((address) => !isOfThisMachine(address));
  if (isOpen && open.length > 0 && !settings.insecure) problems.push(openToNetwork(open));
  if (problems.length > 0) return err(problems);
  const isReadable = hasAuthentication && !options.isEncrypted && open.length > 0;
  const { rules, quotas } = settings;
  return ok({
    facts: {
      strangers: strangersMay({ rules, anonymous }),
      ...{ tokens: settings.tokens.length, users: passwords?.names.length ?? 0, issuers: issuers.length },
      ...{ rules: rules.length, quotas: quotas.length },
    },
    authenticator: new Authenticator({ tokens, passwords, jwt }, clock),
    policy: new Policy({ rules, anonymous }),
    quotas: new Quotas(quotas, clock),
    signing,
    warnings: [...(isReadable ? [readableCredentials(open)] : []), ...expiredTokens(settings, clock)],
  });
}

/** Makes what is in force decide as the other one does; signatures stay as they were. */
export function replaceAccess(inForce: ServerAccess, next: ServerAccess): void {
  inForce.authenticator.adopt(next.authenticator);
  inForce.policy.adopt(next.policy);
  inForce.quotas.adopt(next.quotas);
}

/** True for an address that only processes of this machine can reach. */
export function isOfThisMachine(address: ListenAddress): boolean {
  if (address.kind === "unix") return true;
  return address.host === "localhost" || address.host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address.host);
}

function passwordsOf(options: AccessOptions, problems: Problem[]): PasswordFile | undefined {
  const { htpasswd } = options.settings;
  const text = htpasswd === undefined ? undefined : readText(options, htpasswd, problems);
  if (htpasswd === undefined || text === undefined) return undefined;
  const parsed = parseHtpasswd(htpasswd, text, options.checkPassword);
  if (parsed.ok) return parsed.value;
  problems.push(...parsed.problem);
  return undefined;
}

/** Users whom rules or quotas name, and who are not in the file. */
function unknownUsers(settings: AccessSettings, passwords: PasswordFile): readonly Problem[] {
  const known = passwords.names.map((name) => `user:${name}`);
  return namedSubjects(settings).flatMap(([[, list, index], who]) => {
    if (!who.startsWith("user:") || who.includes("*") || known.includes(who)) return [];
    const message = `access.${list}[${index}].who names ${who}, who is not in ${settings.htpasswd}`;
    const next = didYouMean(closestName(who, known), "Add the user with `htpasswd -B`, or remove the name.");
    return [problem("serve-config-value", message, { next })];
  });
}

function expiredTokens({ tokens }: AccessSettings, clock: Clock): readonly Problem[] {
  const nowMs = clock.nowMs();
  return tokens.flatMap(({ name, expires = Number.POSITIVE_INFINITY }) => {
    if (nowMs < expires) return [];
    const message = `the token ${name} expired on ${new Date(expires).toISOString()}: calls with it are refused`;
    const next = "Make another with `kahn serve-token`, or remove it.";
    return [warning("serve-token-expired", message, { next })];
  });
}

function issuerOf(
  options: AccessOptions,
  issuer: IssuerSettings,
  problems: Problem[],
): readonly (readonly [IssuerSettings, KeySet])[] {
  const text = readText(options, issuer.jwks, problems);
  if (text === undefined) return [];
  const keys = parseKeySet(issuer.jwks, text);
  if (keys.ok) return [[issuer, keys.value]];
  problems.push(keys.problem);
  return [];
}

function signingOf(options: AccessOptions, problems: Problem[]): SigningOptions {
  const { signingKey, trustedKeys } = options.settings;
  const read = <T>(file: string, parse: (file: string, pem: string) => Result<T, Problem>): readonly T[] => {
    const pem = readText(options, file, problems);
    const parsed = pem === undefined ? undefined : parse(file, pem);
    if (parsed?.ok === false) problems.push(parsed.problem);
    return parsed?.ok === true ? [parsed.value] : [];
  };
  const signer = signingKey === undefined ? undefined : read(signingKey, resultSigner)[0];
  const trusted = trustedKeys.flatMap((file) => read(file, trustedKey));
  const own = signer === undefined ? [] : [signer.publicKey];
  return { signer, verifier: trustedKeys.length === 0 ? undefined : resultVerifier([...trusted, ...own]) };
}

/** A file that the configuration names; `undefined` after a `serve-file-unreadable`. */
export function readText(
  { fs, resolvePath }: Pick<AccessOptions, "fs" | "resolvePath">,
  path: string,
  problems: Problem[],
): string | undefined {
  const from = resolvePath(path);
  const unreadable = (why: string): undefined => {
    const next = "Name a file that this user may read.";
    problems.push(problem("serve-file-unreadable", `${from} ${why}`, { where: { file: path }, next }));
  };
  try {
    const bytes = fs.readFile(from);
    return bytes === undefined ? unreadable("is not there") : new TextDecoder().decode(bytes);
  } catch (error) {
    return unreadable(`cannot be read: ${(error as Error).message}`);
  }
}

function names(addresses: readonly ListenAddress[]): string {
  return addresses.map((each) => (each.kind === "unix" ? each.path : `${each.host}:${each.port}`)).join(", ");
}

function openToNetwork(addresses: readonly ListenAddress[]): Problem {
  const message = `${names(addresses)} can be reached from a network, and everybody there could write and run anything`;
  const next = "Set up access.tokens (or certificates, or issuers), listen on 127.0.0.1, or set access.insecure.";
  return problem("serve-open-to-network", message, { next });
}

function readableCredentials(addresses: readonly ListenAddress[]): Problem {
  const message = `credentials are sent to ${names(addresses)} without encryption`;
  return warning("serve-plaintext-credentials", message, { next: "Set tls, or put a proxy with TLS in front." });
}
