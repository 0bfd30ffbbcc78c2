/** Lets timers and I/O have their turn between steps that never wait. */

import { MessageChannel } from "node:worker_threads";

/** Resolves in the next round of the event loop, whatever clock is used. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.once("message", () => {
      port1.close();
      resolve();
    });
    port2.postMessage(undefined);
  });
}
