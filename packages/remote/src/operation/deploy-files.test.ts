/** The files in `deploy/`: that servers start with the configurations in them, and that they say what they promise. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { resolveServerConfig } from "./server-config.ts";

const folder = fileURLToPath(new URL("../../../../deploy/", import.meta.url));
const read = (path: string) => readFileSync(`${folder}${path}`, "utf8");

test("the configurations of container and chart are valid", async () => {
  const values = parse(read("helm/kahn/values.yaml")) as { config: object };
  for (const text of [read("container/server.yaml"), JSON.stringify(values.config)]) {
    const config = await resolveServerConfig({ file: { name: "server.yaml", text } });
    assert.ok(config.ok, JSON.stringify(config));
    assert.equal(config.value.execution.enabled, false);
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
    services: { kahn: { ports: string[]; cap_drop: string[] } };
  };
  assert.deepEqual(compose.services.kahn.cap_drop, ["ALL"]);
  assert.ok(compose.services.kahn.ports.every((each) => each.startsWith("127.0.0.1:")));
  const values = parse(read("helm/kahn/values.yaml")) as { terminationGracePeriodSeconds: number };
  assert.ok(values.terminationGracePeriodSeconds * 1000 > grace);
});

const hasHelm = spawnSync("helm", ["version"]).status === 0;

test.skipIf(!hasHelm)("the chart renders one pod that is probed at /readyz (skipped without helm)", () => {
  const rendered = spawnSync("helm", ["template", "cache", `${folder}helm/kahn`], { encoding: "utf8" });
  assert.equal(rendered.status, 0, rendered.stderr);
  const documents = parseAllDocuments(rendered.stdout).map((each) => each.toJS() as { kind: string; spec?: unknown });
  assert.deepEqual(documents.map(({ kind }) => kind).sort(), ["ConfigMap", "Service", "StatefulSet"]);
  const text = JSON.stringify(documents.find(({ kind }) => kind === "StatefulSet"));
  assert.match(text, /"readinessProbe":\{"httpGet":\{"path":"\/readyz"/);
  assert.match(text, /"runAsNonRoot":true/);
});
