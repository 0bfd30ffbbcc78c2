import { expect, test } from "vitest";
import { descriptorFiles, descriptorSet } from "./descriptors.ts";
import { CODECS } from "./oracle.fixture.ts";

test("a file's descriptor comes after those of the files that it imports", async () => {
  const seen = new Set<string>();
  for (const file of descriptorFiles(await descriptorSet())) {
    for (const name of file.dependencies) expect(seen, `${file.name} imports ${name}`).toContain(name);
    seen.add(file.name);
  }
  expect(seen).toContain("build/bazel/remote/execution/v2/remote_execution.proto");
});

test("every message that has a codec is a symbol of exactly one file", async () => {
  const symbols = descriptorFiles(await descriptorSet()).flatMap((file) => file.symbols);
  for (const { typeName } of CODECS) expect(symbols.filter((symbol) => symbol === typeName)).toEqual([typeName]);
});

test("services, methods, fields and nested types are found by their full names", async () => {
  const files = descriptorFiles(await descriptorSet());
  const services = files.flatMap((file) => file.services);
  expect(services).toContain("build.bazel.remote.execution.v2.ContentAddressableStorage");
  expect(services).toContain("google.bytestream.ByteStream");
  expect(services).toContain("grpc.reflection.v1alpha.ServerReflection");
  const { symbols } = files.find((file) => file.name.endsWith("/remote_execution.proto"))!;
  const scope = "build.bazel.remote.execution.v2";
  for (const symbol of [
    "Execution.Execute",
    "Digest.hash",
    "Command.EnvironmentVariable.name",
    "DigestFunction.Value",
  ]) {
    expect(symbols).toContain(`${scope}.${symbol}`);
  }
});

test("bytes that are no set of descriptors are an error", () => {
  expect(() => descriptorFiles(Uint8Array.of(0x0a, 5, 1))).toThrow("cut off");
});
