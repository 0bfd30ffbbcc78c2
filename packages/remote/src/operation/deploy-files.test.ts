/** The files in `deploy/`, and the guide: that servers start with the configurations in them, and that they say what they promise. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { memoryFileSystem } from "@kahn/testing";
import { test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { makeCertificates } from "../port/certificates.fixture.ts";
import { testServer } from "../server.fixture.ts";
import { resolveServerConfig } from "./server-config.ts";
import { SERVER_SETTINGS } from "./server-settings.ts";

const folder = fileURLToPath(new URL("../../../../deploy/", import.meta.url));
const chart = `${folder}helm/kahn`;
const read = (path: string) => readFileSync(`${folder}${path}`, "utf8");

interface ChartValues {
  readonly config: { readonly access: object };
  readonly terminationGracePeriodSeconds: number;
}

/** A file and its text, of all templates of the chart. */
function templates(): readonly (readonly [string, string])[] {
  return readdirSync(`${chart}/templates`).map((name) => [name, read(`helm/kahn/templates/${name}`)]);
}

test("the configurations of container and chart are valid", async () => {
  const values = parse(read("helm/kahn/values.yaml")) as ChartValues;
  for (const text of [read("container/server.yaml"), JSON.stringify(values.config)]) {
    const config = await resolveServerConfig({ file: { name: "server.yaml", text } });
    assert.ok(config.ok, JSON.stringify(config));
    assert.equal(config.value.execution.enabled, false);
  }
});

test("the configurations in the guide are valid", async () => {
  const guide = readFileSync(`${folder}../docs/guides/serve.md`, "utf8");
  const blocks = [...guide.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!);
  assert.ok(blocks.length >= 2);
  for (const text of blocks) {
    const config = await resolveServerConfig({ file: { name: "serve.md", text } });
    assert.ok(config.ok, JSON.stringify(config));
  }
});

test("nothing runs as root, and stopping takes longer than a drain", async () => {
  const defaults = await resolveServerConfig({});
  assert.ok(defaults.ok);
  const { grace } = defaults.value.drain;
  const unit = read("systemd/kahn.service");
  assert.match(unit, /^DynamicUser=yes$/m);
  assert.match(unit, /^NoNewPrivileges=yes$/m);
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000 > grace);
  assert.match(read("container/Containerfile"), /^USER 65532:65532$/m);
  const compose = parse(read("container/compose.yaml")) as {
    services: { kahn: { ports: string[]; cap_drop: string[]; stop_grace_period: string } };
  };
  const { kahn } = compose.services;
  assert.deepEqual(kahn.cap_drop, ["ALL"]);
  assert.ok(kahn.ports.every((each) => each.startsWith("127.0.0.1:")));
  assert.ok(Number.parseInt(kahn.stop_grace_period, 10) * 1000 > grace);
  const values = parse(read("helm/kahn/values.yaml")) as ChartValues;
  assert.ok(values.terminationGracePeriodSeconds * 1000 > grace);
});

// Goal: actions keep their sandbox in the hardened unit. Each of these was tried: bubblewrap can mount no /proc where a
// part of one is covered, gives its sandbox a name, and makes namespaces.
test("the unit leaves out what keeps bubblewrap from working", () => {
  const unit = read("systemd/kahn.service");
  const kept = ["RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectHostname", "ProtectProc"];
  for (const name of [...kept, "SystemCallFilter", "PrivateUsers", "MemoryDenyWriteExecute"]) {
    assert.doesNotMatch(unit, new RegExp(`^${name}=`, "m"), name);
  }
  assert.match(unit, /^OOMPolicy=continue$/m);
});

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;

test.skipIf(!hasSystemd)("systemd finds nothing wrong with the unit (skipped without systemd)", () => {
  const verified = spawnSync("systemd-analyze", ["verify", `${folder}systemd/kahn.service`], { encoding: "utf8" });
  const said = verified.stderr.split("\n").filter((line) => line.includes("kahn.service"));
  assert.deepEqual([verified.status, said], [0, []]);
});

test("what the container file, the compose file and the chart say of ports, paths and the configuration is the same", () => {
  const file = read("container/Containerfile");
  const compose = parse(read("container/compose.yaml")) as {
    services: { kahn: { build: { dockerfile: string }; volumes: string[]; ports: string[] } };
  };
  const { build, volumes, ports } = compose.services.kahn;
  assert.ok(existsSync(`${folder}container/${build.dockerfile}`));
  const [, config] = /^CMD \["--config", "([^"]+)"\]$/m.exec(file) ?? [];
  const [, port] = /^EXPOSE (\d+)$/m.exec(file) ?? [];
  const [, data] = /^VOLUME (\S+)$/m.exec(file) ?? [];
  assert.ok(config !== undefined && port !== undefined && data !== undefined);
  assert.deepEqual(volumes, [`store:${data}`, `./server.yaml:${config}:ro`]);
  assert.deepEqual(ports, [`127.0.0.1:${port}:${port}`]);
  assert.match(file, new RegExp(`KAHN_SERVE_DIR=${data}/store KAHN_SERVE_LISTEN=0\\.0\\.0\\.0:${port}`));
  const set = read("helm/kahn/templates/statefulset.yaml");
  for (const text of [`containerPort: ${port}`, `"0.0.0.0:${port}"`, `value: ${data}/store`, `mountPath: ${data} `]) {
    assert.ok(set.includes(text), text);
  }
  assert.ok(set.includes(`"${config}"`) && set.includes("mountPath: /etc/kahn,"));
});

