import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { descriptorSet } from "./descriptors.ts";

async function bundled(contents: string): Promise<string> {
  const stdin = { contents, resolveDir: import.meta.dirname, loader: "ts" as const };
  const options = { bundle: true, write: false, platform: "node", format: "esm", minifySyntax: true } as const;
  const { outputFiles } = await build({ ...options, stdin });
  return outputFiles[0]!.text;
}

test("a bundle holds the messages that it uses, and no others", async () => {
  const text = await bundled(
    'import * as reapi from "./generated/remote-execution.ts"; console.log(reapi.FindMissingBlobsRequest.encode({}));',
  );
  expect(text).toContain("v2.FindMissingBlobsRequest");
  expect(text).not.toMatch(/v2\.(Command|ExecuteRequest|FindMissingBlobsResponse)"|"google\.rpc/);
  expect(text.length).toBeLessThan(25_000);
});

test("the descriptors are in a bundle of one file, and are read there", async () => {
  const text = await bundled('export { descriptorFiles, descriptorSet } from "./descriptors.ts";');
  const directory = await mkdtemp(join(tmpdir(), "kahn-bundle-"));
  try {
    const path = join(directory, "bundle.mjs");
    writeFileSync(path, text);
    const module = (await import(pathToFileURL(path).href)) as typeof import("./descriptors.ts");
    expect(Buffer.from(await module.descriptorSet())).toEqual(Buffer.from(await descriptorSet()));
  } finally {
    await rm(directory, { recursive: true });
  }
});
