/**
 * Evaluates `kahn.config.ts` and its kin.
 *
 * Owns:      native import where it works, else jiti with its cache of transpiled files.
 * Invariant: jiti (50 ms at best) is loaded only when Node cannot import the file. When the model cache answers, nothing
 *            is evaluated at all: it holds what the configuration said, as long as its files are unchanged.
 */
import { pathToFileURL } from "node:url";
import type { FileSystem } from "@kahn/core";
import { digestHash, digestOf, FileSystemError } from "@kahn/core";
import type { ImportModule } from "./read-config.ts";

/** How modules are evaluated. */
export interface ModuleImporterOptions {
  readonly fs: FileSystem;
  /** Absolute path of a folder for jiti's transpiled files. */
  readonly cacheDirectory: string;
  /** Node's own import unless a test stands in for an older Node. */
  readonly importNative?: (url: string) => Promise<unknown>;
}

/** Node's refusals of a file that jiti may still understand. */
const NOT_NATIVE = new Set(["ERR_UNKNOWN_FILE_EXTENSION", "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX", "ERR_REQUIRE_ESM"]);

/** Makes an importer for `loadWorkspace`. */
export function createModuleImporter(options: ModuleImporterOptions): ImportModule {
  const importNative = options.importNative ?? ((url: string) => import(url) as Promise<unknown>);
  return async (path, text) => {
    // A query that differs with the text: the same process may read the file again after an edit (watch).
    const version = digestHash(digestOf(text)).slice(0, 16);
    try {
      return defaultOf(await importNative(`${pathToFileURL(path).href}?v=${version}`));
    } catch (error) {
      if (!needsJiti(error, path)) throw error;
      return importWithJiti(path, options);
    }
  };
}

function defaultOf(module: unknown): unknown {
  return (module as { default?: unknown }).default;
}

function needsJiti(error: unknown, path: string): boolean {
  const isTypeScript = /\.m?ts$/.test(path);
  if (!isTypeScript) return false;
  const code = (error as { code?: string }).code;
  // A `.ts` file in a package of type commonjs is parsed as CommonJS: a SyntaxError about import or export.
  return (code !== undefined && NOT_NATIVE.has(code)) || error instanceof SyntaxError;
}

async function importWithJiti(path: string, options: ModuleImporterOptions): Promise<unknown> {
  const { createJiti } = await import("jiti").catch((error: unknown) => {
    const advice = "this Node cannot import TypeScript; use Node 22.18 or later, install jiti, or write it in .mjs";
    throw new Error(advice, { cause: error });
  });
  const fsCache = isWritable(options) ? options.cacheDirectory : false;
  // No module cache: the same process may read the file again after an edit.
  const jiti = createJiti(path, { fsCache, moduleCache: false, interopDefault: true });
  return jiti.import(path, { default: true });
}

function isWritable({ fs, cacheDirectory }: ModuleImporterOptions): boolean {
  try {
    fs.makeDirectory(cacheDirectory);
    return true;
  } catch (error) {
    if (error instanceof FileSystemError) return false;
    throw error;
  }
}