// Goal: a probe asks a page that is there, and the health check of the container sees a server with and without TLS.
test("probes ask for pages that servers have, and the container's health check works with and without TLS", async () => {
  const { certificate, key } = makeCertificates().server;
  const file = read("container/Containerfile");
  const code = JSON.parse(/^ {2}CMD (\[.*\])$/m.exec(file)?.[1] ?? "[]") as string[];
  const pages = templates().flatMap(([, text]) => [...text.matchAll(/"path" "([^"]+)"/g)].map(([, path]) => path!));
  assert.deepEqual(new Set(pages), new Set(["/healthz", "/readyz"]));
  const plain = await testServer();
  const fs = memoryFileSystem();
  fs.writeFile("/server.pem", Buffer.from(certificate));
  fs.writeFile("/server.key", Buffer.from(key));
  const encrypted = await testServer({ fs, config: "tls: { certificate: server.pem, key: server.key }" });
  for (const path of pages) assert.equal((await fetch(`${plain.url}${path}`)).status, 200);
  const exitOf = async (url: string): Promise<number> => {
    const script = code[2]!.replace("9092", new URL(url).port);
    return await promisify(execFile)(process.execPath, [code[1]!, script]).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
  };
  assert.deepEqual(await Promise.all([exitOf(plain.url), exitOf(encrypted.url)]), [0, 0]);
  await Promise.all([plain.close(), encrypted.close()]);
  assert.equal(await exitOf(plain.url), 1);
});

// Goal: what only helm would find, without helm. Method: the text of the templates.
test("the chart's templates are templates: balanced, with values that are there and helpers that are defined", () => {
  const values = parse(read("helm/kahn/values.yaml")) as Record<string, unknown>;
  const defined = templates().flatMap(([, text]) => [...text.matchAll(/define "([^"]+)"/g)].map(([, name]) => name!));
  for (const [name, text] of templates()) {
    // What a formatter of YAML makes of a template.
    assert.doesNotMatch(text, /\{ \{|\} \}[^}]*\{ \{/, name);
    const actions = [...text.matchAll(/\{\{-?\s*([\s\S]*?)\s*-?\}\}/g)].map(([, action]) => action!);
    assert.equal(text.split("{{").length, text.split("}}").length, name);
    assert.equal(text.split("{{").length - 1, actions.length, name);
    const begun = actions.filter((action) => /^(if|with|range|define)\b/.test(action)).length;
    assert.equal(begun, actions.filter((action) => action === "end").length, name);
    for (const [, helper] of text.matchAll(/include "([^"]+)"/g)) assert.ok(defined.includes(helper!), helper);
    for (const [, path] of text.matchAll(/\.Values\.([A-Za-z.]+)/g)) {
      const [first = "", second] = path!.split(".");
      assert.ok(Object.hasOwn(values, first), `${name}: ${path}`);
      // Parts of the configuration may be left out.
      if (second !== undefined && first !== "config") assert.ok(Object.hasOwn(values[first] as object, second), path);
    }
  }
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

test("the chart's schema names exactly the values, and exactly the sections of a server's configuration", () => {
  const values = parse(read("helm/kahn/values.yaml")) as Record<string, unknown>;
  const schema = JSON.parse(read("helm/kahn/values.schema.json")) as Schema;
  const { global: _everyChart, ...own } = schema.properties ?? {};
  assert.deepEqual(Object.keys(own).sort(), Object.keys(values).sort());
  for (const [key, { properties }] of Object.entries(own)) {
    if (properties === undefined || key === "config") continue;
    assert.deepEqual(Object.keys(properties).sort(), Object.keys(values[key] as object).sort(), key);
  }
  // Where it listens and where its store is are the pod's business.
  const sections = Object.keys(SERVER_SETTINGS.entries ?? {}).filter((key) => key !== "listen" && key !== "dir");
  assert.deepEqual(Object.keys(own.config?.properties ?? {}).sort(), sections.sort());
});

const hasHelm = spawnSync("helm", ["version"]).status === 0;

test.skipIf(!hasHelm)(
  "helm lints the chart, renders one probed pod, and refuses an open server (skipped without helm)",
  () => {
    const hash = `sha256:${"0".repeat(64)}`;
    const tokens = ["--set-json", `config.access.tokens=[{"name":"ci","hash":"${hash}"}]`];
    const helm = (...words: string[]) => spawnSync("helm", words, { encoding: "utf8" });
    const linted = helm("lint", chart, ...tokens);
    assert.equal(linted.status, 0, linted.stdout);
    const open = helm("template", "cache", chart);
    assert.notEqual(open.status, 0);
    assert.match(open.stderr, /config\.access\.tokens/);
    const rendered = helm("template", "cache", chart, ...tokens);
    assert.equal(rendered.status, 0, rendered.stderr);
    const documents = parseAllDocuments(rendered.stdout).map((each) => each.toJS() as { kind: string; spec?: unknown });
    assert.deepEqual(documents.map(({ kind }) => kind).sort(), ["ConfigMap", "Service", "StatefulSet"]);
    const text = JSON.stringify(documents.find(({ kind }) => kind === "StatefulSet"));
    assert.match(text, /"readinessProbe":\{"httpGet":\{"path":"\/readyz"/);
    assert.match(text, /"runAsNonRoot":true/);
  },
);
