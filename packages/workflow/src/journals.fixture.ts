/** Journals of which a test changes something: when they answer, what they keep, who is told. */
import type { Journal, JournalStore } from "@kahn/core";
import { ok } from "@kahn/core";

/** The store as it is, but for what `change` gives for each journal that is created or opened. */
export function changedJournals(store: JournalStore, change: (journal: Journal) => Partial<Journal>): JournalStore {
  const over = (result: ReturnType<JournalStore["open"]>) =>
    result.ok ? ok(changed(result.value, change(result.value))) : result;
  return {
    create: (id) => over(store.create(id)),
    open: (id, options) => over(store.open(id, options)),
    peek: (id, from) => store.peek(id, from),
    list: () => store.list(),
    remove: (id) => store.remove(id),
  };
}

const changed = (journal: Journal, changes: Partial<Journal>): Journal => ({
  get lastSeq() {
    return journal.lastSeq;
  },
  tornTail: undefined,
  append: (bodies, options) => journal.append(bodies, options),
  read: (from) => journal.read(from),
  writeSnapshot: (state) => journal.writeSnapshot(state),
  readSnapshot: () => journal.readSnapshot(),
  close: () => journal.close(),
  ...changes,
});
