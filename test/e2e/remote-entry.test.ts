/** The entry `kahn/remote` of the built package: a server and a client in a program of somebody else's. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { kahnBinary } from "./rig/kahn-process.ts";

const directory = mkdtempSync(join(tmpdir(), "kahn-remote-entry-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a program starts a server, asks it, stops it, and nothing keeps the program alive", () => {
  const entry = pathToFileURL(join(kahnBinary(), "../remote.mjs")).href;
  writeFileSync(
    join(directory, "program.mjs"),
    `import { openRemote, openServer } from ${JSON.stringify(entry)};
    const directory = ${JSON.stringify(directory)};
    const server = await openServer({ directory, options: { listen: ["127.0.0.1:0"], dir: "store" } });
    const [{ host, port }] = server.addresses;
    console.log((await (await fetch(\`http://\${host}:\${port}/status\`)).json()).readiness.ready);
    const client = openRemote({ url: \`grpc://\${host}:\${port}\` });
    const missing = await client.tier.blobs.findMissing(["sha256:${"ab".repeat(32)}/3"]);
    console.log(missing.ok && missing.value.length);
    await client.close();
    console.log((await server.drain()).kind);
    await server.closed;
    await openServer({ directory, options: { listne: 1 } }).catch((error) => console.log(error.problems[0].code));`,
  );
  const output = execFileSync(process.execPath, [join(directory, "program.mjs")], {
    encoding: "utf8",
    timeout: 30_000,
  });
  expect(output.trim().split("\n")).toEqual(["true", "1", "drained", "serve-config-unknown"]);
});
