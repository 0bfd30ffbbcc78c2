/** Configuration: precedence, all mistakes at once with their places, JSON with comments, and goREgo's files. */
import assert from "node:assert/strict";
import type { Problem } from "@kahn/core";
import fc from "fast-check";
import { test } from "vitest";
import { importGoregoConfig } from "./gorego-import.ts";
import { listenAddressText, parseListenAddress } from "./listen-address.ts";
import { resolveServerConfig, settingReferences } from "./server-config.ts";
import type { ServerConfig } from "./server-settings.ts";

async function config(sources: Parameters<typeof resolveServerConfig>[0]): Promise<ServerConfig> {
  const resolved = await resolveServerConfig(sources);
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return resolved.value;
}

async function problems(sources: Parameters<typeof resolveServerConfig>[0]): Promise<readonly Problem[]> {
  const resolved = await resolveServerConfig(sources);
  assert.ok(!resolved.ok);
  return resolved.problem;
}

const file = (text: string, name = "server.yaml") => ({ name, text });
const ADDRESS = 'an address like "127.0.0.1:9092", ":9092" or "unix:/run/kahn.sock"';
const short = ({ code, message, where, next }: Problem) => [code, message, where?.line ?? 0, next];

test("nothing given: loopback, all defaults", async () => {
  const it = await config({});
  assert.deepEqual(it.listen, [{ kind: "tcp", host: "127.0.0.1", port: 9092 }]);
  assert.equal(it.store.maxSize, 50e9);
  assert.equal(it.tls, undefined);
  assert.deepEqual([it.access.anonymous, it.access.insecure, it.access.rules], [undefined, false, []]);
  assert.deepEqual(it.drain, { announce: 0, grace: 25_000 });
});

test("options win over the environment, that over the file, that over defaults, setting by setting", async () => {
  const it = await config({
    file: file("dir: /file\nlisten: ':1'\nstore: { maxSize: 1GB, maxBlob: 2MB }\ndrain: { grace: 3s }\n"),
    environment: {
      KAHN_SERVE_DIR: "/environment",
      KAHN_SERVE_LISTEN: "127.0.0.1:2, unix:/s",
      KAHN_SERVE_STORE_MAX_SIZE: "2GB",
      KAHN_SERVE_EXECUTION_ENABLED: "false",
      PATH: "/bin",
    },
    options: { dir: "/option", "drain.grace": 4000, "store.durability": undefined },
  });
  assert.equal(it.dir, "/option");
  assert.deepEqual(it.listen.map(listenAddressText), ["127.0.0.1:2", "unix:/s"]);
  assert.deepEqual(it.store, { maxSize: 2e9, maxBlob: 2e6, durability: "batched", memory: 256 * 2 ** 20 });
  assert.equal(it.drain.grace, 4000);
  assert.equal(it.execution.enabled, false);
});

test("each setting has a variable of its own, but for what only a file can say, and a description", async () => {
  const names = settingReferences().flatMap(({ variable }) => variable ?? []);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.includes("KAHN_SERVE_HTTP_GITHUB_ACTIONS") && names.includes("KAHN_SERVE_TLS_CLIENT_CERTIFICATE"));
  assert.ok(!names.includes("KAHN_SERVE_ACCESS_TOKENS"));
  for (const { key, description } of settingReferences()) assert.notEqual(description, "", key);
});

test("the reference has the parts of each entry of a list, with what may be written, and none of them can be set alone", async () => {
  const references = new Map(settingReferences().map((each) => [each.key, each]));
  const part = (key: string) => references.get(key) ?? assert.fail(key);
  assert.equal(part("access.tokens[].hash").need, "required");
  assert.equal(part("access.tokens[].expires").need, "optional");
  assert.equal(part("access.quotas[].who").standard, "*");
  assert.match(part("access.rules[].allow").expected, /"read" or "write" or "all" or "cas.read"/);
  assert.equal(part("store.durability").expected, '"strict" or "batched" or "none"');
  assert.equal(part("access.issuers[].jwks").variable, undefined);
  const [refused] = await problems({ options: { "access.tokens[].name": "ci" } });
  assert.equal(refused?.code, "serve-config-unknown");
});

