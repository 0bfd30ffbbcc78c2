/** Where nobody listens. */
import { createServer } from "node:net";

/** `127.0.0.1:PORT` with a port that was free a moment ago, for tests of what happens when nobody answers. */
export function closedAddress(): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(`127.0.0.1:${port}`));
    });
  });
}
