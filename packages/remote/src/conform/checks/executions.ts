/** §2.6: how executions begin, go on, and end. */
import type { Execution } from "../actions.ts";
import {
  execute,
  executionOf,
  expectRefusal,
  outputOf,
  responseOf,
  resultOf,
  run,
  Stage,
  seenOperation,
  startExecution,
  stdoutOf,
  storeAction,
  waitFor,
} from "../actions.ts";
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import type { Blob, CheckedServer } from "../checked-server.ts";
import { answerOf, Code, expectCode, expectStatus } from "../endpoint.ts";
import { demand, fail, same, sameSet, skip } from "../expectations.ts";
import type { Features } from "../features.ts";

const { CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, OK, UNIMPLEMENTED } = Code;

/** The name of a blob in a violation. */
const subjectOf = (server: CheckedServer, blob: Blob) => server.readName(blob, { instance: "" });

const getAction = async (server: CheckedServer, { digest }: Blob) =>
  await server.endpoint.call("getAction", { ...server.scope, actionDigest: digest });

/** Another output at each run. */
const RANDOM = { script: "od -An -N16 -tx1 /dev/urandom > out", command: { outputPaths: ["out"] } };

/** Ends the check unless the messages of a stream are as the protocol says. */
function demandStages({ operations }: Execution): void {
  demand(operations.length > 0, "nothing came");
  const names = new Set(operations.map(({ name }) => name));
  demand(
    names.size === 1 && !names.has(""),
    `the operation is called ${[...names].map((name) => JSON.stringify(name)).join(", ")}`,
  );
  operations.forEach(({ done, metadata }, index) => {
    const isLast = index === operations.length - 1;
    same(done, isLast, `done of message ${index + 1} of ${operations.length}`);
    demand(metadata !== undefined, "an operation without ExecuteOperationMetadata");
    same(
      metadata.stage === Stage.completed,
      isLast,
      `whether message ${index + 1} of ${operations.length} is COMPLETED`,
    );
  });
}

const offer = ({ noExecution }: Features) => noExecution;