test("every mistake is told at once, with its line or its source, and the closest name", async () => {
  const text = `listen: nowhere
stroe: { maxSize: 1GB }
access:
  tokens:
    - name: ci
      hash: hunter2
  rules:
    - who: ci
      alow: read
drain:
  grace: soon
`;
  const found = await problems({
    file: file(text),
    environment: { KAHN_SERVE_DIRS: "x", KAHN_SERVE_EXECUTION_SLOTS: "many" },
    options: { "telemetry.acceslog": "-" },
  });
  assert.deepEqual(found.map(short), [
    ["serve-config-unknown", "the variable KAHN_SERVE_DIRS is no setting", 0, "Did you mean KAHN_SERVE_DIR?"],
    ["serve-config-unknown", "telemetry.acceslog is no setting", 0, "Did you mean telemetry.accessLog?"],
    ["serve-config-unknown", "stroe is no setting", 2, "Did you mean store?"],
    ["serve-config-value", `listen must be ${ADDRESS}`, 1, `Write ${ADDRESS}.`],
    [
      "serve-config-value",
      "access.tokens[0].hash must be a hash like sha256:… with 64 hex digits",
      6,
      "Write a hash like sha256:… with 64 hex digits.",
    ],
    ["serve-config-unknown", "access.rules[0].alow is no setting", 9, "Did you mean allow?"],
    [
      "serve-config-value",
      "execution.slots must be a whole number of 0 or more, in the variable KAHN_SERVE_EXECUTION_SLOTS",
      0,
      "Write a whole number of 0 or more.",
    ],
    [
      "serve-config-value",
      'drain.grace must be a duration like "30s", or milliseconds',
      11,
      'Write a duration like "30s", or milliseconds.',
    ],
  ]);
  assert.ok(!JSON.stringify(found.map(({ where: _where, ...rest }) => rest)).includes("hunter2"));
});

test("a missing part is named where its section begins; a list may be one value", async () => {
  const found = await problems({ file: file("dir: x\nbacking:\n  write: false\n") });
  assert.deepEqual(found.map(short), [
    ["serve-config-value", "backing.url is missing; it must be a text", 2, "Write a text."],
  ]);
  const it = await config({ file: file("access: { rules: { who: local, allow: all } }") });
  assert.deepEqual(it.access.rules, [
    { who: ["local"], claims: {}, instances: ["*"], allow: ["all"], overlay: undefined },
  ]);
});

test("JSON with comments, tabs and trailing commas is read, with the same places", async () => {
  const text = `// a comment: { "dir": 1 }\n{\n\t"dir": "/a//b", /* two\nlines */ "assets": { "hosts": ["x", ] },\n\t"drain": { "grace": [] },\n}\n`;
  const found = await problems({ file: file(text, "server.jsonc") });
  assert.deepEqual(found.map(short), [
    ["serve-config-value", 'drain.grace must be a duration like "30s", or milliseconds', 5, found[0]!.next],
  ]);
  const it = await config({ file: file(text.replace("[]", '"5s"'), "server.jsonc") });
  assert.deepEqual([it.dir, it.assets.hosts, it.drain.grace], ["/a//b", ["x"], 5000]);
  const broken = await problems({ file: file('{\n "dir": "x"\n "listen": 1\n}') });
  assert.deepEqual(broken.map(({ code }) => code).slice(0, 1), ["serve-config-syntax"]);
  assert.ok(broken[0]!.where!.line! >= 2);
});

test("no file makes reading throw", async () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object({ key: fc.constantFrom("access", "tls", "rules", "x") }).map((it) => JSON.stringify(it)),
  );
  await fc.assert(
    fc.asyncProperty(anything, async (text) => {
      const resolved = await resolveServerConfig({ file: file(text) });
      if (!resolved.ok) assert.ok(resolved.problem.length > 0);
    }),
  );
});

test("addresses: what is read is written back the same, and what is none is refused", () => {
  for (const [written, text] of [
    ["127.0.0.1:9092", "127.0.0.1:9092"],
    [":80", "0.0.0.0:80"],
    ["0", "0.0.0.0:0"],
    ["[::1]:9092", "[::1]:9092"],
    ["cache.example:1", "cache.example:1"],
    ["unix:/run/k.sock", "unix:/run/k.sock"],
    ["unix:///run/k.sock", "unix:/run/k.sock"],
  ] as const) {
    const address = parseListenAddress(written);
    assert.ok(address !== undefined, written);
    assert.equal(listenAddressText(address), text);
    assert.deepEqual(parseListenAddress(text), address);
  }
  for (const wrong of ["", "host", "host:", "host:99999", "::1:80", "unix:", "a b:1"]) {
    assert.equal(parseListenAddress(wrong), undefined, wrong);
  }
});

