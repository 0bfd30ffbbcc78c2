/** Uploads that are cut off, taken over, overtaken, gone on with and wrong, many at once. */
import { loadEngine } from "@kahn/cas";
import type { Digest } from "@kahn/core";
import { memoryFileSystem, settled, testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StatusCode } from "../../grpc/index.ts";
import { lateAppends, lateHashers } from "../../store/late-hashers.fixture.ts";
import type { ServerStore } from "../../store/server-store.ts";
import { memoryOptions, memoryStore, turningClock, value } from "../../store/store.fixture.ts";
import type { ReapiServer, TestBlob } from "../reapi-server.fixture.ts";
import { blobOf, METHODS, noise, startReapiOn, writeName } from "../reapi-server.fixture.ts";
import { frameOf } from "../stored-zstd.fixture.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const SIZES = [70_000, 300_000, 900_000, 2_500_000];
const BLOBS: readonly Pick<TestBlob, "bytes" | "digest">[] = [
  ...SIZES.map((size, seed) => blobOf(noise(size, seed + 1))),
  // One that no thread hashes.
  await blake3Blob(noise(700_000, 9)),
];

async function blake3Blob(bytes: Buffer) {
  return { bytes, digest: (await loadEngine("blake3")).digest(bytes) };
}

/** What one client does. */
interface Plan {
  readonly blob: number;
  readonly upload: string;
  readonly compressor: "identity" | "zstd";
  readonly messageBytes: number;
  readonly how: "whole" | "cancel" | "half" | "wrong" | "resume";
  /** Where it stops, of all messages. */
  readonly part: number;
  /** Turns of the event loop before it begins, and between its messages. */
  readonly pauses: readonly [number, number];
}

const plan: fc.Arbitrary<Plan> = fc.record({
  blob: fc.nat(BLOBS.length - 1),
  upload: fc.constantFrom("u1", "u2"),
  compressor: fc.constantFrom("identity", "identity", "zstd"),
  messageBytes: fc.constantFrom(20_000, 140_000, 400_000, 1_200_000),
  how: fc.constantFrom("whole", "whole", "cancel", "half", "wrong", "resume"),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
  pauses: fc.tuple(fc.nat(30), fc.nat(6)),
});

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

/** @returns the code that the call ended with. */
async function upload({ channel }: ReapiServer<ServerStore>, plan: Plan): Promise<number> {
  const { bytes, digest } = BLOBS[plan.blob]!;
  const resourceName = writeName(digest, plan.upload, plan.compressor);
  await turns(plan.pauses[0]);
  let from = 0;
  if (plan.how === "resume") {
    const status = await channel.unary(METHODS.writeStatus, { resourceName });
    if (status.ok && !status.value.complete) from = status.value.committedSize;
  }
  const sent = Buffer.from(bytes.subarray(from));
  if (plan.how === "wrong") sent[Math.floor(plan.part * (sent.length - 1))]! ^= 1;
  const wire = plan.compressor === "zstd" ? frameOf(sent) : sent;
  const stop = plan.how === "cancel" || plan.how === "half" ? Math.floor(plan.part * wire.length) : wire.length;
  const call = channel.call(METHODS.write);
  for (let at = 0; at < stop || at === 0; at += plan.messageBytes) {
    const data = wire.subarray(at, Math.min(stop, at + plan.messageBytes));
    const finishWrite = at + plan.messageBytes >= wire.length && stop === wire.length;
    await call.send({ resourceName, data, writeOffset: from + at, finishWrite });
    await turns(plan.pauses[1]);
  }
  if (plan.how === "cancel") call.cancel();
  else call.end();
  const answer = await call.answer();
  return answer.ok ? StatusCode.ok : answer.problem.code;
}

/** How each may end, besides well. */
const ENDS: Readonly<Record<Plan["how"], readonly number[]>> = {
  whole: [StatusCode.aborted],
  half: [StatusCode.aborted],
  cancel: [StatusCode.cancelled, StatusCode.aborted],
  wrong: [StatusCode.aborted, StatusCode.invalidArgument],
  // What it was told may be so no more.
  resume: [StatusCode.aborted, StatusCode.invalidArgument],
};

// Goal: whatever becomes of uploads, what is stored has its digest, who sends a blob whole hears that it is there or that
// a newer call has it, and nothing is left: no memory, no file, no room. Method: clients of one server on a store whose
// files and hashes look at bytes as late as they may, with memory that is spoilt as soon as it comes back.
test.each([{}, { isLossy: true }, { lentMax: 4 }])(
  "uploads of a few blobs, many at once, cut off, overtaken, taken over and gone on with: %o",
  { timeout: 300_000 },
  async (how) => {
    const property = fc.asyncProperty(
      fc.array(plan, { minLength: 2, maxLength: 8 }),
      fc.nat(9),
      async (plans, late) => {
        const { hashers, lent, idle } = lateHashers(how);
        const clock = turningClock();
        const fs = memoryFileSystem({ clock });
        const options = memoryOptions({ clock, fs: lateAppends(fs, () => late), hashers });
        const store = await memoryStore(options);
        const server = await startReapiOn(store, { clock, memory: hashers });
        const stored = new Set<Digest>();
        const one = async (each: Plan) => {
          const code = await upload(server, each);
          if (code !== StatusCode.ok) expect(ENDS[each.how]).toContain(code);
          else if (each.how !== "half" && each.how !== "cancel") stored.add(BLOBS[each.blob]!.digest);
        };
        await Promise.all(plans.map(one));
        while (server.calls() > 0) await settled();
        server.services.close();
        for (let turn = 0; turn < 20; turn++) await idle();
        expect(lent.size).toBe(0);
        for (const { digest, bytes } of BLOBS) {
          const read = value(await store.blobs.read(digest));
          expect(read === undefined ? !stored.has(digest) : bytes.equals(read)).toBe(true);
        }
        expect(fs.readDirectory("/store/tmp") ?? []).toEqual([]);
        expect(server.faults).toEqual([]);
        await server.close();
        value(await store.close());
        // What is counted is what is there.
        const again = await memoryStore({ ...options, fs });
        expect(again.status().usedBytes).toBe(store.status().usedBytes);
        value(await again.close());
      },
    );
    await fc.assert(property, { numRuns: 12 * SCALE });
  },
);

test("D16: an upload that is overtaken before its last message ends well", async () => {
  const store = await memoryStore();
  const server = await startReapiOn(store, {});
  const { bytes } = BLOBS[1]!;
  for (const [index, last] of (["finish", "half"] as const).entries()) {
    const other = blobOf(Buffer.concat([bytes, Buffer.of(index)]));
    const resourceName = writeName(other.digest, "u");
    const call = server.channel.call(METHODS.write);
    await call.send({ resourceName, data: other.bytes.subarray(0, 200_000) });
    while (!(await server.channel.unary(METHODS.writeStatus, { resourceName })).ok) await settled();
    value(await store.blobs.write(other.digest, other.bytes));
    if (last === "finish") {
      await call.send({ data: other.bytes.subarray(200_000), writeOffset: 200_000, finishWrite: true });
    }
    call.end();
    expect(await call.answer()).toEqual({ ok: true, value: { committedSize: other.bytes.length } });
  }
  await server.close();
  value(await store.close());
});