/** How they go. */
const LIFE: readonly Omit<Check, "section">[] = [
  must("execute/success", "A command runs, and its outputs are stored.", async (server) => {
    const plan = {
      script: "cat in > out; echo hello; echo oops >&2",
      inputs: { in: "content" },
      command: { outputPaths: ["out"] },
    };
    const result = await run(server, plan);
    same(await outputOf(server, result, "out"), "content", "the output");
    same(await stdoutOf(server, result), "hello\n", "standard output");
    same(
      await stdoutOf(server, { stdoutRaw: result.stderrRaw, stdoutDigest: result.stderrDigest }),
      "oops\n",
      "standard error",
    );
  }),
  must(
    "execute/stages",
    "The operation has one name from the first message on, and is done and COMPLETED in the last alone.",
    async (server) => {
      const { action } = await storeAction(server);
      demandStages(await execute(server, action));
      // And of a hit.
      demandStages(await execute(server, action));
    },
  ),
  must("execute/exit-code", "A command that fails is a result with its exit code, and status OK.", async (server) => {
    const { action } = await storeAction(server, { script: "echo no; exit 3" });
    const result = resultOf(await execute(server, action), 3);
    same(await stdoutOf(server, result), "no\n", "standard output");
  }),
  should("execute/failure-not-cached", "A command that fails runs again the next time.", async (server) => {
    const { action } = await storeAction(server, { script: "exit 3" });
    await execute(server, action);
    same(responseOf(await execute(server, action)).cachedResult, false, "cached_result");
  }),
  must("execute/cached", "A result comes from the cache the second time, and says so.", async (server) => {
    const { action } = await storeAction(server, RANDOM);
    const first = await execute(server, action);
    same(responseOf(first).cachedResult, false, "cached_result of the first run");
    const second = await execute(server, action);
    same(responseOf(second).cachedResult, true, "cached_result of the second run");
    same(await outputOf(server, resultOf(second), "out"), await outputOf(server, resultOf(first), "out"), "the output");
    answerOf(await getAction(server, action));
  }),
  must(
    "execute/skip-cache-lookup",
    "skip_cache_lookup runs the action, and its result replaces the cached one.",
    async (server) => {
      const { action } = await storeAction(server, RANDOM);
      const first = await outputOf(server, resultOf(await execute(server, action)), "out");
      const again = await execute(server, action, { skipCacheLookup: true });
      same(responseOf(again).cachedResult, false, "cached_result");
      const second = await outputOf(server, resultOf(again), "out");
      demand(first !== second, "the action did not run again");
      same(await outputOf(server, answerOf(await getAction(server, action)), "out"), second, "the cached output");
    },
  ),
  must("execute/do-not-cache", "do_not_cache: the result is not stored, and no other is given.", async (server) => {
    const { action } = await storeAction(server, { ...RANDOM, action: { doNotCache: true } });
    const first = await outputOf(server, resultOf(await execute(server, action)), "out");
    expectCode(await getAction(server, action), NOT_FOUND);
    const second = await outputOf(server, resultOf(await execute(server, action)), "out");
    demand(first !== second, "the second run gave the output of the first");
  }),
  should("execute/merged", "Executions of one action at the same time are one run.", async (server) => {
    const { action } = await storeAction(server, { ...RANDOM, script: `sleep 1; ${RANDOM.script}` });
    const executions = await Promise.all(Array.from({ length: 20 }, () => execute(server, action)));
    const outputs = await Promise.all(executions.map((each) => outputOf(server, resultOf(each), "out")));
    same(new Set(outputs).size, 1, "the number of runs");
  }),
  should("execute/do-not-cache-apart", "Executions of an action with do_not_cache are not merged.", async (server) => {
    const plan = { ...RANDOM, script: `sleep 1; ${RANDOM.script}`, action: { doNotCache: true } };
    const { action } = await storeAction(server, plan);
    const executions = await Promise.all([1, 2].map(() => execute(server, action)));
    const outputs = await Promise.all(executions.map((each) => outputOf(server, resultOf(each), "out")));
    same(new Set(outputs).size, 2, "the number of runs");
  }),
  must("execute/salt", "Actions that differ in salt or platform alone are different actions.", async (server) => {
    const { action, command, root } = await storeAction(server, RANDOM);
    const first = await execute(server, action);
    const salted = await storeAction(server, {
      root,
      without: ["command"],
      command: {},
      action: { commandDigest: command.digest, salt: Buffer.from("salt") },
    });
    const second = await execute(server, salted.action);
    same(responseOf(second).cachedResult, false, "cached_result of the salted action");
    demand(
      (await outputOf(server, resultOf(first), "out")) !== (await outputOf(server, resultOf(second), "out")),
      "both had one run",
    );
  }),
  must("execute/priority", "An execution with a priority of the offered range runs.", async (server) => {
    const range = server.features.execution?.executionPriorityCapabilities?.priorities[0];
    const { action } = await storeAction(server);
    resultOf(
      await execute(server, action, {
        executionPolicy: { priority: range?.minPriority ?? 0 },
        resultsCachePolicy: { priority: 0 },
      }),
    );
  }),
];

