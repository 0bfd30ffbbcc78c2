// Goal: who follows a run sees what a remote task prints while it runs, every byte once and in order, whatever the server
// knows of logs. Method: the real services for logs, and an Execution service that says what a test scripts.
import { expect, test } from "vitest";
import { actionResultMessage } from "../../proto/core-messages.ts";
import { type Answer, done, run, scripted, stage } from "./executor.fixture.ts";

const result = (stdout: string, stderr = "") =>
  actionResultMessage({
    ...{ outputFiles: [], outputDirectories: [], outputSymlinks: [], exitCode: 1, metadata: { worker: "w" } },
    ...(stdout === "" ? {} : { stdoutRaw: Buffer.from(stdout) }),
    ...(stderr === "" ? {} : { stderrRaw: Buffer.from(stderr) }),
  });
const ended = (stdout: string, stderr?: string) => done({ status: { code: 0 }, result: result(stdout, stderr) });
const live = { executor: { live: true } };

/** A pause that lets everything happen that is under way. */
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
};

const textOf = (shown: readonly (readonly [string, string])[], stream: string) =>
  shown
    .filter(([of]) => of === stream)
    .map(([, text]) => text)
    .join("");

/** A server with one execution, which names logs and then waits to be let go. */
async function logging(over: { readonly stdoutStreamName?: string } = {}) {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const follows: Answer = async (call) => {
    await call.send(stage("operations/1", { ...names, ...over }));
    await Promise.race([held, new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()))]);
    if (!call.isCancelled) await call.send(ended("one\ntwo\n", "oh\n"));
  };
  const server = await scripted({ execute: [follows], wait: [follows] });
  const [stdout, stderr] = [server.logs.create(""), server.logs.create("")];
  const names = { stdoutStreamName: stdout.name, stderrStreamName: stderr.name };
  return { ...server, stdout, stderr, letGo };
}

test("what a remote task prints shows while it runs, and nothing of it twice at the end", async () => {
  const server = await logging();
  const { shown, outcome } = run(server.address, live);
  server.stdout.append(Buffer.from("one\n"));
  await until(() => textOf(shown, "stdout") === "one\n");
  // A command may end before its last words are on their way.
  server.letGo();
  server.stdout.append(Buffer.from("two\n"));
  for (const log of [server.stdout, server.stderr]) log.finalize();
  expect(await outcome).toMatchObject({ kind: "completed", result: { exitCode: 1 } });
  expect([textOf(shown, "stdout"), textOf(shown, "stderr")]).toStrictEqual(["one\ntwo\n", "oh\n"]);
});

test("logs that never end, or that nobody has, hold up nothing: the result has the rest", async () => {
  const endless = await logging();
  const first = run(endless.address, { ...live, server: { deadlines: { tailMs: 20 } } });
  endless.stdout.append(Buffer.from("one\n"));
  await until(() => first.shown.length > 0);
  endless.letGo();
  await first.outcome;
  expect([textOf(first.shown, "stdout"), textOf(first.shown, "stderr")]).toStrictEqual(["one\ntwo\n", "oh\n"]);
  const unknown = await logging({ stdoutStreamName: "logstreams/of-another-server" });
  unknown.stderr.finalize();
  unknown.letGo();
  const second = run(unknown.address, live);
  await second.outcome;
  expect([textOf(second.shown, "stdout"), textOf(second.shown, "stderr")]).toStrictEqual(["one\ntwo\n", "oh\n"]);
});

test("a log whose connection broke goes on where it was", async () => {
  const server = await logging();
  const { shown, outcome } = run(server.address, live);
  server.stdout.append(Buffer.from("one\n"));
  await until(() => shown.length > 0);
  server.cut();
  await until(() => server.calls.includes("wait"));
  server.stdout.append(Buffer.from("two\n"));
  await until(() => textOf(shown, "stdout") === "one\ntwo\n");
  for (const log of [server.stdout, server.stderr]) log.finalize();
  server.letGo();
  await outcome;
  expect([textOf(shown, "stdout"), textOf(shown, "stderr")]).toStrictEqual(["one\ntwo\n", "oh\n"]);
});

test("who does not follow the run gets the output with the result, and no log is read", async () => {
  const server = await logging();
  server.letGo();
  const { shown, outcome } = run(server.address);
  expect(await outcome).toMatchObject({ result: { stdoutRaw: new Uint8Array(Buffer.from("one\ntwo\n")) } });
  expect(shown).toStrictEqual([]);
});
