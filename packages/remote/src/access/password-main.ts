/**
 * The thread that checks passwords: a program of its own, bundled beside the main one; `passwordThread` runs it.
 *
 * Invariant: each question gets one answer, in order.
 */
import { parentPort } from "node:worker_threads";
import { isPassword } from "./password-hash.ts";
import type { PasswordAnswer, PasswordQuestion } from "./password-thread.ts";

parentPort?.on("message", ({ id, password, hash }: PasswordQuestion) => {
  void isPassword(password, hash).then((isRight) => {
    parentPort?.postMessage({ id, isRight } satisfies PasswordAnswer);
  });
});
