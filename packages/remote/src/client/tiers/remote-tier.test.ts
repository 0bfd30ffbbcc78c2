// Goal: two machines share results through a server as through one store, and a server that goes costs one warning.
// Method: the real services, and `tiered` over stores in memory.
import { type TieredStore, tiered } from "@kahn/cas";
import { type ActionResult, digestOf, type Problem, treeOf } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import {
  closedAddress,
  type MemoryActionCache,
  type MemoryBlobStore,
  memoryActionCache,
  memoryBlobStore,
} from "@kahn/testing";
import { expect, onTestFinished, test } from "vitest";
import type { Access } from "../../reapi/index.ts";
import { blob, memoryFiles, realServer, value } from "../client.fixture.ts";
import { openClient } from "../open-client.ts";

const ACTION = digestOf("action");

function machine(url: string): TieredStore & {
  readonly fs: ReturnType<typeof memoryFiles>;
  readonly local: { readonly blobs: MemoryBlobStore; readonly actions: MemoryActionCache };
  readonly warnings: Problem[];
} {
  const fs = memoryFiles();
  const clock = nodeClock();
  const random = nodeRandom();
  const blobs = memoryBlobStore(fs);
  const local = { blobs, actions: memoryActionCache(blobs) };
  const client = openClient({ url, fs, clock, random, headers: { authorization: "Bearer x" } });
  if (!client.ok) throw new Error(client.problem.message);
  onTestFinished(() => client.value.close());
  const warnings: Problem[] = [];
  const store = tiered({
    local,
    remotes: [{ ...client.value.tier, read: true, write: true }],
    fs,
    clock,
    random,
    temporary: "/work/tmp",
    onWarning: (warned) => void warnings.push(warned),
    uploads: { atOnceMax: 4, waitingMax: 16 },
    downloads: "when-needed",
  });
  return { fs, local, warnings, ...store };
}

async function build(here: ReturnType<typeof machine>): Promise<ActionResult> {
  const file = blob("a file");
  const tree = treeOf([{ kind: "file", path: "x", digest: file.digest, executable: false }]);
  value(await here.blobs.write(file.digest, file.bytes));
  value(await here.blobs.write(tree.digest, tree.bytes));
  const result: ActionResult = {
    outputFiles: [],
    outputDirectories: [{ path: "dist", tree: tree.digest }],
    outputSymlinks: [],
    exitCode: 0,
    stdoutRaw: new Uint8Array(Buffer.from("said")),
    metadata: { worker: "here" },
  };
  value(await here.actions.record(ACTION, result));
  await here.sent();
  return result;
}

test("what one machine recorded is a hit on the other, which fetches the tree, and the files when it restores", async () => {
  const server = await realServer({ zstd: "none" });
  const [here, there] = [machine(`grpc://${server.target}`), machine(`grpc://${server.target}`)];
  const result = await build(here);
  expect(value(await there.actions.lookup(ACTION))).toStrictEqual({
    kind: "hit",
    result,
    from: `grpc://${server.target}`,
  });
  expect(there.local.blobs.size).toBe(1);
  const request = { digest: blob("a file").digest, path: "/work/x", executable: false, how: "copy" } as const;
  expect(value(await there.blobs.materialize([request]))).toStrictEqual(["done"]);
  expect(Buffer.from(there.fs.readFile("/work/x")!).toString()).toBe("a file");
  // Sent again, nothing but the question goes over the wire.
  const before = new Map(server.calls);
  await build(here);
  expect(server.calls.get("BatchUpdateBlobs")).toBe(before.get("BatchUpdateBlobs"));
  expect([here.warnings, there.warnings, server.faults]).toStrictEqual([[], [], []]);
});

test("a server that is gone is warned of once, and results are at hand all the same", async () => {
  const here = machine(`grpc://${await closedAddress()}`);
  const result = await build(here);
  await build(here);
  expect(value(await here.actions.lookup(ACTION))).toStrictEqual({ kind: "hit", result });
  expect(value(await here.actions.lookup(digestOf("other"))).kind).toBe("miss");
  expect(here.warnings.map(({ code }) => code)).toStrictEqual(["cache-tier-down"]);
});

test("a server that takes no results is read, and sent nothing", async () => {
  const readOnly: Access = {
    may: (_, { what }) =>
      what.endsWith(".write") ? { kind: "denied", because: "forbidden", message: "read only" } : { kind: "allowed" },
  };
  const server = await realServer({ zstd: "none", access: readOnly });
  const here = machine(`grpc://${server.target}`);
  await build(here);
  expect(server.calls.get("BatchUpdateBlobs")).toBe(undefined);
  expect(value(await here.actions.lookup(digestOf("other"))).kind).toBe("miss");
  expect(here.warnings).toStrictEqual([]);
});
