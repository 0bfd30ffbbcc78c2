#!/usr/bin/env node
/**
 * Writes packages/remote/src/proto/generated from the .proto files beside it.
 *
 * `node tools/protos.mjs` writes the codecs anew from the checked-in descriptors. With `--descriptors` it first makes
 * those from the .proto files, for which it needs `protoc` (Debian: protobuf-compiler) on the PATH or in PROTOC.
 * protos.test.ts fails while a file is not what this would write.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { descriptorOf } from "./protos/descriptor.mjs";
import { moduleName, moduleText } from "./protos/module-text.mjs";
import { ROOT } from "./repository.mjs";

const PROTO = join(ROOT, "packages/remote/src/proto");
const DESCRIPTORS = join(PROTO, "generated/descriptors.ts");

/** Files that are in the descriptors, because others import them, and of which nothing is encoded. */
const NO_CODEC = /^google\/api\/|^google\/protobuf\/descriptor\.proto$|\/v1alpha\//;

/**
 * The serialized `FileDescriptorSet` of all .proto files; `undefined` without a protoc.
 *
 * @returns {Buffer | undefined}
 */
export function compiledDescriptors() {
  const protoc = process.env.PROTOC ?? "protoc";
  try {
    execFileSync(protoc, ["--version"], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  const sources = join(PROTO, "sources");
  const directory = mkdtempSync(join(tmpdir(), "kahn-protos-"));
  try {
    const out = join(directory, "set.bin");
    execFileSync(protoc, ["-I", sources, "--include_imports", "-o", out, ...protoFiles(sources)]);
    return readFileSync(out);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The serialized `FileDescriptorSet` that is checked in. */
export function checkedInDescriptors() {
  const base64 = /"([A-Za-z0-9+/=]+)"/.exec(readFileSync(DESCRIPTORS, "utf8"))?.[1] ?? "";
  return inflateRawSync(Buffer.from(base64, "base64"));
}

/**
 * The text of every generated codec module by its absolute path.
 *
 * @param {Uint8Array} set a serialized `FileDescriptorSet`
 * @returns {Record<string, string>}
 */
export function codecModules(set) {
  const files = descriptorOf(set);
  const written = files.filter((file) => !NO_CODEC.test(file.name));
  return Object.fromEntries(
    written.map((file) => [join(PROTO, "generated", moduleName(file.name)), moduleText(file, files)]),
  );
}

/** @param {string} sources */
function protoFiles(sources) {
  const paths = readdirSync(sources, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".proto")).sort();
}

/** @param {Uint8Array} set */
function descriptorsText(set) {
  const base64 = deflateRawSync(set, { level: 9 }).toString("base64");
  return `// Written by tools/protos.mjs. Do not edit.

/** The serialized \`FileDescriptorSet\` of ../sources, raw deflate, base64: see ../descriptors.ts. */
export const DESCRIPTOR_SET =
  "${base64}";
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--descriptors")) {
    const set = compiledDescriptors();
    if (set === undefined) throw new Error("no protoc: install protobuf-compiler, or name one in PROTOC");
    writeFileSync(DESCRIPTORS, descriptorsText(set));
  }
  for (const [path, text] of Object.entries(codecModules(checkedInDescriptors()))) writeFileSync(path, text);
}
