/** Health and reflection, asked as probes and grpcurl ask. */
import assert from "node:assert/strict";
import { nodeClock, nodeRandom } from "@kahn/system";
import { afterAll, test } from "vitest";
import { descriptorFiles, descriptorSet } from "../proto/descriptors.ts";
import { HealthMethods, HealthCheckResponseServingStatus as Wire } from "../proto/generated/health.ts";
import { ServerReflectionMethods } from "../proto/generated/reflection.ts";
import { Channel } from "./client/channel.ts";
import { parseTarget } from "./client/target.ts";
import { startServer } from "./echo.fixture.ts";
import { HealthService } from "./health.ts";
import { methodOf } from "./messages/method.ts";
import { until } from "./raw-client.fixture.ts";
import { reflectionService } from "./reflection.ts";

const NAME = "google.bytestream.ByteStream";
const health = new HealthService([NAME], "not-serving");
const server = await startServer({
  services: [...health.registrations(), ...reflectionService({ descriptorSet, services: [NAME] })],
});
const target = parseTarget(`grpc://${server.target}`);
assert.ok(target.ok);
const channel = new Channel({ target: target.value, clock: nodeClock(), random: nodeRandom() });

afterAll(async () => {
  channel.close();
  await server.close();
});

test("health: check tells the state, NOT_FOUND for strangers; watch tells each change", async () => {
  const check = async (service: string) => {
    const answer = await channel.unary(methodOf("unary", HealthMethods.check), { service });
    return answer.ok ? answer.value.status : `code ${answer.problem.code}`;
  };
  assert.deepEqual(
    [await check(""), await check(NAME), await check("x.Y")],
    [Wire.NOT_SERVING, Wire.NOT_SERVING, "code 5"],
  );
  const watch = channel.read(methodOf("server-streaming", HealthMethods.watch), { service: NAME });
  const next = async () => {
    assert.ok(await watch.messages.ready());
    return watch.messages.poll()!.status;
  };
  assert.equal(await next(), Wire.NOT_SERVING);
  health.set("other", "serving");
  health.setAll("serving");
  assert.equal(await next(), Wire.SERVING);
  assert.deepEqual([await check(""), await check("other")], [Wire.SERVING, Wire.SERVING]);
  const list = await channel.unary(methodOf("unary", HealthMethods.list), {});
  assert.deepEqual(list.ok && [...list.value.statuses.keys()].sort(), ["", NAME, "other"].sort());
  watch.cancel();
  assert.equal((await watch.status).code, 1);
  await until(() => server.grpc.counts().calls === 0);
});

test("reflection: services, a symbol's file with all it rests on, once per stream, in both versions", async () => {
  const method = methodOf("bidirectional", ServerReflectionMethods.serverReflectionInfo);
  for (const path of [method.path, method.path.replace(".v1.", ".v1alpha.")]) {
    const call = channel.call({ ...method, path });
    const ask = async (kind: "listServices" | "fileContainingSymbol" | "fileByFilename", value: string) => {
      await call.send({ messageRequest: { kind, value } });
      assert.ok(await call.messages.ready());
      return call.messages.poll()!.messageResponse!;
    };
    const listed = await ask("listServices", "*");
    assert.deepEqual(listed, { kind: "listServicesResponse", value: { service: [{ name: NAME }] } });
    const names = (response: Awaited<ReturnType<typeof ask>>) => {
      assert.equal(response.kind, "fileDescriptorResponse");
      return (response.value as { fileDescriptorProto: Uint8Array[] }).fileDescriptorProto.map(
        (file) => descriptorFiles(Buffer.concat([Buffer.from([10, ...varint(file.length)]), file]))[0]!.name,
      );
    };
    const operations = names(await ask("fileContainingSymbol", "google.longrunning.Operations"));
    assert.equal(operations[0], "google/longrunning/operations.proto");
    assert.ok(operations.includes("google/protobuf/any.proto") && operations.includes("google/rpc/status.proto"));
    assert.deepEqual(names(await ask("fileByFilename", "google/rpc/status.proto")), ["google/rpc/status.proto"]);
    const missing = await ask("fileContainingSymbol", "no.Such");
    assert.deepEqual(missing, { kind: "errorResponse", value: { errorCode: 5, errorMessage: "no symbol no.Such" } });
    call.end();
    assert.equal((await call.status).code, 0);
  }
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
