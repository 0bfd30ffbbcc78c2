import type { WorkResponse } from "@kahn/exec";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WorkResponse as ResponseCodec, WorkRequest } from "../../proto/generated/worker-protocol.ts";
import { protoWorkerProtocol } from "./proto-worker-protocol.ts";

const numRuns = 100 * Number(process.env.KAHN_TEST_SCALE ?? 1);
const response = fc.record<WorkResponse>({
  requestId: fc.nat({ max: 1000 }),
  exitCode: fc.integer({ min: -1, max: 255 }),
  output: fc.string({ maxLength: 300 }),
  wasCancelled: fc.boolean(),
});

/** A message with its length before it; all of these are shorter than 16 KiB. */
function delimited(message: Uint8Array): Uint8Array {
  const { byteLength } = message;
  const head = byteLength < 128 ? [byteLength] : [(byteLength & 0x7f) | 0x80, byteLength >> 7];
  return Buffer.concat([Uint8Array.from(head), message]);
}

// Goal: what a worker writes is read, however the pipe cuts it. Method: random responses, random cuts.
test("responses come out as they went in, whatever the parts they come in", () => {
  fc.assert(
    fc.property(
      fc.array(response, { maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 200 })),
      (all, cuts) => {
        const bytes = Buffer.concat(all.map((each) => delimited(ResponseCodec.encode(each))));
        const decoder = protoWorkerProtocol.decoder();
        const heard: WorkResponse[] = [];
        for (let at = 0; at < bytes.byteLength; ) {
          const size = cuts.next().value ?? 1;
          const part = decoder.push(bytes.subarray(at, at + size));
          if (!part.ok) throw new Error(part.problem.message);
          heard.push(...part.value);
          at += size;
        }
        expect(heard).toEqual(all);
      },
    ),
    { numRuns },
  );
});

test("a request has its length before it", () => {
  const request = {
    ...{ arguments: ["a", "x".repeat(300)], inputs: [{ path: "p", digest: Uint8Array.of(1) }] },
    ...{ requestId: 3, cancel: true, sandboxDir: "s" },
  };
  const bytes = protoWorkerProtocol.encode(request);
  const message = bytes.subarray(2);
  expect(delimited(message)).toEqual(Buffer.from(bytes));
  expect(WorkRequest.decode(message)).toMatchObject({ ...request, inputs: [{ path: "p" }] });
});

test("text on standard output is no response, and the problem shows it", () => {
  const said = protoWorkerProtocol.decoder().push(Buffer.from("\x05Compiling...\n"));
  expect(said).toMatchObject({ ok: false, problem: { code: "worker-protocol-failed" } });
  if (!said.ok) expect(said.problem.message).toContain("Compiling");
  expect(protoWorkerProtocol.decoder().push(new Uint8Array(5).fill(0xff))).toMatchObject({ ok: false });
  expect(protoWorkerProtocol.decoder().push(Uint8Array.of(0xff, 0xff, 0xff, 0x7f))).toMatchObject({ ok: false });
});
