#!/usr/bin/env node
/**
 * `node tools/zstd.mjs`: makes `packages/remote/src/store/generated/zstd-code.ts`, the WebAssembly code of zstd as text.
 *
 * A bundle of one file cannot bring a `.wasm` file along, and Node has zstd of its own from 22.15 on only. Two builds of
 * the same library come from npm: one that compresses, and one that decompresses in pieces.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { ROOT } from "./repository.mjs";

const PATH = join(ROOT, "packages/remote/src/store/generated/zstd-code.ts");
const LINE = 120;

const require = createRequire(join(ROOT, "packages/remote/package.json"));

/** @param {string} name @returns {Buffer} */
function compressor(name) {
  return readFileSync(join(dirname(require.resolve(name)), "zstd.wasm"));
}

/** @param {string} name @returns {Buffer} */
function decompressor(name) {
  const text = readFileSync(join(dirname(require.resolve(name)), "zstddec-stream.mjs"), "utf8");
  const code = /["'`](AGFzbQ[A-Za-z0-9+/=]{1000,})["'`]/.exec(text)?.[1];
  if (code === undefined) throw new Error(`${name} holds no WebAssembly code in base64`);
  return Buffer.from(code, "base64");
}

/** @param {Buffer} code @returns {string} */
function asText(code) {
  const packed = brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).toString("base64");
  const lines = packed.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return `\`\n${lines.join("\n")}\n\``;
}

const text = `/**
 * zstd as WebAssembly, compressed with brotli, in base64. Made by tools/zstd.mjs; do not edit.
 *
 * Source: @bokuweb/zstd-wasm 0.0.27 (MIT) and zstddec 0.3.4 (MIT), both builds of zstd (BSD-3-Clause): see NOTICE.
 */

/** Compresses; exports have short names, see zstd-wasm.ts. */
export const COMPRESSOR = ${asText(compressor("@bokuweb/zstd-wasm"))};

/** Decompresses in pieces. */
export const DECOMPRESSOR = ${asText(decompressor("zstddec"))};
`;

writeFileSync(PATH, text);
