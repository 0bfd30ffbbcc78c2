/** §2.5: the action cache. */
import type { Init } from "../../proto/codec.ts";
import type { ActionResult } from "../../proto/generated/remote-execution.ts";
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import type { Blob, CheckedServer } from "../checked-server.ts";
import { answerOf, Code, expectCode } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import type { Features } from "../features.ts";
import { encodeMessage } from "../wire.ts";

const { FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, OK, PERMISSION_DENIED } = Code;

const needsUpdate = ({ canUpdateActions }: Features) =>
  canUpdateActions ? undefined : "this caller may not update action results (update_enabled)";

/** An action of its own, with what it names; all stored. */
async function storedAction(server: CheckedServer, fn = server.features.fn): Promise<Blob> {
  const command = server.blob(encodeMessage("Command", { arguments: [server.unique()] }), fn);
  const root = server.blob(0, fn);
  const action = server.blob(
    encodeMessage("Action", { commandDigest: command.digest, inputRootDigest: root.digest }),
    fn,
  );
  await server.put(command, root, action);
  return action;
}

async function update(server: CheckedServer, action: Blob, actionResult: Init<ActionResult>) {
  const request = { ...server.scope, digestFunction: action.fn, actionDigest: action.digest, actionResult };
  return await server.endpoint.call("updateAction", request);
}

async function get(server: CheckedServer, action: Blob, wishes: object = {}) {
  const request = { ...server.scope, digestFunction: action.fn, actionDigest: action.digest, ...wishes };
  return await server.endpoint.call("getAction", request);
}

/** An action with a result of one output file, whose bytes are stored. */
async function cachedFile(
  server: CheckedServer,
  content: Blob = server.blob(),
): Promise<{ readonly action: Blob; readonly file: Blob }> {
  const action = await storedAction(server);
  await server.put(content);
  answerOf(await update(server, action, { outputFiles: [{ path: "out/file", digest: content.digest }] }));
  return { action, file: content };
}

/** Ends the check unless a result that rests on a missing blob is no result: refused, or a miss afterwards. */
async function demandMiss(server: CheckedServer, result: Init<ActionResult>): Promise<void> {
  const action = await storedAction(server);
  const outcome = await update(server, action, result);
  expectCode(outcome, OK, INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND);
  expectCode(await get(server, action), NOT_FOUND);
}

const MALFORMED: readonly (readonly [what: string, result: (digest: Blob["digest"]) => Init<ActionResult>])[] = [
  ["an absolute path", (digest) => ({ outputFiles: [{ path: "/etc/passwd", digest }] })],
  ["a file without a digest", () => ({ outputFiles: [{ path: "out" }] })],
  ["an empty target", () => ({ outputSymlinks: [{ path: "link", target: "" }] })],
  ["a negative size", ({ hash }) => ({ outputFiles: [{ path: "out", digest: { hash, sizeBytes: -1 } }] })],
  ["a malformed digest", () => ({ stdoutDigest: { hash: "ab", sizeBytes: 1 } })],
  ["a tree without a digest", () => ({ outputDirectories: [{ path: "dir" }] })],
];

