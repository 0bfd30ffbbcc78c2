/** §2.8: LogStream. */
import type { Check } from "../check.ts";
import { must, section } from "../check.ts";
import type { CheckedServer } from "../checked-server.ts";
import { answerOf, Code, expectCode } from "../endpoint.ts";
import { demand, same, skip } from "../expectations.ts";

const { FAILED_PRECONDITION, INVALID_ARGUMENT, OK, OUT_OF_RANGE } = Code;

/** A new log. */
async function newLog(server: CheckedServer) {
  const outcome = await server.endpoint.call("createLog", { parent: server.instance });
  if (outcome.code === Code.UNIMPLEMENTED) skip("the server has no LogStream service");
  return answerOf(outcome);
}

/** Appends to a log. */
async function append(
  server: CheckedServer,
  name: string,
  { text, offset = 0, finish = false }: { readonly text: string; readonly offset?: number; readonly finish?: boolean },
) {
  return await server.write({ name, bytes: Buffer.from(text), offset, finish });
}

/** The checks of §2.8. */
export const LOG_CHECKS: readonly Check[] = section("2.8", [
  must("logs/created", "A new log has a name, and another that only its writer knows.", async (server) => {
    const [log, other] = [await newLog(server), await newLog(server)];
    demand(log.name !== "" && log.writeResourceName !== "", "name or write_resource_name is empty");
    demand(log.name !== log.writeResourceName, "both names are the same");
    demand(log.name !== other.name && log.writeResourceName !== other.writeResourceName, "two logs have one name");
    demand(!log.name.includes(log.writeResourceName), "the name tells the writer's");
  }),
  must("logs/written-and-read", "What was written is read, from any offset.", async (server) => {
    const { name, writeResourceName } = await newLog(server);
    expectCode(await append(server, writeResourceName, { text: "hello " }), OK);
    const last = answerOf(await append(server, writeResourceName, { text: "world", offset: 6, finish: true }));
    same(last.committedSize, 11, "committed_size");
    same((await server.read(name)).bytes.toString(), "hello world", "the log");
    same((await server.read(name, { offset: 6 })).bytes.toString(), "world", "the log from 6 on");
  }),
  must("logs/tailed", "Who reads a log gets what is written later, until it is final.", async (server) => {
    const { name, writeResourceName } = await newLog(server);
    expectCode(await append(server, writeResourceName, { text: "one " }), OK);
    const reader = server.endpoint.start("read");
    reader.send({ resourceName: name });
    reader.end();
    same(Buffer.from((await reader.next())?.data ?? []).toString(), "one ", "what came first");
    expectCode(await append(server, writeResourceName, { text: "two", offset: 4 }), OK);
    same(Buffer.from((await reader.next())?.data ?? []).toString(), "two", "what came later");
    expectCode(await append(server, writeResourceName, { text: "", offset: 7, finish: true }), OK);
    expectCode(await reader.outcome, OK);
  }),
  must("logs/offset", "A write that does not follow what is committed is refused.", async (server) => {
    const { writeResourceName } = await newLog(server);
    expectCode(await append(server, writeResourceName, { text: "hello" }), OK);
    for (const offset of [3, 9]) {
      expectCode(await append(server, writeResourceName, { text: "x", offset }), INVALID_ARGUMENT, OUT_OF_RANGE);
    }
    const status = answerOf(await server.endpoint.call("writeStatus", { resourceName: writeResourceName }));
    same(status.committedSize, 5, "committed_size");
  }),
  must("logs/final", "Nothing follows the end of a log.", async (server) => {
    const { writeResourceName } = await newLog(server);
    expectCode(await append(server, writeResourceName, { text: "end", finish: true }), OK);
    const outcome = await append(server, writeResourceName, { text: "more", offset: 3 });
    expectCode(outcome, FAILED_PRECONDITION, INVALID_ARGUMENT, OUT_OF_RANGE);
  }),
  must(
    "logs/names-apart",
    "One cannot write by the reader's name, nor read by the writer's: INVALID_ARGUMENT.",
    async (server) => {
      const { name, writeResourceName } = await newLog(server);
      expectCode(await append(server, name, { text: "x" }), INVALID_ARGUMENT);
      expectCode(await server.read(writeResourceName), INVALID_ARGUMENT);
    },
  ),
]);
