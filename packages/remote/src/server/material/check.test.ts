/** What `kahn serve --check` finds: meanings, places, files, all in one round. */
import assert from "node:assert/strict";
import type { Problem } from "@kahn/core";
import { memoryFileSystem, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { rightParts } from "../../operation/right-parts.ts";
import { resolveServerConfig } from "../../operation/server-config.ts";
import { checkServerConfig } from "./check.ts";

const HASH = `sha256:${"a".repeat(64)}`;
const TOKENS = `tokens: [{ name: ci, hash: "${HASH}" }, { name: old, hash: "${HASH}", expires: "1960-01-01T00:00:00Z" }]`;

async function check(text: string, files: Readonly<Record<string, string>> = {}) {
  const fs = memoryFileSystem();
  fs.makeDirectory("/etc/kahn");
  for (const [name, content] of Object.entries(files)) fs.writeFile(`/etc/kahn/${name}`, content);
  return await checkServerConfig(
    { file: { name: "server.yaml", text } },
    { fs, clock: virtualClock(), resolvePath: (path) => (path.startsWith("/") ? path : `/etc/kahn/${path}`) },
  );
}

async function told(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly Problem[]> {
  const checked = await check(text, files);
  return checked.ok ? checked.value.warnings : checked.problem;
}

async function messages(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  return (await told(text, files)).map(({ message, next }) => `${message}: ${next}`);
}

const rules = (who: string) => `access: { ${TOKENS}, rules: [{ who: "${who}", allow: read }] }`;

// Goal: a rule for nobody is a lock-out that a start would not show. Method: one of each way to miss somebody.
test("who names nobody that there can be is told, with whom it may mean; patterns and known ones are right", async () => {
  const first = async (who: string) => (await messages(rules(who))).find((each) => each.startsWith("access."));
  const name = "access.rules[0].who names";
  assert.equal(await first("tokn:ci"), `${name} tokn:ci, which is no kind of subject: Did you mean token:ci?`);
  assert.equal(await first("ci"), `${name} ci, which is no kind of subject: Did you mean token:ci?`);
  assert.equal(await first("anonymus"), `${name} anonymus, which is no kind of subject: Did you mean anonymous?`);
  assert.match((await first("token:nobody"))!, /in no entry of access\.tokens: Known are ci, old\./);
  assert.match((await first("token:olt"))!, /in no entry of access\.tokens: Did you mean token:old\?/);
  assert.match((await first("user:ann"))!, /there are no users: Name their file in access\.htpasswd\./);
  assert.match((await first("user:*"))!, /there are no users/);
  assert.match((await first("cert:a"))!, /nobody is asked for a certificate: Set tls\.clientCertificate\./);
  assert.match((await first("jwt:github/*"))!, /there are no issuers/);
  assert.match((await first("tokn:*"))!, /no kind of subject: Did you mean token:\*\?/);
  for (const right of ["*", "tok*", "token:*", "token:c*", "token:ci", "local", "anonymous", "*:ci", "anon*"]) {
    assert.equal(await first(right), undefined, right);
  }
});

test("users are looked for in their file, subjects of issuers by the issuer", async () => {
  const issuers = "issuers: { name: github, issuer: x, audience: y, jwks: keys.json }";
  const who = (name: string) => `access: { htpasswd: users, ${issuers}, quotas: [{ who: "${name}", executions: 1 }] }`;
  const keys = JSON.stringify({
    keys: [{ kty: "OKP", crv: "Ed25519", kid: "a", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }],
  });
  const files = { users: "annabel:{SHA}C+7Hteo/D9vJXQ3UfzxbwnXaijM=\n", "keys.json": keys };
  const found = (name: string) => messages(who(name), files);
  assert.deepEqual(await found("user:anabel"), [
    "access.quotas[0].who names user:anabel, who is not in users: Did you mean user:annabel?",
  ]);
  assert.match((await found("jwt:githb/main"))[0]!, /of no entry of access\.issuers: Did you mean jwt:github\/main\?/);
  assert.match((await found("jwt:github"))[0]!, /Did you mean jwt:github\/\*\?/);
  for (const right of ["user:annabel", "user:x*", "jwt:github/repo:*", "jwt:*"]) {
    assert.deepEqual(await found(right), [], right);
  }
});

test("rules and quotas that do nothing, and sizes that contradict each other, are told with their lines", async () => {
  const text = `store:
  maxSize: 1GB
  maxBlob: 2GB
access:
  rules:
    - {}
    - { who: [], allow: read, instances: [] }
  quotas:
    - {}
`;
  const found = await told(text);
  assert.deepEqual(
    found.map(({ code, message, where }) => [code, message, where?.line]),
    [
      ["serve-config-value", "access.rules[0] allows nothing", 6],
      ["serve-config-value", "access.rules[1] is for nobody", 7],
      ["serve-config-value", "access.rules[1] is for no instance", 7],
      ["serve-config-value", "access.quotas[0] bounds nothing", 9],
      ["serve-config-value", "store.maxSize is less than store.maxBlob", 2],
    ],
  );
  assert.deepEqual(await messages("store: { maxSize: 5 }"), [
    'store.maxSize is less than 1 MB: Write a size with its unit, such as "50GB".',
  ]);
  // What stands by itself may be small: the default for blobs follows.
  assert.deepEqual(await messages("store: { maxSize: 1GB }"), []);
});

test("a token that has expired is a warning, the server would start", async () => {
  const checked = await check(`access: { ${TOKENS} }`);
  assert.ok(checked.ok);
  assert.deepEqual(
    checked.value.warnings.map(({ code, message, severity }) => [code, message, severity]),
    [
      [
        "serve-token-expired",
        "the token old expired on 1960-01-01T00:00:00.000Z: calls with it are refused",
        "warning",
      ],
    ],
  );
});

test("a log in a folder that is not there is told before anything is started", async () => {
  const codes = async (path: string) =>
    (await told(`telemetry: { accessLog: ${path} }`, { file: "" })).map(({ code }) => code);
  assert.deepEqual(await codes("nowhere/calls.log"), ["serve-log-unwritable"]);
  assert.deepEqual(await codes("file/calls.log"), ["serve-log-unwritable"]);
  for (const right of ["calls.log", "none", '"-"']) assert.deepEqual(await codes(right), [], right);
});

test("a cache behind that has no address, or whose token is not there, is told with the path that was read", async () => {
  const backing = (rest: string) => messages(`backing: { ${rest} }`, { token: "secret" });
  assert.match(
    (await backing('url: "ftp://x"'))[0]!,
    /the cache behind, ftp:\/\/x, cannot be used: Correct backing\.url/,
  );
  assert.match((await backing('url: "grpc://x:1", tokenFile: none'))[0]!, /^\/etc\/kahn\/none is not there/);
  assert.deepEqual(await backing('url: "grpc://x:1", tokenFile: token'), []);
});

// Goal: one round. Method: a wrong form in three places, and three files that are not there; nothing that only follows
// from what is wrong, such as a server that seems to be open because its token cannot be read.
test("files are checked though values elsewhere are wrong", async () => {
  const text = `listen: ":9092"
stroe: {}
tls: { certificate: c.pem, key: k.pem, clientCertificate: perhaps }
access:
  tokens: [{ name: ci, hash: hunter2 }]
  htpasswd: users
  rules: [{ who: "token:ci", allow: read }]
telemetry: { accessLog: nowhere/calls.log }
`;
  assert.deepEqual(
    (await told(text)).map(({ code }) => code),
    [
      ...["serve-config-unknown", "serve-config-value", "serve-config-value"],
      ...["serve-file-unreadable", "serve-file-unreadable", "serve-file-unreadable", "serve-log-unwritable"],
    ],
  );
});

test("what is right of a wrong configuration is a right one", async () => {
  const leaf = fc.oneof(fc.constantFrom("1GB", "ci", HASH, "read", "token:ci", "5s", true, 7, null), fc.string());
  const keys = [
    "access",
    "tokens",
    "name",
    "hash",
    "rules",
    "allow",
    "tls",
    "key",
    "store",
    "maxSize",
    "backing",
    "url",
    "x",
  ];
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 5 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(value, async (written) => {
      const rest = rightParts(written);
      const whole = await resolveServerConfig({ file: { name: "x", text: JSON.stringify(written) } });
      if (whole.ok && written !== null) assert.deepEqual(rest, whole.value);
    }),
  );
  assert.deepEqual(rightParts({ tls: { key: "k" }, dir: "d", access: { tokens: { name: "ci" } } })?.dir, "d");
});