/** The checks of reading. */
const READING: readonly Omit<Check, "section">[] = [
  must("action-cache/miss", "A result that is not there is NOT_FOUND.", async (server) => {
    expectCode(await get(server, server.blob()), NOT_FOUND);
  }),
  given(
    needsUpdate,
    must("action-cache/round-trip", "A result that was stored comes back as it was.", async (server) => {
      const { action, file } = await cachedFile(server);
      const result = answerOf(await get(server, action));
      same(result.exitCode, 0, "exit_code");
      same(result.outputFiles.length, 1, "the number of output files");
      same(result.outputFiles[0]!.path, "out/file", "the path");
      same(result.outputFiles[0]!.digest?.hash ?? "", file.digest.hash, "the digest of the file");
    }),
  ),
  given(
    needsUpdate,
    must("action-cache/replaced", "A result takes the place of the one before.", async (server) => {
      const { action } = await cachedFile(server);
      answerOf(await update(server, action, { outputSymlinks: [{ path: "link", target: "target" }] }));
      const result = answerOf(await get(server, action));
      same(result.outputFiles.length, 0, "the number of output files");
      same(result.outputSymlinks[0]?.target ?? "", "target", "the target of the link");
    }),
  ),
  given(
    needsUpdate,
    should("action-cache/complete-files", "A result of which an output file is missing is a miss.", async (server) => {
      await demandMiss(server, { outputFiles: [{ path: "out", digest: server.blob().digest }] });
    }),
  ),
  given(
    needsUpdate,
    should(
      "action-cache/complete-streams",
      "A result of which stdout or stderr is missing is a miss.",
      async (server) => {
        await demandMiss(server, { stdoutDigest: server.blob().digest });
        await demandMiss(server, { stderrDigest: server.blob().digest });
      },
    ),
  ),
  given(
    needsUpdate,
    should(
      "action-cache/complete-trees",
      "A result of which a Tree is missing, or any file within one, is a miss.",
      async (server) => {
        await demandMiss(server, { outputDirectories: [{ path: "dir", treeDigest: server.blob().digest }] });
        const gone = server.blob();
        const child = { files: [{ name: "gone", digest: gone.digest }] };
        const directories = [{ name: "child", digest: server.blob(encodeMessage("Directory", child)).digest }];
        const tree = server.blob(encodeMessage("Tree", { root: { directories }, children: [child] }));
        await server.put(tree);
        await demandMiss(server, { outputDirectories: [{ path: "dir", treeDigest: tree.digest }] });
      },
    ),
  ),
  given(
    needsUpdate,
    should(
      "action-cache/complete-trees-hit",
      "A result whose Tree and files are all there is a hit.",
      async (server) => {
        const file = server.blob();
        const child = { files: [{ name: "file", digest: file.digest }] };
        const childBlob = server.blob(encodeMessage("Directory", child));
        const tree = server.blob(
          encodeMessage("Tree", {
            root: { directories: [{ name: "child", digest: childBlob.digest }] },
            children: [child],
          }),
        );
        await server.put(file, childBlob, tree);
        const action = await storedAction(server);
        answerOf(await update(server, action, { outputDirectories: [{ path: "dir", treeDigest: tree.digest }] }));
        same(
          answerOf(await get(server, action)).outputDirectories[0]?.treeDigest?.hash ?? "",
          tree.digest.hash,
          "tree_digest",
        );
      },
    ),
  ),
  given(
    needsUpdate,
    should("action-cache/not-inlined", "What nobody asked to be inlined is not.", async (server) => {
      const { action } = await cachedFile(server);
      same(answerOf(await get(server, action)).outputFiles[0]?.contents.length ?? 0, 0, "the length of the contents");
    }),
  ),
  given(
    needsUpdate,
    optional("action-cache/inlined", "Standard output and files are inlined for those who ask.", async (server) => {
      const [action, stdout, file] = [await storedAction(server), server.blob("hello\n"), server.blob()];
      await server.put(stdout, file);
      answerOf(
        await update(server, action, {
          stdoutDigest: stdout.digest,
          outputFiles: [{ path: "f", digest: file.digest }],
        }),
      );
      const result = answerOf(
        await get(server, action, { inlineStdout: true, inlineStderr: true, inlineOutputFiles: ["f"] }),
      );
      sameBytes(result.stdoutRaw, stdout.bytes, "stdout_raw");
      sameBytes(result.outputFiles[0]?.contents ?? Buffer.of(), file.bytes, "the contents of the file");
      same(result.outputFiles[0]?.digest?.hash ?? "", file.digest.hash, "the digest of the inlined file");
    }),
  ),
  given(
    needsUpdate,
    must(
      "action-cache/inlined-too-much",
      "What is inlined never makes the answer larger than a message.",
      async (server) => {
        const [action, stdout] = [await storedAction(server), server.blob(6_000_000)];
        await server.put(stdout);
        answerOf(await update(server, action, { stdoutDigest: stdout.digest }));
        const result = answerOf(await get(server, action, { inlineStdout: true }));
        same(result.stdoutDigest?.hash ?? "", stdout.digest.hash, "stdout_digest");
      },
    ),
  ),
];

