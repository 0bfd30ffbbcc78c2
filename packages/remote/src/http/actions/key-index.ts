/**
 * Which keys of GitHub Actions there are, newest first, so that a prefix of one can be found.
 *
 * Method:    one list for each layer and version (a hash of paths and compression, so lists are short), kept as a blob
 *            under a name. It is a hint: a key that it names may be gone.
 * Invariant: changes to lists follow one another.
 */
import type { ServerStore } from "../../store/server-store.ts";
import { stored } from "../exchange/http-refusal.ts";

const KEYS_MAX = 1000;
/** So many keys with a prefix are tried before it counts as unknown. */
const TRIED_MAX = 50;

/** Where a list is. */
export interface KeyList {
  readonly namespace: string;
  readonly version: string;
}

/** The lists of a store. */
export class ActionsIndex {
  readonly #store: ServerStore;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: ServerStore) {
    this.#store = store;
  }

  /** Puts a key at the head of a list. @throws HttpRefusal */
  async add(list: KeyList, key: string): Promise<void> {
    const adding = this.#last.then(async () => {
      const keys = [key, ...(await this.#keys(list)).filter((each) => each !== key)].slice(0, KEYS_MAX);
      const bytes = Buffer.from(JSON.stringify(keys));
      stored(await this.#store.entries.putBytes(list.namespace, list.version, { bytes, facts: {} }));
    });
    this.#last = adding.catch(() => undefined);
    await adding;
  }

  /** The keys with this prefix that are worth a try, newest first. @throws HttpRefusal */
  async matching(list: KeyList, prefix: string): Promise<readonly string[]> {
    return (await this.#keys(list)).filter((key) => key.startsWith(prefix)).slice(0, TRIED_MAX);
  }

  async #keys({ namespace, version }: KeyList): Promise<readonly string[]> {
    const entry = stored(await this.#store.entries.get(namespace, version));
    const bytes = entry && stored(await this.#store.blobs.read(entry.digest));
    return bytes === undefined ? [] : (JSON.parse(Buffer.from(bytes).toString()) as string[]);
  }
}
