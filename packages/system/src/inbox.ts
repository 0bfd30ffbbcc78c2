/**
 * Commands for a run that another process owns: files in a folder of that run, and their answers.
 *
 * Owns:      the life of a command: `<id>.command` (sent) → `<id>.claimed` (an owner has begun) → `<id>.answer`.
 * Never:     knows what a command means, or who owns the run: the owner holds the run's lock (`lock.ts`).
 * Invariant: each step is one rename, so a command is in one state; a claimed file is replaced by one that holds the
 *            answer before it becomes the answer. So a command whose answer was decided is never handled again, and
 *            one whose owner died before that comes to the next owner under the same id.
 *
 * Exactly once: the handler journals a command with its id, and answers a second delivery of that id from the journal.
 * A sender that gives up takes its command back, which is certain: either nobody had claimed it and nobody ever will
 * (`inbox-withdrawn`), or somebody had (`inbox-unanswered`).
 *
 * Nobody may own the run. So a sender waits for the run's lock while it waits for the answer; if it gets the lock, it
 * is the owner, and `drain` has it handle what is there, its own command included.
 *
 * Noticing: `fs.watch`, which tells within a millisecond, and a slow poll, for it may tell nothing on some file systems.
 */
import { watch } from "node:fs";
import type { Clock, FileSystem, Json, Problem, Random, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem, randomHex } from "@kahn/core";

/** Where an inbox is, and what it lives by. */
export interface InboxOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute; made when needed. */
  readonly directory: string;
  /** How often to look without having been told, in milliseconds; default 500. */
  readonly pollMs?: number;
  /** Calls `changed` when an entry of the directory changes; default: `fs.watch`. */
  readonly watchDirectory?: (directory: string, changed: () => void) => { close(): void };
}

/** A command as the owner gets it. */
export interface InboxCommand {
  /** The same at every delivery. */
  readonly id: string;
  readonly command: Json;
}

/** Carries a command out and gives its answer. Called for one command at a time; a rejection is a bug of the owner. */
export type InboxHandler = (command: InboxCommand) => Promise<Json>;

/** Why there is no answer. */
export type InboxProblem = Problem<"inbox-withdrawn" | "inbox-unanswered" | "inbox-io">;

/** The inbox of one run. */
export interface Inbox {
  /**
   * Sends a command and waits for its answer.
   *
   * @returns the answer; `inbox-withdrawn` when time was up or the signal aborted before an owner began: the command
   *          is not carried out; `inbox-unanswered` when an owner had begun: it may still be carried out.
   */
  send(
    command: Json,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Result<Json, InboxProblem>>;
  /**
   * For the owner: handles commands as they come, in the order of sending. What the device refuses is tried again at
   * the next poll. `close` waits for the command under way.
   */
  watch(handler: InboxHandler): { close(): Promise<void> };
  /** For the owner: handles what is there now; resolves with how many commands that were. */
  drain(handler: InboxHandler): Promise<Result<number, InboxProblem>>;
}

/** What a file of any state holds. */
interface Letter extends InboxCommand {
  readonly answer?: Json;
}

const POLL_MS = 500;
/** An answer that nobody fetched is removed after this. */
const ANSWER_KEPT_MS = 3_600_000;

/** Opens the inbox of a run, for sender or owner. Touches nothing until it is used. */
export function openInbox(options: InboxOptions): Inbox {
  return new FolderInbox(options);
}

class FolderInbox implements Inbox {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #directory: string;
  readonly #pollMs: number;
  readonly #watchDirectory: NonNullable<InboxOptions["watchDirectory"]>;
  /** Deliveries follow one another, whoever asks for them. */
  #delivery: Promise<unknown> = Promise.resolve();

  constructor({ fs, clock, random, directory, pollMs = POLL_MS, watchDirectory = watchByNode }: InboxOptions) {
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.#directory = directory;
    this.#pollMs = pollMs;
    this.#watchDirectory = watchDirectory;
  }

