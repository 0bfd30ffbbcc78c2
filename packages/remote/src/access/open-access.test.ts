/** What a server may be started with, and the rules that stand in for those nobody wrote. */
import assert from "node:assert/strict";
import { memoryFileSystem, seededRandom, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { resolveServerConfig } from "../operation/server-config.ts";
import type { AccessQuestion } from "../reapi/index.ts";
import { openAccess, type ServerAccess } from "./open-access.ts";
import { Quotas } from "./quotas.ts";
import { ANONYMOUS_SUBJECT, claimsTest, LOCAL_SUBJECT, pattern, type Subject } from "./subject.ts";
import { newToken } from "./token.ts";

const { hash } = newToken(seededRandom(3));
const TOKENS = `tokens: [{ name: ci, hash: "${hash}" }]`;

async function opened(access: string, listen: string | readonly string[]) {
  const config = await resolveServerConfig({ file: { name: "x", text: `access: { ${access} }` }, options: { listen } });
  assert.ok(config.ok, JSON.stringify(config));
  return openAccess({
    ...{ settings: config.value.access, addresses: config.value.listen, fs: memoryFileSystem(), clock: virtualClock() },
    ...{ clientCertificate: "none", isEncrypted: false, resolvePath: (path) => path },
  });
}

async function codes(access: string, listen: string | readonly string[]): Promise<readonly string[]> {
  const result = await opened(access, listen);
  return (result.ok ? result.value.warnings : result.problem).map(({ code }) => code);
}

async function accessOf(access: string): Promise<ServerAccess> {
  const result = await opened(access, "127.0.0.1:1");
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

const RIGHTS = ["cas.read", "cas.write", "ac.read", "ac.write", "exec", "asset", "admin"] as const;
const CI: Subject = { name: "token:ci", claims: { ref: "main", team: ["a", "b"] } };

function rightsOf({ policy }: ServerAccess, subject: Subject, instance = ""): string {
  const may = (what: AccessQuestion["what"]) => policy.may(subject, { what, instance });
  return RIGHTS.flatMap((what) => {
    const answer = may(what);
    return answer.kind === "denied" ? [] : [answer.kind === "overlay" ? `${what}:${answer.overlay}` : what];
  }).join(" ");
}

test("a server that a network could use unasked does not start, unless its owner says so", async () => {
  for (const open of [":1", "10.0.0.1:1", "[::]:1", "host.example:1", ["127.0.0.1:1", "0.0.0.0:2"]]) {
    assert.deepEqual(await codes("", open), ["serve-open-to-network"], String(open));
    assert.deepEqual(await codes(`anonymous: all, ${TOKENS}`, open), ["serve-open-to-network"]);
    assert.deepEqual(await codes("rules: { who: anonymous, allow: exec }", open), ["serve-open-to-network"]);
    assert.deepEqual(await codes("rules: [{ who: anonymous, allow: read }, { allow: all }]", open), []);
    assert.deepEqual(await codes("insecure: true", open), []);
    assert.deepEqual(await codes("anonymous: read", open), []);
    assert.deepEqual(await codes(TOKENS, open), ["serve-plaintext-credentials"]);
  }
  for (const closed of ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/s"]) {
    assert.deepEqual(await codes("", closed), []);
    assert.deepEqual(await codes(TOKENS, closed), []);
  }
});

test("what strangers may do is summed up for who starts the server", async () => {
  const strangers = async (access: string) => (await accessOf(access)).facts.strangers;
  assert.equal(await strangers(""), "all");
  assert.equal(await strangers("rules: { who: anonymous, allow: all }"), "all");
  assert.equal(await strangers("rules: { who: anonymous, allow: all, instances: x }"), "more");
  assert.equal(await strangers("anonymous: read, rules: { who: anonymous, allow: ac.write }"), "more");
  assert.equal(await strangers(`anonymous: read, ${TOKENS}`), "read");
  assert.equal(await strangers("rules: { who: [local, anonymous], allow: cas.read }"), "read");
  assert.equal(await strangers('rules: { who: "*", allow: all }'), "nothing");
  assert.equal(await strangers(TOKENS), "nothing");
});

test("without rules: nobody known may do all on loopback; with authentication only who is known, and not admin", async () => {
  assert.equal(rightsOf(await accessOf(""), ANONYMOUS_SUBJECT), RIGHTS.join(" "));
  const it = await accessOf(TOKENS);
  assert.deepEqual(
    [rightsOf(it, ANONYMOUS_SUBJECT), rightsOf(it, CI), rightsOf(it, LOCAL_SUBJECT)],
    ["", "cas.read cas.write ac.read ac.write exec asset", RIGHTS.join(" ")],
  );
  assert.equal(rightsOf(await accessOf(`anonymous: read, ${TOKENS}`), ANONYMOUS_SUBJECT), "cas.read ac.read");
  const denied = it.policy.may(ANONYMOUS_SUBJECT, { what: "exec", instance: "a" });
  assert.deepEqual(denied, {
    ...{ kind: "denied", because: "unauthenticated", message: "exec on instance a needs credentials" },
  });
});

test("the first rule that fits and allows decides; a layer covers reading, writing and running, and no assets", async () => {
  const rules = `${TOKENS}, rules: [
    { who: "token:ci", claims: { ref: "pull/*" }, allow: [write, exec, asset], overlay: "{ref}" },
    { who: "token:ci", claims: { team: b }, instances: "x/*", allow: [cas.read, exec] },
    { who: "*", instances: "x/public", allow: read } ]`;
  const it = await accessOf(rules);
  assert.equal(rightsOf(it, ANONYMOUS_SUBJECT, "x/public"), "");
  const pull = (ref: string): Subject => ({ name: "token:ci", claims: { ref } });
  assert.equal(rightsOf(it, pull("pull/7")), "cas.read cas.write ac.read:6:pull/7 ac.write:6:pull/7 exec:6:pull/7");
  assert.equal(rightsOf(it, CI, "x/y"), "cas.read exec");
  assert.equal(rightsOf(it, CI, "x/public"), "cas.read ac.read exec");
  assert.equal(rightsOf(it, CI, "y"), "");
  assert.equal(rightsOf(it, { name: "token:ci", claims: { ref: ["pull/1", "pull/2"] } }), "cas.read cas.write");
});

test("a layer reaches what other rules allow to the same subject: neither run for all nor read past it", async () => {
  const rules = `rules: [ { who: "*", allow: [read, exec] }, { who: "*", allow: write, overlay: "l" } ]`;
  assert.equal(rightsOf(await accessOf(rules), CI), "cas.read cas.write ac.read:l ac.write:l exec:l");
});

test("patterns: a star is any text, and no pattern takes long", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/") });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), text, (parts, value) => {
      const written = parts.join("*");
      const escaped = parts.map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^]*");
      assert.equal(pattern(written)(value), new RegExp(`^${escaped}$`).test(value), `${written} on ${value}`);
      assert.ok(pattern(written)(written));
    }),
  );
  assert.equal(pattern(`${"a*".repeat(1000)}b`)("a".repeat(100_000)), false);
  assert.ok(claimsTest({ team: ["b", "c"] })(CI.claims));
  assert.ok(!claimsTest({ team: ["c"] })(CI.claims) && !claimsTest({ constructor: ["*"] })(CI.claims));
});

test("quotas: so many actions may be under way, and only the first entry that fits counts", () => {
  const quotas = new Quotas(
    [
      { who: ["token:ci"], bytesPerDay: undefined, executions: 2 },
      { who: ["*"], bytesPerDay: 10, executions: undefined },
    ],
    virtualClock(),
  );
  assert.equal(quotas.refusesExecution(CI, 1), undefined);
  assert.equal(quotas.refusesExecution(CI, 2)?.message, "token:ci has 2 actions under way, and may have 2");
  assert.equal(quotas.refusesExecution(LOCAL_SUBJECT, 1e9), undefined);
  quotas.addBytes(CI, 1e9);
  quotas.addBytes(LOCAL_SUBJECT, 10);
  assert.equal(quotas.refusesBytes(CI), undefined);
  assert.ok(quotas.refusesBytes(LOCAL_SUBJECT) !== undefined);
});
