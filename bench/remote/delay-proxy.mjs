/**
 * A TCP proxy that holds every byte back for a while, each way, and limits nothing else:
 * `node delay-proxy.mjs PORT DELAY_MS` says its port by a message; `node delay-proxy.mjs check` measures the proxy itself.
 */
import { fork } from "node:child_process";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";

const CHECK_BYTES = 512 << 20;
// What may be on its way before the sender has to wait: 10 ms of 3 GB/s.
const HELD_MAX_BYTES = 32 << 20;

if (process.argv[2] === "check") await check();
else serve(Number(process.argv[2]), Number(process.argv[3]));

/** @param {number} target @param {number} delayMs */
function serve(target, delayMs) {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    delay(near, far, delayMs);
    delay(far, near, delayMs);
  });
  process.on("disconnect", () => process.exit());
  server.listen(0, "127.0.0.1", () => {
    process.send?.(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
  });
}

/** @param {import("node:net").Socket} from @param {import("node:net").Socket} to @param {number} delayMs */
function delay(from, to, delayMs) {
  /** @type {{ dueMs: number, chunk: Buffer | null }[]} */
  let held = [];
  let heldBytes = 0;
  let isTimed = false;
  /** @param {number} ms */
  const later = (ms) => {
    isTimed = true;
    setTimeout(release, ms);
  };
  const release = () => {
    isTimed = false;
    const nowMs = performance.now();
    let due = 0;
    to.cork();
    for (const { dueMs, chunk } of held) {
      if (dueMs > nowMs) break;
      due++;
      if (chunk === null) to.end();
      else {
        heldBytes -= chunk.length;
        to.write(chunk);
      }
    }
    to.uncork();
    held = held.slice(due);
    if (heldBytes < HELD_MAX_BYTES) from.resume();
    if (held[0] !== undefined) later(Math.max(1, held[0].dueMs - nowMs));
  };
  /** @param {Buffer | null} chunk */
  const hold = (chunk) => {
    // Timers are late by up to a millisecond.
    held.push({ dueMs: performance.now() + delayMs - 0.5, chunk });
    heldBytes += chunk?.length ?? 0;
    if (heldBytes >= HELD_MAX_BYTES) from.pause();
    if (!isTimed) later(delayMs);
  };
  from.on("data", hold);
  from.on("end", () => hold(null));
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroySoon());
}

/** How much goes through, and how long a byte takes there and back. */
async function check() {
  const sink = createServer((socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes === 1 || bytes === CHECK_BYTES + 1) socket.write("x");
    });
  });
  await new Promise((resolve) => sink.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port: target } = /** @type {import("node:net").AddressInfo} */ (sink.address());
  const child = fork(fileURLToPath(import.meta.url), [String(target), "10"]);
  const port = await new Promise((resolve) => child.once("message", resolve));
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const answer = () => new Promise((resolve) => socket.once("data", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  let startMs = performance.now();
  socket.write("x");
  await answer();
  console.log(`round trip ${(performance.now() - startMs).toFixed(1)} ms`);
  startMs = performance.now();
  const piece = Buffer.alloc(1 << 20);
  const answered = answer();
  for (let at = 0; at < CHECK_BYTES; at += piece.length) {
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  await answered;
  console.log(`${(CHECK_BYTES / 1e3 / (performance.now() - startMs)).toFixed(0)} MB/s`);
  socket.destroy();
  child.disconnect();
  sink.close();
}
