/** The generated codecs are what the generator writes; the descriptors are what protoc makes of the .proto files. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect, test } from "vitest";
import { descriptorOf } from "./protos/descriptor.mjs";
import { checkedInDescriptors, codecModules, compiledDescriptors } from "./protos.mjs";

test("the codecs are what `node tools/protos.mjs` writes, and no other file is among them", () => {
  const modules = codecModules(checkedInDescriptors());
  for (const [path, text] of Object.entries(modules)) expect(readFileSync(path, "utf8"), path).toBe(text);
  const [first] = Object.keys(modules);
  const written = [...Object.keys(modules).map((path) => basename(path)), "descriptors.ts"];
  expect(readdirSync(dirname(first!)).sort()).toEqual(written.sort());
});

test("the descriptors are what protoc makes of the .proto files", (context) => {
  const compiled = compiledDescriptors();
  if (compiled === undefined) {
    context.skip("no protoc: install protobuf-compiler, or name one in PROTOC");
    return;
  }
  expect(withoutOptions(compiled)).toEqual(withoutOptions(checkedInDescriptors()));
});

/** Which options a descriptor keeps depends on the version of protoc; only that of maps matters here. */
function withoutOptions(set: Uint8Array): unknown {
  const text = JSON.stringify(descriptorOf(set), (key, value) => (key === "options" ? value.mapEntry : value));
  return JSON.parse(text);
}
