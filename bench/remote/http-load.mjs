/**
 * Sends large bodies without making each anew, which costs `wrk` more than a server needs to take them:
 * `node http-load.mjs PORT SERIAL SIZE CONNECTIONS SECONDS`. Each body begins with its own name. Prints JSON.
 */
import { connect } from "node:net";

const [port = 0, serial = 0, sizeBytes = 0, connections = 0, seconds = 0] = process.argv.slice(2).map(Number);
const filler = Buffer.alloc(sizeBytes - 16, "x");
const counts = { requests: 0, refused: 0 };
const hex = (/** @type {number} */ number) => number.toString(16).padStart(8, "0");
let sent = 0;
const startMs = performance.now();
const isOver = () => performance.now() - startMs > seconds * 1000;

await Promise.all(Array.from({ length: connections }, run));
console.log(JSON.stringify({ ...counts, seconds: (performance.now() - startMs) / 1000 }));

/** One connection: an answer, then the next request. @returns {Promise<void>} */
function run() {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", send);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      const head = answer.indexOf("\r\n\r\n");
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(answer)?.[1] ?? 0);
      if (head < 0 || answer.length < head + 4 + length) return;
      counts.requests++;
      if (!/^HTTP\/1.1 2/.test(answer)) counts.refused++;
      answer = "";
      if (!isOver()) return send();
      socket.destroy();
    });
    socket.on("error", reject);
    // Some servers end a connection now and then.
    socket.on("close", () => resolve(isOver() ? undefined : run()));
    function send() {
      const name = hex(serial) + hex(++sent);
      const lines = [
        `PUT /v8/artifacts/${name}?slug=team HTTP/1.1`,
        "host: 127.0.0.1",
        "authorization: Bearer tok",
        "content-type: application/octet-stream",
        `content-length: ${sizeBytes}`,
      ];
      socket.cork();
      socket.write(`${lines.join("\r\n")}\r\n\r\n${name}`);
      socket.write(filler);
      socket.uncork();
    }
  });
}