// Goal: nobody moves over and silently loses a setting. Method: each key of goREgo alone.
test("every key of goREgo changes something here or is named", async () => {
  const keys: readonly (readonly [key: string, value: string])[] = [
    ...([
      ["listen_addr", '":1234"'],
      ["force_update_atime", "true"],
      ["log_level", "debug"],
    ] as const),
    ...(["cert_file", "key_file", "ca_file", "client_auth"] as const).map((key) => [`tls.${key}`, "x"] as const),
    ["local_cache.enabled", "false"],
    ["local_cache.dir", "/x"],
    ["local_cache.max_size_gb", "3"],
    ["backing_cache.target", "x:1"],
    ["backing_cache.compression", "zstd"],
    ["backing_cache.put_retry_count", "5"],
    ["backing_cache.tls.ca_file", "x"],
    ["backing_cache.tls.cert_file", "x"],
    ["execution.enabled", "false"],
    ["execution.concurrency", "3"],
    ["execution.queue_size", "3"],
    ["execution.build_root", "/x"],
    ["sandbox.enabled", "true"],
    ["sandbox.network_isolation", "false"],
    ["sandbox.binary_path", "/x"],
    ["sandbox.writable_paths", "[/x]"],
    ["sandbox.kill_delay", "5"],
    ["execution.sandbox.enabled", "true"],
    ...["node_id", "discovery_mode", "bind_port", "peers"].map((key) => [`cluster.${key}`, "x"] as const),
    ["telemetry.metrics_addr", '":9090"'],
    ["telemetry.tracing_endpoint", "x:4317"],
    ["telemetry.anything", "x"],
    ["something.new", "1"],
  ];
  const textOf = async (written: string) => {
    const imported = await importGoregoConfig(file(written, "config.yaml"));
    assert.ok(imported.ok);
    return imported.value;
  };
  const nothing = (await textOf("")).text;
  for (const [key, value] of keys) {
    const nested = key.split(".").reduceRight((inner, part) => `{ ${part}: ${inner} }`, value);
    const { text, warnings } = await textOf(nested);
    const isNamed = warnings.some(({ message }) => message.startsWith(`${key} `));
    assert.ok(isNamed || text !== nothing, key);
  }
  const behind = await textOf("backing_cache: { target: x:1, tls: { enabled: true, ca_file: ca.pem } }");
  const { backing } = await config({ file: file(behind.text) });
  assert.deepEqual([backing?.url, backing?.authorities, behind.warnings], ["grpcs://x:1", "ca.pem", []]);
});

test("a goREgo file becomes one of ours; what has no counterpart is named with its line", async () => {
  const text = `listen_addr: ":50051"
tls: { enabled: true, cert_file: c.pem, key_file: k.pem, ca_file: ca.pem, client_auth: require_and_verify }
local_cache: { enabled: true, dir: /var/cache/gorego, max_size_gb: 20 }
force_update_atime: true
log_level: info
backing_cache: { target: "cache:9092", compression: zstd, put_retry_count: 3 }
execution: { enabled: true, concurrency: 8, queue_size: 100 }
sandbox: { enabled: true, network_isolation: true }
cluster: { node_id: a }
telemetry: { metrics_addr: ":9090" }
executon: 1
`;
  const imported = await importGoregoConfig(file(text, "config.yaml"));
  assert.ok(imported.ok);
  const it = await config({ file: file(imported.value.text) });
  assert.deepEqual(it.listen.map(listenAddressText), ["0.0.0.0:50051"]);
  assert.deepEqual(it.tls, {
    ...{ certificate: "c.pem", key: "k.pem", clientAuthorities: "ca.pem", clientCertificate: "require" },
  });
  assert.deepEqual(
    [it.dir, it.store.maxSize, it.backing?.url],
    ["/var/cache/gorego", 20 * 2 ** 30, "grpc://cache:9092"],
  );
  assert.deepEqual(
    [it.execution.slots, it.execution.queueMax, it.execution.sandbox, it.execution.network],
    [8, 100, "enforce", false],
  );
  assert.deepEqual([it.telemetry.accessLog, it.telemetry.openMetrics], ["-", true]);
  const lines = imported.value.warnings.map(({ where, message }) => [where?.line, message.split(" ")[0]]);
  assert.deepEqual(lines, [
    [4, "force_update_atime"],
    [6, "backing_cache.compression"],
    [6, "backing_cache.put_retry_count"],
    [9, "cluster.node_id"],
    [10, "telemetry.metrics_addr"],
    [11, "executon"],
  ]);
});