/** What is refused. */
const REFUSALS: readonly Omit<Check, "section">[] = [
  must("execute/bad-digest", "A malformed action digest is INVALID_ARGUMENT.", async (server) => {
    const outcome = await server.endpoint.call("execute", {
      ...server.scope,
      actionDigest: { hash: "ab", sizeBytes: 1 },
    });
    expectCode(outcome, INVALID_ARGUMENT);
  }),
  must(
    "execute/action-missing",
    "An Action that is not there is FAILED_PRECONDITION, and named as a MISSING violation.",
    async (server) => {
      const { action } = await storeAction(server, { without: ["action"] });
      const missing = expectRefusal(
        await execute(server, action),
        "an execution without its Action",
        FAILED_PRECONDITION,
      );
      sameSet(missing, [subjectOf(server, action)], "what is said to be missing");
    },
  ),
  must("execute/command-missing", "So is a Command.", async (server) => {
    const { action, command } = await storeAction(server, { without: ["command"] });
    const missing = expectRefusal(
      await execute(server, action),
      "an execution without its Command",
      FAILED_PRECONDITION,
    );
    sameSet(missing, [subjectOf(server, command)], "what is said to be missing");
  }),
  must("execute/inputs-missing", "Every missing input of the whole tree is named, once.", async (server) => {
    const content = server.unique();
    const inputs = {
      one: `${content} 1`,
      "dir/two": `${content} 2`,
      "dir/three": `${content} 3`,
      "other/two": `${content} 2`,
    };
    const { action, files } = await storeAction(server, { inputs, without: ["inputs"] });
    const missing = expectRefusal(
      await execute(server, action),
      "an execution without its inputs",
      FAILED_PRECONDITION,
    );
    const subjects = ["one", "dir/two", "dir/three"].map((path) => subjectOf(server, files.get(path)!));
    sameSet(missing, subjects, "what is said to be missing");
  }),
  must("execute/root-missing", "A root directory that is not there is named.", async (server) => {
    const { action, root } = await storeAction(server, { inputs: { in: server.unique() }, without: ["root"] });
    const missing = expectRefusal(await execute(server, action), "an execution without its root", FAILED_PRECONDITION);
    demand(missing.includes(subjectOf(server, root)), `only [${missing.join(", ")}] is said to be missing`);
  }),
  must("execute/no-action", "An Action that is none is INVALID_ARGUMENT.", async (server) => {
    const action = server.blob(Buffer.from("\xff\xff\xff\xff", "latin1"));
    await server.put(action);
    expectRefusal(await execute(server, action), "an execution of rubbish", INVALID_ARGUMENT, FAILED_PRECONDITION);
  }),
  should(
    "execute/unknown-platform",
    "A property that no worker has is refused, and does not wait for ever.",
    async (server) => {
      const properties = [...server.platform, { name: "conform-no-such-property", value: server.unique() }];
      const { action } = await storeAction(server, { action: { platform: { properties } } });
      const execution = await execute(server, action);
      expectRefusal(execution, "an execution that nobody can do", INVALID_ARGUMENT, FAILED_PRECONDITION);
    },
  ),
  should("execute/platform-of-command", "Where the action has no platform, the command's counts.", async (server) => {
    const properties = [...server.platform, { name: "conform-no-such-property", value: server.unique() }];
    const { action } = await storeAction(server, {
      command: { platform: { properties } },
      action: { platform: undefined },
    });
    expectRefusal(
      await execute(server, action),
      "an execution that nobody can do",
      INVALID_ARGUMENT,
      FAILED_PRECONDITION,
    );
  }),
  should("execute/timeout-too-long", "A timeout above the server's largest is INVALID_ARGUMENT.", async (server) => {
    const { action } = await storeAction(server, { action: { timeout: { seconds: 315_000_000, nanos: 0 } } });
    expectRefusal(await execute(server, action), "an execution of ten years", INVALID_ARGUMENT);
  }),
  must(
    "execute/timeout",
    "A command that exceeds its timeout is DEADLINE_EXCEEDED, with what it printed until then.",
    async (server) => {
      const { action } = await storeAction(server, {
        script: "echo begun; sleep 25",
        action: { timeout: { seconds: 1, nanos: 0 } },
      });
      const response = responseOf(await execute(server, action));
      expectStatus(response.status, "the execution", DEADLINE_EXCEEDED);
      const result = response.result ?? fail("the response has no result");
      same(await stdoutOf(server, result), "begun\n", "standard output");
      expectCode(await getAction(server, action), NOT_FOUND);
    },
  ),
  must(
    "execute/leftover-processes",
    "A command ends when it ends: processes that it leaves behind delay nothing.",
    async (server) => {
      const { action } = await storeAction(server, {
        script: "sleep 25 & echo done",
        action: { timeout: { seconds: 15, nanos: 0 } },
      });
      same(await stdoutOf(server, resultOf(await execute(server, action))), "done\n", "standard output");
    },
  ),
];

