/** Credentials: what is taken, what is refused, and that nothing of them is ever said again. */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { seededRandom, settled, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { type Peer, UNKNOWN_PEER } from "../grpc/index.ts";
import type { IssuerSettings } from "../operation/server-settings.ts";
import { Authenticator } from "./authenticator.ts";
import { type PasswordFile, parseHtpasswd } from "./htpasswd.ts";
import { parseKeySet, TokenVerifier } from "./json-web-token.ts";
import { apr1 } from "./password-hash.ts";
import { newToken, TokenList } from "./token.ts";

const NOW_MS = 1_800_000_000_000;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ed25519");

const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: "jwk" }), kid });
const KEYS = JSON.stringify({
  keys: [jwk(rsa.publicKey, "rsa"), jwk(ec.publicKey, "ec"), jwk(ed.publicKey, "ed"), { kty: "oct", k: "c2VjcmV0" }],
});
const ISSUER: IssuerSettings = {
  ...{ name: "github", issuer: "https://issuer.example", audience: ["kahn"], jwks: "keys.json" },
  claims: { repository: ["acme/*"] },
};
const CLAIMS = {
  ...{ iss: "https://issuer.example", aud: ["x", "kahn"], sub: "repo:acme/app:ref:refs/heads/main" },
  ...{ exp: NOW_MS / 1000 + 600, nbf: NOW_MS / 1000 - 10, repository: "acme/app", ref: "refs/heads/main" },
};

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(alg: "RS256" | "ES256" | "EdDSA" | "none" | "HS256", claims: object, header: object = {}): string {
  const kid = { RS256: "rsa", ES256: "ec", EdDSA: "ed", none: "ed", HS256: "rsa" }[alg];
  const signed = `${part({ alg, kid, ...header })}.${part(claims)}`;
  const bytes = Buffer.from(signed);
  const signatures = {
    RS256: () => sign("sha256", bytes, rsa.privateKey),
    ES256: () => sign("sha256", bytes, { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
    EdDSA: () => sign(null, bytes, ed.privateKey),
    none: () => Buffer.alloc(0),
    HS256: () =>
      createHmac("sha256", rsa.publicKey.export({ type: "spki", format: "pem" }))
        .update(bytes)
        .digest(),
  };
  return `${signed}.${signatures[alg]().toString("base64url")}`;
}

function verifier(): TokenVerifier {
  const keys = parseKeySet("keys.json", KEYS);
  assert.ok(keys.ok);
  assert.equal(keys.value.length, 3);
  return new TokenVerifier([[ISSUER, keys.value]]);
}

const HTPASSWD = [
  `apr:$apr1$saltsalt$${apr1("open sesame", "saltsalt")}`,
  "sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
  "# bcrypt of `correct horse`, cost 4, made by another implementation",
].join("\n");

function authenticator(clock = virtualClock(NOW_MS), htpasswd = HTPASSWD, tokens = new TokenList([])): Authenticator {
  const passwords = parseHtpasswd("users", htpasswd);
  assert.ok(passwords.ok, JSON.stringify(passwords));
  return new Authenticator({ tokens, passwords: passwords.value, jwt: verifier() }, clock);
}

const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

test("a token is known by its hash until it expires", async () => {
  const clock = virtualClock(NOW_MS);
  const { token: secret, hash } = newToken(seededRandom(1));
  assert.match(secret, /^kahn_[\w-]{43}$/);
  const list = new TokenList([{ name: "ci", hash, claims: { team: "core" }, expires: NOW_MS + 1000 }]);
  const it = authenticator(clock, "", list);
  const known = await it.authenticate(`Bearer ${secret}`, UNKNOWN_PEER);
  assert.deepEqual(known, { ok: true, value: { name: "token:ci", claims: { team: "core" } } });
  assert.deepEqual(await it.authenticate(basic("anything", secret), UNKNOWN_PEER), known);
  for (const wrong of [`${secret}x`, secret.slice(0, -1), hash, hash.slice(7)]) {
    assert.equal((await it.authenticate(`Bearer ${wrong}`, UNKNOWN_PEER)).ok, false, wrong);
  }
  clock.advance(1000);
  const late = await it.authenticate(`Bearer ${secret}`, UNKNOWN_PEER);
  assert.deepEqual(late, { ok: false, problem: { because: "invalid", message: "the token has expired" } });
});

test("tokens of an issuer are taken in each algorithm, and refused for each thing that can be wrong", () => {
  const it = verifier();
  for (const alg of ["RS256", "ES256", "EdDSA"] as const) {
    const verified = it.verify(token(alg, CLAIMS), NOW_MS);
    assert.ok(verified.ok, JSON.stringify(verified));
    assert.equal(verified.value.subject.name, "jwt:github/repo:acme/app:ref:refs/heads/main");
    assert.equal(verified.value.subject.claims.ref, "refs/heads/main");
  }
  const refused: readonly (readonly [string, string])[] = [
    [token("none", CLAIMS), "its signature is wrong"],
    // The key as a shared secret: the classic.
    [token("HS256", CLAIMS), "its signature is wrong"],
    [token("EdDSA", CLAIMS, { alg: "RS256" }), "its signature is wrong"],
    [token("EdDSA", CLAIMS, { kid: "rsa" }), "its signature is wrong"],
    [token("EdDSA", CLAIMS, { crit: ["b64"] }), "it demands extensions that are unknown here"],
    [token("EdDSA", { ...CLAIMS, iss: "https://evil.example" }), "its issuer is not trusted here"],
    [token("EdDSA", { ...CLAIMS, aud: "other" }), "it is for another audience"],
    [token("EdDSA", { ...CLAIMS, exp: undefined }), "it never expires"],
    [token("EdDSA", { ...CLAIMS, exp: NOW_MS / 1000 - 61 }), "it has expired"],
    [token("EdDSA", { ...CLAIMS, nbf: NOW_MS / 1000 + 61 }), "it is not good yet"],
    [token("EdDSA", { ...CLAIMS, sub: "" }), "it has no subject"],
    [token("EdDSA", { ...CLAIMS, repository: "evil/app" }), "it lacks claims that are demanded here"],
    ["a.b.c", "it is no JSON Web Token"],
    [token("EdDSA", CLAIMS).replace(/\.[^.]*$/, ""), "it is no JSON Web Token"],
  ];
  for (const [text, why] of refused) assert.deepEqual(it.verify(text, NOW_MS), { ok: false, problem: why });
  const [head, , tail] = token("EdDSA", CLAIMS).split(".");
  const forged = `${head}.${part({ ...CLAIMS, ref: "refs/heads/evil" })}.${tail}`;
  assert.deepEqual(it.verify(forged, NOW_MS), { ok: false, problem: "its signature is wrong" });
  const strange = parseKeySet("keys.json", JSON.stringify({ keys: [jwk(other.publicKey, "ed")] }));
  assert.ok(strange.ok);
  const wrongKeys = new TokenVerifier([[ISSUER, strange.value]]);
  assert.equal(wrongKeys.verify(token("EdDSA", CLAIMS), NOW_MS).ok, false);
});

test("no text is taken for a token, and none makes the verifier throw", () => {
  const it = verifier();
  const json = fc.oneof(fc.json(), fc.string());
  const encoded = fc
    .tuple(json, json, fc.string())
    .map((parts) => parts.map((each) => Buffer.from(each).toString("base64url")).join("."));
  fc.assert(fc.property(fc.oneof(fc.string(), encoded), (text) => assert.equal(it.verify(text, NOW_MS).ok, false)));
});

test("a verified token is remembered no longer than it is good", async () => {
  const clock = virtualClock(NOW_MS);
  const it = authenticator(clock);
  const header = `Bearer ${token("ES256", CLAIMS)}`;
  assert.ok((await it.authenticate(header, UNKNOWN_PEER)).ok);
  clock.advance(600_000 + 60_000 - 1);
  assert.ok((await it.authenticate(header, UNKNOWN_PEER)).ok);
  clock.advance(1);
  assert.equal((await it.authenticate(header, UNKNOWN_PEER)).ok, false);
});

test("passwords are checked against each kind of hash; other kinds are refused with their line and kind", async () => {
  const { bcrypt } = await import("hash-wasm");
  const salt = new Uint8Array(16).fill(7);
  const hash = await bcrypt({ password: "correct horse", salt, costFactor: 4, outputType: "encoded" });
  const it = authenticator(virtualClock(NOW_MS), `${HTPASSWD}\nbc:${hash.replace("$2a$", "$2y$")}\n`);
  const ask = async (name: string, password: string) => (await it.authenticate(basic(name, password), UNKNOWN_PEER)).ok;
  assert.deepEqual(
    [await ask("apr", "open sesame"), await ask("sha", "password"), await ask("bc", "correct horse")],
    [true, true, true],
  );
  assert.deepEqual(await it.authenticate(basic("apr", "open sesame"), UNKNOWN_PEER), {
    ok: true,
    value: { name: "user:apr", claims: {} },
  });
  for (const [name, password] of [
    ["apr", "x"],
    ["bc", ""],
    ["bc", "correct"],
    ["nobody", "correct horse"],
    ["", ""],
  ]) {
    assert.equal(await ask(name!, password!), false);
  }
  const refused = parseHtpasswd("users", `a:plain\nb:$6$x$y\nc:{SSHA}abc\nnothing\nd:$2y$20$${"a".repeat(53)}`);
  assert.ok(!refused.ok);
  assert.deepEqual(
    refused.problem.map(({ code, where }) => [code, where?.line]),
    [1, 2, 3, 4, 5].map((line) => ["serve-htpasswd-invalid", line]),
  );
  assert.match(refused.problem[1]!.message, /SHA-512 crypt\) for b/);
});

// Source: `openssl passwd -apr1 -salt` and `htpasswd -s`.
test("apr1 and SHA are those of Apache", async () => {
  assert.equal(apr1("myPassword", "qHDFfhPC"), "nITSVHgYbDAK1Y0acGRnY0");
  const parsed = parseHtpasswd("users", "u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=");
  assert.ok(parsed.ok && (await parsed.value.verify("u", "password")) === true);
});

test("a credential that is no good never falls back to being nobody, and no refusal repeats it", async () => {
  const it = authenticator();
  const secrets = ["Bearer s3cret-token", basic("ann", "s3cret"), "Digest s3cret", "s3cret", "Basic ???s3cret"];
  for (const header of secrets) {
    const refused = await it.authenticate(header, UNKNOWN_PEER);
    assert.ok(!refused.ok, header);
    assert.ok(!refused.problem.message.includes("s3cret"));
    assert.equal(refused.problem.because, "invalid");
  }
});

test("without a credential the connection tells: a certificate, the Unix socket, or nobody", async () => {
  const it = authenticator();
  const names = ["DNS:ci.example", "URI:spiffe://kahn/ci"];
  const certificate = { commonName: "ci", subject: "O=Kahn, CN=ci", alternativeNames: names, fingerprint: "ab" };
  const name = async (peer: Peer) => {
    const outcome = await it.authenticate(undefined, peer);
    return outcome.ok ? [outcome.value.name, outcome.value.claims] : outcome;
  };
  const local: Peer = { name: "unix", address: undefined, transport: "unix", isEncrypted: false };
  assert.deepEqual(await name(UNKNOWN_PEER), ["anonymous", {}]);
  assert.deepEqual(await name(local), ["local", {}]);
  const claims = { subject: "O=Kahn, CN=ci", fingerprint: "ab", names };
  assert.deepEqual(await name({ ...UNKNOWN_PEER, isEncrypted: true, certificate }), ["cert:ci", claims]);
});

const peerOf = (address: string): Peer => ({ ...UNKNOWN_PEER, address });

test("passwords wait in a line of bounded length, for each peer and in all", async () => {
  const it = authenticator();
  const flood = (count: number, address: (index: number) => string) =>
    Array.from({ length: count }, (_, index) =>
      it.authenticate(basic("apr", `${address(index)} wrong ${index}`), peerOf(address(index))),
    );
  // The first of all is being checked, and waits no more.
  const answers = [
    flood(20, () => "10.0.0.1"),
    flood(20, (each) => `2001:db8::${each}`),
    flood(80, (each) => `10.1.0.${each}`),
  ];
  const counts = (await Promise.all(answers.map((each) => Promise.all(each)))).map(
    (each) => each.filter((outcome) => !outcome.ok && outcome.problem.because === "overloaded").length,
  );
  assert.deepEqual(counts, [3, 4, 80 - (64 - 33)]);
  assert.ok((await it.authenticate(basic("apr", "open sesame"), UNKNOWN_PEER)).ok);
});

/** Passwords whose checks take a tenth of a second each. */
function slowPasswords(clock: ReturnType<typeof virtualClock>) {
  const checked: string[] = [];
  const passwords: PasswordFile = {
    has: () => true,
    names: [],
    verify: async (name, password) => {
      checked.push(`${name} ${password}`);
      clock.advance(100);
      return password === "right";
    },
  };
  const it = new Authenticator({ tokens: new TokenList([]), passwords, jwt: new TokenVerifier([]) }, clock);
  return { it, checked };
}

test("a flood of wrong passwords costs another peer one turn, and the processor a quarter of its time", async () => {
  const clock = virtualClock(NOW_MS);
  const { it, checked } = slowPasswords(clock);
  for (let each = 0; each < 15; each++) void it.authenticate(basic("eve", `guess ${each}`), peerOf("10.0.0.1"));
  const ann = it.authenticate(basic("ann", "right"), peerOf("10.0.0.2"));
  await settled();
  // The first took 100 ms, and the others wait for 300.
  clock.advance(299);
  await settled();
  assert.deepEqual(checked, ["eve guess 0"]);
  clock.advance(1);
  await settled();
  clock.advance(300);
  await settled();
  assert.deepEqual(checked, ["eve guess 0", "eve guess 1", "ann right"]);
  assert.ok((await ann).ok);
});

test("many who come at once with the same name and password wait for one check", async () => {
  const { it, checked } = slowPasswords(virtualClock(NOW_MS));
  const asked = Array.from({ length: 500 }, () => it.authenticate(basic("ci", "right"), UNKNOWN_PEER));
  assert.ok((await Promise.all(asked)).every(({ ok }) => ok));
  assert.deepEqual(checked, ["ci right"]);
});

test("where no credential could be good none is looked at: a token that a client must send does no harm", async () => {
  const verify = new TokenVerifier([]);
  const open = new Authenticator(
    { tokens: new TokenList([]), passwords: undefined, jwt: verify },
    virtualClock(NOW_MS),
  );
  for (const header of ["Bearer anything", "Basic Zm9vOmJhcg==", "Negotiate x", undefined]) {
    const outcome = await open.authenticate(header, UNKNOWN_PEER);
    assert.equal(outcome.ok && outcome.value.name, "anonymous");
  }
});
