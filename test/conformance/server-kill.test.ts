/**
 * The built server, killed again and again while clients of several protocols write, read and execute.
 *
 * Goal:   after each death every blob on the disk verifies and every result is complete, and what was acknowledged is
 *         there when it is back.
 * Method: the store's folder is looked at between death and restart; acknowledgements are counted, not time.
 */
import { randomBytes, randomInt } from "node:crypto";
import { openDiskStore, verifyStore } from "@kahn/cas";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { afterAll, expect, test } from "vitest";
import { type Digest, digestOf, ReapiClient } from "./rig/reapi-client.ts";
import { endServers, type Served, serve } from "./rig/served.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
/** 200 at the full scale of 10. */
const KILLS = scale <= 1 ? 3 : Math.ceil(20 * scale);
const CLIENTS = 8;
const TURBO = "/v8/artifacts/";

interface Acknowledged {
  readonly blobs: Digest[];
  readonly actions: Digest[];
  readonly artifacts: { readonly name: string; readonly body: Buffer }[];
}

let base: string | undefined;
afterAll(() => endServers(...(base === undefined ? [] : [base])));

test(`a server under mixed load survives ${KILLS} × kill -9`, { timeout: 60_000 + 15_000 * KILLS }, async () => {
  // So small that collections run as well; so large that nothing of one life is collected.
  let server = await serve({ config: "store: { maxSize: 150MB }\nexecution: { sandbox: off }" });
  base = server.base;
  const counts = { blobs: 0, actions: 0, artifacts: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = await killedLife(server, randomInt(1, 120));
    await expectWhole(server.store, `kill ${kill}`);
    server = await server.killAndRestart();
    await expectThere(server, acknowledged);
    for (const kind of ["blobs", "actions", "artifacts"] as const) counts[kind] += acknowledged[kind].length;
    expect(server.told()).toBe("");
  }
  console.log(`counts: ${KILLS} × kill -9 of a server; acknowledged: ${JSON.stringify(counts)}`);
});

/** Lets clients use the server, and kills it after so many acknowledgements. */
async function killedLife(server: Served, count: number): Promise<Acknowledged> {
  const acknowledged: Acknowledged = { blobs: [], actions: [], artifacts: [] };
  const connections = [new ReapiClient(server.address), new ReapiClient(server.address)];
  let left = count;
  let dead: Promise<void> | undefined;
  const wrong: unknown[] = [];
  const acknowledge = (): void => {
    left--;
    if (left <= 0) dead ??= server.kill();
  };
  const client = async (index: number): Promise<void> => {
    const use = user(server, connections[index % connections.length]!, { acknowledged, acknowledge });
    while (dead === undefined) {
      try {
        await use();
      } catch (error) {
        if (dead === undefined) wrong.push(error);
        acknowledge();
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
  await dead;
  for (const connection of connections) connection.close();
  expect(wrong).toEqual([]);
  return acknowledged;
}

interface Notes {
  readonly acknowledged: Acknowledged;
  acknowledge(): void;
}

/** One round of a client: blobs in a batch and in a stream, their result, an artifact, a read, an action. */
function user(server: Served, client: ReapiClient, { acknowledged, acknowledge }: Notes) {
  return async (): Promise<void> => {
    const small = await client.put([randomBytes(randomInt(1, 5000)), randomBytes(randomInt(1, 60_000))]);
    acknowledged.blobs.push(...small);
    acknowledge();
    const bytes = randomBytes(randomInt(70_000, 1_500_000));
    const large = digestOf(bytes);
    await client.write(large, pieces(bytes, randomInt(1000, 200_000)));
    acknowledged.blobs.push(large);
    acknowledge();
    const actionDigest = digestOf(randomBytes(8));
    const outputFiles = [...small, large].map((digest, index) => ({ path: `${index}`, digest }));
    await client.unary("ActionCache/UpdateActionResult", { actionDigest, actionResult: { outputFiles } });
    acknowledged.actions.push(actionDigest);
    acknowledge();
    const body = randomBytes(randomInt(1, 200_000));
    const name = randomBytes(8).toString("hex");
    const put = await fetch(`http://${server.address}${TURBO}${name}`, { method: "PUT", body });
    if (!put.ok) throw new Error(`PUT answered ${put.status}`);
    acknowledged.artifacts.push({ name, body });
    acknowledge();
    await expectBlob(client, large);
    if (randomInt(0, 4) > 0) return;
    const action = await client.putAction(`echo ${name} > out`, { outputs: ["out"] });
    const { status } = await client.execute(action);
    if ((status?.code ?? 0) !== 0) throw new Error(status!.message);
    acknowledged.actions.push(action);
    acknowledge();
  };
}

async function expectWhole(root: string, when: string): Promise<void> {
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), owner: ownIdentity(), livenessOf };
  const store = openDiskStore({ ...ports, root });
  if (!store.ok) throw new Error(store.problem.message);
  const report = await verifyStore(store.value);
  if (!report.ok) throw new Error(report.problem.message);
  expect([report.value.corrupt, report.value.incomplete], when).toEqual([[], []]);
  await store.value.close({ sync: false });
}

async function expectThere(server: Served, { blobs, actions, artifacts }: Acknowledged): Promise<void> {
  const client = new ReapiClient(server.address);
  expect(await client.missing(blobs)).toEqual([]);
  for (const blob of blobs.slice(-20)) await expectBlob(client, blob);
  for (const actionDigest of actions) {
    const { outputFiles } = await client.unary<{ outputFiles: { digest: Digest }[] }>("ActionCache/GetActionResult", {
      actionDigest,
    });
    expect(await client.missing(outputFiles.map(({ digest }) => digest))).toEqual([]);
  }
  for (const { name, body } of artifacts) {
    const got = await fetch(`http://${server.address}${TURBO}${name}`);
    expect(got.status).toBe(200);
    expect(body.equals(Buffer.from(await got.arrayBuffer()))).toBe(true);
  }
  client.close();
}

async function expectBlob(client: ReapiClient, digest: Digest): Promise<void> {
  const read: Buffer[] = [];
  await client.read(digest, (bytes) => void read.push(bytes));
  expect(digestOf(Buffer.concat(read))).toEqual(digest);
}

function* pieces(bytes: Buffer, sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}