/** Operations. */
const OPERATIONS: readonly Omit<Check, "section">[] = [
  must(
    "wait-execution/attached",
    "WaitExecution on another connection tells the state at once, and then the end.",
    async (server) => {
      const { action } = await storeAction(server, { ...RANDOM, script: `sleep 2; ${RANDOM.script}` });
      const call = startExecution(server, action);
      const first = await call.next();
      demand(first !== undefined, "Execute sent nothing");
      const other = server.endpoint.another();
      try {
        const waited = await waitFor(other, first.name);
        demandStages(waited);
        const executed = executionOf(await call.outcome);
        same(
          await outputOf(server, resultOf(waited), "out"),
          await outputOf(server, resultOf(executed), "out"),
          "the output",
        );
      } finally {
        other.close();
      }
    },
  ),
  should(
    "wait-execution/completed",
    "WaitExecution of an operation that is done tells its end, for a while.",
    async (server) => {
      const { action } = await storeAction(server);
      const { operations } = await execute(server, action);
      responseOf(await waitFor(server.endpoint, operations[0]!.name));
    },
  ),
  must("wait-execution/unknown", "WaitExecution of an operation that is none is NOT_FOUND.", async (server) => {
    const { action } = await storeAction(server);
    const { operations } = await execute(server, action);
    const name = operations[0]!.name.replace(/[0-9a-f](?=[^0-9a-f]*$)/i, (digit) => (digit === "0" ? "1" : "0"));
    const { outcome } = await waitFor(server.endpoint, name);
    expectCode(outcome, NOT_FOUND);
  }),
  optional("operations/get", "GetOperation tells the state; of none it is NOT_FOUND.", async (server) => {
    const { action } = await storeAction(server);
    const { operations } = await execute(server, action);
    const outcome = await server.endpoint.call("getOperation", { name: operations[0]!.name });
    if (outcome.code === UNIMPLEMENTED) skip("the server has no Operations service");
    same(seenOperation(answerOf(outcome)).done, true, "done");
    expectCode(
      await server.endpoint.call("getOperation", { name: `${operations[0]!.name}x` }),
      NOT_FOUND,
      INVALID_ARGUMENT,
    );
  }),
  optional(
    "operations/cancel",
    "CancelOperation ends a running execution: CANCELLED, in its status.",
    async (server) => {
      const { action } = await storeAction(server, { script: "sleep 15" });
      const call = startExecution(server, action);
      const first = await call.next();
      demand(first !== undefined, "Execute sent nothing");
      const outcome = await server.endpoint.call("cancelOperation", { name: first.name });
      if (outcome.code === UNIMPLEMENTED) {
        call.cancel();
        skip("the server has no CancelOperation");
      }
      expectCode(outcome, OK);
      expectRefusal(executionOf(await call.outcome), "the cancelled execution", CANCELLED);
      expectCode(await getAction(server, action), NOT_FOUND);
    },
  ),
  optional("operations/list", "ListOperations names a running execution.", async (server) => {
    const { action } = await storeAction(server, { script: "sleep 2" });
    const call = startExecution(server, action);
    const first = await call.next();
    demand(first !== undefined, "Execute sent nothing");
    const name = [server.instance, "operations"].filter((part) => part !== "").join("/");
    const outcome = await server.endpoint.call("listOperations", { name, pageSize: 1000 });
    call.cancel();
    if (outcome.code === UNIMPLEMENTED) skip("the server has no ListOperations");
    const names = answerOf(outcome).operations.map((each) => each.name);
    demand(names.includes(first.name), `${first.name} is not among ${names.length} operations`);
  }),
  given(
    () => "takes as long as the server's grace, which is not told",
    should(
      "operations/last-waiter",
      "An execution that nobody waits for any more is cancelled after a while.",
      async () => {
        fail("not reached");
      },
    ),
  ),
  optional("execute/live-output", "Standard output can be read while the command runs.", async (server) => {
    const { action } = await storeAction(server, { script: "echo early; sleep 2; echo late" });
    const call = startExecution(server, action);
    let name = "";
    for (let each = await call.next(); each !== undefined && name === ""; each = await call.next()) {
      name = seenOperation(each).metadata?.stdoutStreamName ?? "";
    }
    if (name === "") skip("the server names no stream (stdout_stream_name)");
    const reader = server.endpoint.start("read");
    reader.send({ resourceName: name });
    reader.end();
    same(Buffer.from((await reader.next())?.data ?? []).toString(), "early\n", "what came first");
    const rest = await reader.outcome;
    expectCode(rest, OK);
    same(Buffer.concat(rest.answers.map(({ data }) => data)).toString(), "early\nlate\n", "the whole stream");
    await call.outcome;
  }),
];

/** The checks of §2.6 about executions. */
export const EXECUTION_CHECKS: readonly Check[] = section("2.6", [...LIFE, ...REFUSALS, ...OPERATIONS], offer);