  async send(
    command: Json,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Result<Json, InboxProblem>> {
    // The time first, so that names sort by it.
    const id = `${this.#clock.nowMs().toString(36).padStart(9, "0")}-${randomHex(this.#random, 16)}`;
    const letter: Letter = { id, command };
    try {
      this.#fs.makeDirectory(this.#directory);
      this.#put(letter, "command");
      return await this.#answerTo(id, { timeoutMs, signal });
    } catch (error) {
      return err(this.#refused(error));
    }
  }

  watch(handler: InboxHandler): { close(): Promise<void> } {
    this.#fs.makeDirectory(this.#directory);
    this.#removeOldAnswers();
    const stop = this.#onChange(() => void this.drain(handler));
    void this.drain(handler);
    return {
      close: async () => {
        stop();
        await this.#delivery;
      },
    };
  }

  drain(handler: InboxHandler): Promise<Result<number, InboxProblem>> {
    const delivery = this.#delivery.then(async () => {
      try {
        return ok(await this.#deliver(handler));
      } catch (error) {
        return err(this.#refused(error));
      }
    });
    this.#delivery = delivery;
    return delivery;
  }

  async #deliver(handler: InboxHandler): Promise<number> {
    let handled = 0;
    for (const { id, state } of this.#letters()) {
      if (state === "answer") continue;
      // Renaming decides against a sender who takes it back at this moment.
      if (state === "command" && !this.#move(id, "command", "claimed")) continue;
      const letter = this.#read(id, "claimed");
      if (letter === undefined) this.#fs.remove(this.#path(id, "claimed"));
      else {
        if (letter.answer === undefined) this.#put({ ...letter, answer: await handler(letter) }, "claimed");
        this.#move(id, "claimed", "answer");
        handled++;
      }
    }
    return handled;
  }

  /** Waits for the answer, fetches and removes it. */
  async #answerTo(
    id: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ): Promise<Result<Json, InboxProblem>> {
    const reason = await new Promise<"answered" | "timed out" | "cancelled">((resolve) => {
      const finish = (how: "answered" | "timed out" | "cancelled") => {
        stop();
        timer.cancel();
        signal?.removeEventListener("abort", abort);
        resolve(how);
      };
      const look = () => {
        if (this.#fs.lstat(this.#path(id, "answer")) !== undefined) finish("answered");
      };
      const abort = () => finish("cancelled");
      const timer = this.#clock.setTimer(timeoutMs, () => finish("timed out"));
      const stop = this.#onChange(look);
      signal?.addEventListener("abort", abort);
      if (signal?.aborted === true) abort();
      else look();
    });
    const answer = this.#fetch(id);
    if (answer !== undefined) return ok(answer);
    const isWithdrawn = this.#move(id, "command", "withdrawn");
    if (isWithdrawn) this.#fs.remove(this.#path(id, "withdrawn"));
    // An answer that came while the command was being taken back.
    const late = isWithdrawn ? undefined : this.#fetch(id);
    return late === undefined ? err(this.#silence(reason, isWithdrawn)) : ok(late);
  }

  #fetch(id: string): Json | undefined {
    const answer = this.#read(id, "answer")?.answer;
    if (answer !== undefined) this.#fs.remove(this.#path(id, "answer"));
    return answer;
  }

  /** The device's refusal; anything else is thrown on. */
  #refused(error: unknown): InboxProblem {
    if (!(error instanceof FileSystemError)) throw error;
    return problem("inbox-io", `A command could not pass through ${this.#directory}: ${error.message}.`, {
      next: "Check the device and its permissions, and send it again.",
    });
  }

  #silence(reason: string, isWithdrawn: boolean): InboxProblem {
    return isWithdrawn
      ? problem("inbox-withdrawn", `Nobody took the command from ${this.#directory} (${reason}); it was taken back.`, {
          next: "Check that the process which owns the run is alive and responding, and send it again.",
        })
      : problem("inbox-unanswered", `The command in ${this.#directory} was taken but not answered (${reason}).`, {
          next: "Look at the run to see whether it was carried out.",
        });
  }

  /** In the order of sending; what is in no state of a command is left out. */
  #letters(): { readonly id: string; readonly state: string }[] {
    const letters = [];
    for (const { name } of this.#fs.readDirectory(this.#directory) ?? []) {
      const match = /^([0-9a-z]{9,}-[0-9a-f]{16})\.(command|claimed|answer)$/.exec(name);
      if (match !== null) letters.push({ id: match[1]!, state: match[2]! });
    }
    return letters.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #removeOldAnswers(): void {
    for (const { id, state } of this.#letters()) {
      const path = this.#path(id, state);
      const ageMs = this.#clock.nowMs() - (this.#fs.lstat(path)?.mtimeMs ?? Number.POSITIVE_INFINITY);
      if (state === "answer" && ageMs > ANSWER_KEPT_MS) this.#fs.remove(path);
    }
  }

  /** Calls `look` when something may have changed, until the returned function is called. */
  #onChange(look: () => void): () => void {
    const watcher = this.#watchDirectory(this.#directory, look);
    const poll = () => {
      timer = this.#clock.setTimer(this.#pollMs, poll);
      look();
    };
    let timer = this.#clock.setTimer(this.#pollMs, poll);
    return () => {
      watcher.close();
      timer.cancel();
    };
  }

  #put(letter: Letter, state: string): void {
    // The name belongs to no state, so a half written file is nobody's; the next writer of this id replaces it.
    const fresh = this.#path(letter.id, "new");
    this.#fs.writeFile(fresh, JSON.stringify(letter));
    this.#fs.rename(fresh, this.#path(letter.id, state));
  }

  /** `undefined` when it is not there, or a loss of power left no whole file. */
  #read(id: string, state: string): Letter | undefined {
    const bytes = this.#fs.readFile(this.#path(id, state));
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(Buffer.from(bytes).toString("utf8")) as Letter;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** `false` when it was not in that state. */
  #move(id: string, from: string, to: string): boolean {
    try {
      this.#fs.rename(this.#path(id, from), this.#path(id, to));
      return true;
    } catch (error) {
      if (error instanceof FileSystemError && error.code === "ENOENT") return false;
      throw error;
    }
  }

  #path(id: string, state: string): string {
    return `${this.#directory}/${id}.${state}`;
  }
}

function watchByNode(directory: string, changed: () => void): { close(): void } {
  try {
    const watcher = watch(directory, { persistent: false }, changed);
    // Too many watches, or the folder was removed: the poll remains.
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch (error) {
    if (error instanceof Error && "errno" in error) return { close: () => {} };
    throw error;
  }
}
