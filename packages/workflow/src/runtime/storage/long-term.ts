/** The store that outlives runs: namespaces of JSON values, in memory or as files. */
import type { FileSystem, Json } from "@kahn/core";
import type { LongTermStore } from "../../definition/nodes.ts";

/** A store that lives as long as its process. */
export function memoryStore(): LongTermStore {
  const spaces = new Map<string, Map<string, string>>();
  const space = (namespace: string) => spaces.get(namespace) ?? new Map<string, string>();
  return {
    get: async (namespace, key) => parsed(space(namespace).get(key)),
    put: async (namespace, key, value) => {
      spaces.set(namespace, space(namespace).set(key, JSON.stringify(value)));
    },
    delete: async (namespace, key) => void space(namespace).delete(key),
    search: async (namespace, prefix) => found([...space(namespace)], prefix),
  };
}

function parsed(text: string | undefined): Json | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}

function found(entries: readonly (readonly [string, string])[], prefix: string): readonly (readonly [string, Json])[] {
  const matching = entries.filter(([key]) => key.startsWith(prefix));
  return matching.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, text]) => [key, JSON.parse(text) as Json] as const);
}

/** A store in a folder: one file for each value, put in place by rename. Names of files are keys in hex. */
export function fileStore(fs: FileSystem, directory: string): LongTermStore {
  const hex = (text: string) => Buffer.from(text).toString("hex") || "-";
  const folder = (namespace: string) => `${directory}/${hex(namespace)}`;
  const path = (namespace: string, key: string) => `${folder(namespace)}/${hex(key)}.json`;
  const text = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
  return {
    get: async (namespace, key) => parsed(text(fs.readFile(path(namespace, key)))),
    put: async (namespace, key, value) => {
      fs.makeDirectory(folder(namespace));
      const fresh = `${path(namespace, key)}.new`;
      fs.writeFile(fresh, JSON.stringify(value));
      fs.rename(fresh, path(namespace, key));
    },
    delete: async (namespace, key) => void fs.remove(path(namespace, key)),
    search: async (namespace, prefix) => {
      const names = (fs.readDirectory(folder(namespace)) ?? [])
        .map((entry) => entry.name)
        .filter((name) => name.endsWith(".json"));
      const entries = names.flatMap((name) => {
        const value = text(fs.readFile(`${folder(namespace)}/${name}`));
        return value === undefined ? [] : [[Buffer.from(name.slice(0, -5), "hex").toString("utf8"), value] as const];
      });
      return found(entries, prefix);
    },
  };
}
