/**
 * The HTTP caches of the tree over a store on disk: `node http-server.mjs FOLDER batched|none`, started by `http.mjs`.
 * Says its port.
 */
import { loadTree } from "./tree.mjs";

const [, , folder = "", durability = "batched"] = process.argv;

const { httpCaches, openPort, openServerStore, OPEN_ACCESS, clock, hashers, ...system } = await loadTree(`
  export { openServerStore } from "./packages/remote/src/store/open-server-store.ts";
  export { openPort } from "./packages/remote/src/port/index.ts";
  export { httpCaches } from "./packages/remote/src/http/index.ts";
  export { OPEN_ACCESS } from "./packages/remote/src/reapi/requests/access-port.ts";
`);
system.growHeapFreely();
const random = system.nodeRandom();
const { livenessOf } = system;
const store = await openServerStore({
  ...{ clock, random, livenessOf, hashers, durability },
  fs: system.nodeFileSystem(),
  root: folder,
  owner: system.ownIdentity(),
});
if (!store.ok) throw new Error(store.problem.message);
const onRequest = httpCaches({ store: store.value, access: OPEN_ACCESS, clock, random, status: () => ({}) });
const port = await openPort({ address: { kind: "tcp", host: "127.0.0.1", port: 0 }, clock, onRequest });
if (!port.ok) throw new Error(port.problem.message);
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.send?.(port.value.address.port);
