/**
 * Who calls: from a header and a connection to a subject.
 *
 * Owns:      the order in which proofs count, and what is remembered of those that were good.
 * Never:     puts a credential, or a part of one, into a message.
 * Invariant: a credential that is given and is no good is refused; it never falls back to being nobody. Only where no
 *            credential could be good, because none is set up, are they not looked at: Turborepo and Nx always send one.
 */
import { createHash } from "node:crypto";
import type { Clock, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { Peer } from "../grpc/index.ts";
import type { PasswordFile } from "./htpasswd.ts";
import type { TokenVerifier } from "./json-web-token.ts";
import { PasswordLine } from "./password-line.ts";
import type { Subject } from "./subject.ts";
import { ANONYMOUS_SUBJECT, LOCAL_SUBJECT } from "./subject.ts";
import type { TokenList } from "./token.ts";

/** Why a caller is refused. `overloaded`: it may be right, and should ask again. */
export interface AuthenticationRefusal {
  readonly because: "invalid" | "overloaded";
  /** For the caller; without its credential. */
  readonly message: string;
}

/** What an authenticator knows. */
export interface Credentials {
  readonly tokens: TokenList;
  readonly passwords: PasswordFile | undefined;
  readonly jwt: TokenVerifier;
}

type Outcome = Result<Subject, AuthenticationRefusal>;

const REMEMBERED_MAX = 10_000;
const PASSWORD_KEPT_MS = 300_000;

/** Finds out who calls. */
export class Authenticator {
  #credentials: Credentials;
  readonly #clock: Clock;
  /** Subjects of certificates, by fingerprint; of passwords and signed tokens, by the hash of the header. */
  readonly #remembered = new Map<string, { readonly subject: Subject; readonly untilMs: number }>();
  readonly #line: PasswordLine;
  /** Checks that wait or run, by the key of what they check: who shows the same waits for the same. */
  readonly #checks = new Map<string, Promise<Outcome>>();

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#line = new PasswordLine(clock);
  }

  /**
   * @param authorization the header, `undefined` when there is none.
   * @returns at once, but for passwords that were not checked lately.
   */
  authenticate(authorization: string | undefined, peer: Peer): Outcome | Promise<Outcome> {
    if (authorization === undefined || authorization === "" || this.#knowsNone) return ok(this.#ofConnection(peer));
    const match = /^(\S+) +(\S+)$/.exec(authorization.trim());
    const scheme = match?.[1]?.toLowerCase();
    if (scheme === "bearer") return this.#bearer(match![2]!);
    if (scheme === "basic") return this.#basic(match![2]!, peer);
    return invalid("the authorization header is neither Bearer nor Basic");
  }

  /** Knows from now on what the other one knows, and forgets whom it let in before. */
  adopt(other: Authenticator): void {
    this.#credentials = other.#credentials;
    this.#remembered.clear();
  }

  get #knowsNone(): boolean {
    const { tokens, passwords, jwt } = this.#credentials;
    return tokens.isEmpty && passwords === undefined && jwt.isEmpty;
  }

  #ofConnection(peer: Peer): Subject {
    const { certificate } = peer;
    if (certificate === undefined) return peer.transport === "unix" ? LOCAL_SUBJECT : ANONYMOUS_SUBJECT;
    const key = `cert ${certificate.fingerprint}`;
    const known = this.#recall(key);
    if (known !== undefined) return known;
    const { commonName, subject, alternativeNames, fingerprint } = certificate;
    const claims = { subject, fingerprint, names: alternativeNames };
    return this.#remember(key, { name: `cert:${commonName}`, claims }, Number.POSITIVE_INFINITY);
  }

  #bearer(token: string): Outcome {
    const { tokens, jwt } = this.#credentials;
    const known = tokens.find(token, this.#clock.nowMs());
    if (known === "expired") return invalid("the token has expired");
    if (known !== "unknown") return ok(known);
    if (jwt.isEmpty || token.split(".").length !== 3) return invalid("the token is not known here");
    const key = credentialKey("jwt", token);
    const before = this.#recall(key);
    if (before !== undefined) return ok(before);
    const verified = jwt.verify(token, this.#clock.nowMs());
    if (!verified.ok) return invalid(`the token is refused: ${verified.problem}`);
    return ok(this.#remember(key, verified.value.subject, verified.value.expiresAtMs));
  }

  #basic(encoded: string, peer: Peer): Outcome | Promise<Outcome> {
    const text = Buffer.from(encoded, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon === -1) return invalid("the authorization header is no name and password");
    const password = text.slice(colon + 1);
    const { passwords, tokens } = this.#credentials;
    const name = text.slice(0, colon);
    // Tools that know names and passwords only carry a token as the password.
    const token = tokens.find(password, this.#clock.nowMs());
    if (typeof token === "object") return ok(token);
    const key = credentialKey("basic", encoded);
    const known = this.#recall(key);
    if (known !== undefined) return ok(known);
    if (passwords === undefined) return invalid("the name and password are not known here");
    const underWay = this.#checks.get(key);
    if (underWay !== undefined) return underWay;
    const check = this.#line.enter(peer, () => this.#checkPassword(passwords, { key, name, password }));
    if (check === undefined) {
      return err({ because: "overloaded", message: "too many passwords wait to be checked; try again" });
    }
    const counted = check.finally(() => this.#checks.delete(key));
    this.#checks.set(key, counted);
    return counted;
  }

  async #checkPassword(
    passwords: PasswordFile,
    { key, name, password }: { readonly key: string; readonly name: string; readonly password: string },
  ): Promise<Outcome> {
    const isRight = await passwords.verify(name, password);
    // Checked against a file that is not in force any more.
    if (this.#credentials.passwords !== passwords) return this.#basicAnew(name, password);
    if (!isRight) return invalid("the name and password are not known here");
    return ok(this.#remember(key, { name: `user:${name}`, claims: {} }, this.#clock.nowMs() + PASSWORD_KEPT_MS));
  }

  /** In its place in the row of checks: it does not wait for others again. */
  async #basicAnew(name: string, password: string): Promise<Outcome> {
    const isRight = await this.#credentials.passwords?.verify(name, password);
    if (isRight !== true) return invalid("the name and password are not known here");
    return ok({ name: `user:${name}`, claims: {} });
  }

  #recall(key: string): Subject | undefined {
    const known = this.#remembered.get(key);
    if (known === undefined) return undefined;
    if (known.untilMs > this.#clock.nowMs()) return known.subject;
    this.#remembered.delete(key);
    return undefined;
  }

  #remember(key: string, subject: Subject, untilMs: number): Subject {
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(key, { subject, untilMs });
    return subject;
  }
}

function credentialKey(kind: string, credential: string): string {
  return `${kind} ${createHash("sha256").update(credential).digest("base64")}`;
}

function invalid(message: string): Outcome {
  return err({ because: "invalid", message });
}
