/**
 * Passwords are checked on a thread of their own: bcrypt takes tens of milliseconds, in which nobody else would be served.
 *
 * Owns:      the thread, which is started with the first check and again after it was lost.
 * Invariant: every check is answered; those of a thread that is lost, or that does not start, are made on this one.
 *            The thread keeps no program from ending.
 */
import { Worker } from "node:worker_threads";
import { isPassword, type PasswordCheck } from "./password-hash.ts";

/** To the thread. */
export interface PasswordQuestion {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

/** From the thread. */
export interface PasswordAnswer {
  readonly id: number;
  readonly isRight: boolean;
}

/** Checks passwords. */
export interface PasswordThread {
  readonly check: PasswordCheck;
  /** Ends the thread; another check starts it again. */
  close(): Promise<void>;
}

interface Pending {
  readonly question: PasswordQuestion;
  readonly settle: (isRight: boolean | Promise<boolean>) => void;
}

/** Of Mebibytes: bcrypt takes a few thousand bytes, and the program half a megabyte. */
const HEAP_MAX = 32;

/** @param program absolute path of the bundled `password-main`. */
export function passwordThread(program: string): PasswordThread {
  let worker: Worker | undefined;
  let last = 0;
  const pending = new Map<number, Pending>();
  const lost = (which: Worker): void => {
    if (worker !== which) return;
    worker = undefined;
    const left = [...pending.values()];
    pending.clear();
    for (const { question, settle } of left) settle(isPassword(question.password, question.hash));
  };
  const start = (): Worker => {
    const started = new Worker(program, {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX },
    });
    started.on("message", ({ id, isRight }: PasswordAnswer) => {
      pending.get(id)?.settle(isRight);
      pending.delete(id);
      if (pending.size === 0) started.unref();
    });
    // `exit` follows, too.
    started.on("error", () => lost(started));
    started.on("exit", () => lost(started));
    return started;
  };
  return {
    check: (password, hash) =>
      new Promise((settle) => {
        try {
          worker ??= start();
        } catch {
          // There is none to be had: there are as many as the system allows.
          settle(isPassword(password, hash));
          return;
        }
        const question = { id: ++last, password, hash };
        pending.set(question.id, { question, settle });
        worker.ref();
        worker.postMessage(question);
      }),
    close: async () => {
      const ending = worker;
      if (ending === undefined) return;
      lost(ending);
      await ending.terminate();
    },
  };
}