/** The checks of writing, and of what tells results apart. */
const WRITING: readonly Omit<Check, "section">[] = [
  given(
    needsUpdate,
    must("action-cache/malformed", "A malformed result is INVALID_ARGUMENT, and not stored.", async (server) => {
      const { digest } = server.blob();
      for (const [what, result] of MALFORMED) {
        const action = await storedAction(server);
        const outcome = await update(server, action, result(digest));
        demand(
          outcome.code === INVALID_ARGUMENT,
          `a result with ${what} ended with ${Code[outcome.code]}, expected INVALID_ARGUMENT`,
        );
        expectCode(await get(server, action), NOT_FOUND);
      }
    }),
  ),
  given(
    needsUpdate,
    must("action-cache/no-result", "An update without a result is INVALID_ARGUMENT.", async (server) => {
      const action = await storedAction(server);
      expectCode(
        await server.endpoint.call("updateAction", { ...server.scope, actionDigest: action.digest }),
        INVALID_ARGUMENT,
      );
    }),
  ),
  given(
    needsUpdate,
    must(
      "action-cache/action-absent",
      "A result for an Action that is not stored is taken, or FAILED_PRECONDITION.",
      async (server) => {
        expectCode(await update(server, server.blob(), { stdoutRaw: Buffer.from("x") }), OK, FAILED_PRECONDITION);
      },
    ),
  ),
  given(
    ({ canUpdateActions }) => (canUpdateActions ? "this caller may update action results" : undefined),
    must("action-cache/update-forbidden", "Who may not update is told so.", async (server) => {
      const outcome = await update(server, server.blob(), { stdoutRaw: Buffer.from("x") });
      expectCode(outcome, PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.UNIMPLEMENTED, FAILED_PRECONDITION);
    }),
  ),
  given(
    needsUpdate,
    must("action-cache/update-answer", "An update answers with the result.", async (server) => {
      const [action, file] = [await storedAction(server), server.blob()];
      await server.put(file);
      const result = answerOf(await update(server, action, { outputFiles: [{ path: "f", digest: file.digest }] }));
      same(result.outputFiles[0]?.digest?.hash ?? "", file.digest.hash, "the digest of the file");
    }),
  ),
  given(
    needsUpdate,
    optional(
      "action-cache/worker",
      "A result without a worker gets one, so that it is not empty on the wire.",
      async (server) => {
        const action = await storedAction(server);
        answerOf(await update(server, action, {}));
        demand(
          (answerOf(await get(server, action)).executionMetadata?.worker ?? "") !== "",
          "execution_metadata.worker is empty",
        );
      },
    ),
  ),
  given(
    needsUpdate,
    must("action-cache/key-size", "The key is the whole digest: another size is another action.", async (server) => {
      const { action } = await cachedFile(server);
      const sizeBytes = action.digest.sizeBytes + 1;
      expectCode(
        await get(server, { ...action, digest: { ...action.digest, sizeBytes } }),
        NOT_FOUND,
        INVALID_ARGUMENT,
      );
    }),
  ),
  given(
    needsUpdate,
    must("action-cache/key-instance", "Another instance has its own results.", async (server) => {
      const { action } = await cachedFile(server);
      const instanceName = [server.instance, "conform/other"].filter((part) => part !== "").join("/");
      const outcome = await server.endpoint.call("getAction", {
        ...server.scope,
        instanceName,
        actionDigest: action.digest,
      });
      if (outcome.code !== OK && outcome.code !== NOT_FOUND) skip(`the server knows no instance ${instanceName}`);
      expectCode(outcome, NOT_FOUND);
    }),
  ),
  given(
    needsUpdate,
    must("action-cache/key-function", "Each offered digest function has results of its own.", async (server) => {
      for (const fn of server.features.functions) {
        const action = await storedAction(server, fn);
        answerOf(await update(server, action, { stdoutRaw: Buffer.from("x") }));
        same(answerOf(await get(server, action)).exitCode, 0, "exit_code");
      }
    }),
  ),
  given(
    needsUpdate,
    optional("action-cache/priority", "results_cache_policy is taken.", async (server) => {
      const action = await storedAction(server);
      const priority = server.features.cache.cachePriorityCapabilities?.priorities[0]?.minPriority ?? 0;
      const request = { ...server.scope, actionDigest: action.digest, actionResult: { stdoutRaw: Buffer.from("x") } };
      answerOf(await server.endpoint.call("updateAction", { ...request, resultsCachePolicy: { priority } }));
    }),
  ),
];

/** The checks of §2.5. */
export const ACTION_RESULT_CHECKS: readonly Check[] = section("2.5", [...READING, ...WRITING]);
