/** §2.6: what commands find, and what is made of what they leave. */
import type { Init } from "../../proto/codec.ts";
import type { ActionResult, Directory, Tree } from "../../proto/generated/remote-execution.ts";
import { execute, expectRefusal, outputOf, responseOf, resultOf, run, stdoutOf, storeAction } from "../actions.ts";
import type { Check } from "../check.ts";
import { must, optional, section, should } from "../check.ts";
import type { CheckedServer } from "../checked-server.ts";
import { Code, expectCode } from "../endpoint.ts";
import { demand, fail, same, sameBytes, sameSet, skip } from "../expectations.ts";
import { digestWith } from "../hashing.ts";
import { decodeMessage, encodeMessage } from "../wire.ts";

const { FAILED_PRECONDITION, INVALID_ARGUMENT, OK } = Code;

/** Variables that shells and servers may add; everything else is a leak. */
const HARMLESS = new Set([
  "PWD",
  "OLDPWD",
  "SHLVL",
  "_",
  "HOME",
  "PATH",
  "TMPDIR",
  "TMP",
  "TEMP",
  "USER",
  "LOGNAME",
  "LANG",
  "LC_ALL",
  "TZ",
]);

/** The tree of an output directory. */
async function treeOf(server: CheckedServer, result: ActionResult, path: string): Promise<Tree> {
  const directory = result.outputDirectories.find((each) => each.path === path);
  if (directory === undefined) fail(`${path} is not among the output directories`);
  const digest = directory.treeDigest ?? fail(`${path} has no tree_digest`);
  const read = await server.read(server.readName({ digest, fn: server.features.fn }));
  expectCode(read, OK);
  return decodeMessage("build.bazel.remote.execution.v2.Tree", read.bytes) as Tree;
}

const digestOf = (server: CheckedServer, directory: Directory) =>
  digestWith(server.features.fn, encodeMessage("Directory", directory)).hash;

/** Runs an action with this root, which must be refused and leave nothing. */
async function demandRefusedRoot(server: CheckedServer, what: string, directory: Init<Directory>): Promise<void> {
  const root = server.blob(encodeMessage("Directory", directory));
  const empty = server.blob(encodeMessage("Directory", {}));
  await server.put(root, empty);
  const { action } = await storeAction(server, { root });
  expectRefusal(await execute(server, action), `an execution with ${what}`, INVALID_ARGUMENT, FAILED_PRECONDITION);
}

/** What commands find. */
const INPUTS: readonly Omit<Check, "section">[] = [
  must(
    "command/environment",
    "A command has the variables that it was given, and none of the server's.",
    async (server) => {
      const environmentVariables = [
        { name: "CONFORM", value: "a b=c" },
        { name: "PATH", value: "/usr/bin:/bin" },
      ];
      const result = await run(server, { script: "env", command: { environmentVariables } });
      const lines = (await stdoutOf(server, result)).split("\n").filter((line) => line !== "");
      demand(lines.includes("CONFORM=a b=c"), `CONFORM is not there: ${lines.join(", ")}`);
      demand(lines.includes("PATH=/usr/bin:/bin"), "PATH is not the one that was given");
      const others = lines
        .map((line) => line.split("=")[0]!)
        .filter((name) => name !== "CONFORM" && !HARMLESS.has(name));
      sameSet(others, [], "variables that nobody gave");
    },
  ),
  should("command/stdin", "Standard input is empty.", async (server) => {
    const result = await run(server, { script: "cat; echo end", action: { timeout: { seconds: 5, nanos: 0 } } });
    same(await stdoutOf(server, result), "end\n", "standard output");
  }),
  must("command/path-lookup", "A command without a slash is found by the PATH of its environment.", async (server) => {
    const command = {
      arguments: ["true", server.unique()],
      environmentVariables: [{ name: "PATH", value: "/nowhere:/usr/bin:/bin" }],
    };
    await run(server, { command });
  }),
  must(
    "command/working-directory",
    "A command runs in its working_directory, and its outputs are meant from there.",
    async (server) => {
      const command = { workingDirectory: "dir", outputPaths: ["out"] };
      const result = await run(server, { script: "cat in > out", inputs: { "dir/in": "below" }, command });
      same(await outputOf(server, result, "out"), "below", "the output");
    },
  ),
  must(
    "command/working-directory-absent",
    "A working_directory that is not among the inputs is refused.",
    async (server) => {
      const { action } = await storeAction(server, { command: { workingDirectory: "nowhere" } });
      expectRefusal(
        await execute(server, action),
        "an execution in no directory",
        INVALID_ARGUMENT,
        FAILED_PRECONDITION,
      );
    },
  ),
  must("command/executable-inputs", "Inputs are executable just where the tree says so.", async (server) => {
    const content = "#!/bin/sh\necho ran\n";
    const inputs = { tool: { content, isExecutable: true }, plain: { content, isExecutable: false } };
    const result = await run(server, { script: "./tool; test ! -x plain && echo plain", inputs });
    same(await stdoutOf(server, result), "ran\nplain\n", "standard output");
  }),
  must(
    "command/empty-inputs",
    "The empty file is an input without having been stored, and so is the empty directory.",
    async (server) => {
      const empty = server.blob(0).digest;
      const root = server.blob(
        encodeMessage("Directory", {
          files: [{ name: "empty", digest: empty }],
          directories: [{ name: "none", digest: empty }],
        }),
      );
      await server.put(root);
      await run(server, { script: "test -f empty && test -d none", root });
    },
  ),
  must(
    "command/inputs-intact",
    "A command that writes to its inputs harms neither the store nor the next command.",
    async (server) => {
      const inputs = { in: server.unique() };
      const plan = { script: "chmod u+w in 2>/dev/null; echo changed > in || true; cat in >/dev/null", inputs };
      const { files, action } = await storeAction(server, plan);
      responseOf(await execute(server, action));
      const blob = files.get("in")!;
      sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the input in the store");
      same(
        await stdoutOf(server, await run(server, { script: "cat in", inputs })),
        inputs.in,
        "the input of the next command",
      );
    },
  ),
  must("command/input-symlinks", "Symlinks among the inputs are there.", async (server) => {
    const file = server.blob(server.unique());
    const root = server.blob(
      encodeMessage("Directory", {
        files: [{ name: "file", digest: file.digest }],
        symlinks: [{ name: "link", target: "file" }],
      }),
    );
    await server.put(file, root);
    same(
      await stdoutOf(server, await run(server, { script: "test -L link && cat link", root })),
      file.bytes.toString(),
      "what the link leads to",
    );
  }),
  must(
    "command/tree-names",
    "Names that are no names (.., a/b, empty) are refused before anything is written.",
    async (server) => {
      const { digest } = server.blob(0);
      for (const name of ["..", ".", "", "a/b", "../escape", "a\0b"]) {
        await demandRefusedRoot(server, `a file called ${JSON.stringify(name)}`, { files: [{ name, digest }] });
        await demandRefusedRoot(server, `a directory called ${JSON.stringify(name)}`, {
          directories: [{ name, digest }],
        });
      }
    },
  ),
  should("command/tree-canonical", "A directory with a name twice is refused.", async (server) => {
    const { digest } = server.blob(0);
    await demandRefusedRoot(server, "two files of one name", {
      files: [
        { name: "a", digest },
        { name: "a", digest },
      ],
    });
    await demandRefusedRoot(server, "a file and a link of one name", {
      files: [{ name: "a", digest }],
      symlinks: [{ name: "a", target: "b" }],
    });
  }),
];

/** What they leave. */
const OUTPUTS: readonly Omit<Check, "section">[] = [
  must("outputs/parents", "Directories of outputs are there before the command runs.", async (server) => {
    const result = await run(server, { script: "echo x > a/b/out", command: { outputPaths: ["a/b/out"] } });
    same(await outputOf(server, result, "a/b/out"), "x\n", "the output");
  }),
  must("outputs/legacy-files", "output_files works as it did before output_paths.", async (server) => {
    const result = await run(server, { script: "echo x > a/out", command: { outputFiles: ["a/out"] } });
    same(await outputOf(server, result, "a/out"), "x\n", "the output");
  }),
  must(
    "outputs/legacy-directories",
    "Of output_directories the parents are made, and they come back as trees.",
    async (server) => {
      const script = "test -d a && mkdir -p a/dir && echo x > a/dir/file";
      const result = await run(server, { script, command: { outputDirectories: ["a/dir"] } });
      sameSet(
        (await treeOf(server, result, "a/dir")).root?.files.map(({ name }) => name) ?? [],
        ["file"],
        "the files of the tree",
      );
    },
  ),
  must("outputs/paths-win", "Where there are output_paths, the older fields count for nothing.", async (server) => {
    const command = { outputPaths: ["new"], outputFiles: ["old"] };
    const result = await run(server, { script: "echo x > new; echo x > old", command });
    sameSet(
      result.outputFiles.map(({ path }) => path),
      ["new"],
      "the output files",
    );
  }),
  must("outputs/missing", "Outputs that the command did not make are left out.", async (server) => {
    const result = await run(server, { script: "echo x > made", command: { outputPaths: ["made", "not/made"] } });
    sameSet(
      result.outputFiles.map(({ path }) => path),
      ["made"],
      "the output files",
    );
  }),
  must("outputs/executable", "Whether an output is executable comes back.", async (server) => {
    const result = await run(server, {
      script: "echo x > yes; echo y > no; chmod 755 yes; chmod 644 no",
      command: { outputPaths: ["no", "yes"] },
    });
    sameSet(
      result.outputFiles.map(({ path, isExecutable }) => `${path} ${isExecutable}`),
      ["yes true", "no false"],
      "the output files",
    );
  }),
  must(
    "outputs/tree",
    "An output directory comes back as a Tree with all its children, and every blob is stored.",
    async (server) => {
      const script = "mkdir -p dir/a/b dir/c; echo 1 > dir/a/b/one; echo 2 > dir/c/two; echo 3 > dir/three";
      const result = await run(server, { script, command: { outputPaths: ["dir"] } });
      const { root, children } = await treeOf(server, result, "dir");
      const byHash = new Map(children.map((child) => [digestOf(server, child), child]));
      const files: string[] = [];
      const walk = async (directory: Directory | undefined, prefix: string): Promise<void> => {
        if (directory === undefined) fail(`the tree has no directory for ${prefix}`);
        for (const { name, digest } of directory.files) {
          files.push(`${prefix}${name}`);
          same((await server.missing([digest!])).length, 0, `missing blobs of ${prefix}${name}`);
        }
        for (const { name, digest } of directory.directories) await walk(byHash.get(digest!.hash), `${prefix}${name}/`);
      };
      await walk(root, "");
      sameSet(files, ["a/b/one", "c/two", "three"], "the files of the tree");
    },
  ),
  should(
    "outputs/tree-order",
    "A Tree that is said to be sorted has parents before children, and nothing twice.",
    async (server) => {
      const script = "mkdir -p dir/a/same dir/b/same; echo 1 > dir/a/same/one; echo 1 > dir/b/same/one";
      const result = await run(server, { script, command: { outputPaths: ["dir"] } });
      const { root, children } = await treeOf(server, result, "dir");
      const hashes = children.map((child) => digestOf(server, child));
      same(new Set(hashes).size, hashes.length, "the number of different directories");
      if (result.outputDirectories[0]?.isTopologicallySorted !== true)
        skip("the server does not say that its trees are sorted");
      const announced = new Set((root ?? fail("the tree has no root")).directories.map(({ digest }) => digest!.hash));
      children.forEach((child, index) => {
        demand(announced.has(hashes[index]!), "a directory comes before the one that it is in");
        for (const { digest } of child.directories) announced.add(digest!.hash);
      });
    },
  ),
  optional(
    "outputs/directory-format",
    "DIRECTORY_ONLY and TREE_AND_DIRECTORY give the digest of the root directory, and it is stored.",
    async (server) => {
      const command = { outputPaths: ["dir"], outputDirectoryFormat: 2 };
      const result = await run(server, { script: "mkdir dir; echo 1 > dir/one", command });
      const digest = result.outputDirectories[0]?.rootDirectoryDigest;
      if (digest === undefined) fail("root_directory_digest is not there");
      same((await server.missing([digest])).length, 0, "the number of missing directories");
    },
  ),
  must("outputs/symlinks", "Symlinks come back as symlinks, those that lead nowhere too.", async (server) => {
    const script = "echo x > file; ln -s file link; ln -s nowhere dangling";
    const result = await run(server, { script, command: { outputPaths: ["dangling", "file", "link"] } });
    sameSet(
      result.outputSymlinks.map(({ path, target }) => `${path} ${target}`),
      ["link file", "dangling nowhere"],
      "the output symlinks",
    );
    sameSet(
      result.outputFiles.map(({ path }) => path),
      ["file"],
      "the output files",
    );
  }),
  should(
    "outputs/type-clash",
    "A directory where output_files wants a file is FAILED_PRECONDITION.",
    async (server) => {
      const { action } = await storeAction(server, { script: "mkdir out", command: { outputFiles: ["out"] } });
      expectRefusal(
        await execute(server, action),
        "an execution with a directory for a file",
        FAILED_PRECONDITION,
        INVALID_ARGUMENT,
      );
    },
  ),
  must(
    "outputs/unknown-node-property",
    "An output node property that is not supported is INVALID_ARGUMENT.",
    async (server) => {
      const { action } = await storeAction(server, { command: { outputNodeProperties: ["conform-no-such"] } });
      expectRefusal(await execute(server, action), "an execution that wants it", INVALID_ARGUMENT);
    },
  ),
  optional("outputs/node-properties", "unix_mode comes back where it is supported and asked for.", async (server) => {
    if (!server.features.execution!.supportedNodeProperties.includes("unix_mode"))
      skip("the server does not support unix_mode");
    const command = { outputPaths: ["out"], outputNodeProperties: ["unix_mode"] };
    const result = await run(server, { script: "echo x > out; chmod 640 out", command });
    const mode = result.outputFiles[0]?.nodeProperties?.unixMode?.value;
    same((mode ?? 0) & 0o777, 0o640, "unix_mode");
  }),
  must("outputs/large-stdout", "Much output is stored, and named by its digest.", async (server) => {
    const result = await run(server, { script: "head -c 6000000 /dev/zero" });
    const digest = result.stdoutDigest ?? fail("stdout_digest is not there");
    same(digest.sizeBytes, 6_000_000, "the size of standard output");
    same((await server.missing([digest])).length, 0, "the number of missing blobs");
  }),
  should("outputs/metadata", "The result tells its worker, and times in their order.", async (server) => {
    const { action } = await storeAction(server);
    const { executionMetadata: it } = resultOf(await execute(server, action));
    if (it === undefined) fail("execution_metadata is not there");
    demand(it.worker !== "", "worker is empty");
    const times = [
      ["queued", it.queuedTimestamp],
      ["worker_start", it.workerStartTimestamp],
      ["input_fetch_start", it.inputFetchStartTimestamp],
      ["input_fetch_completed", it.inputFetchCompletedTimestamp],
      ["execution_start", it.executionStartTimestamp],
      ["execution_completed", it.executionCompletedTimestamp],
      ["output_upload_start", it.outputUploadStartTimestamp],
      ["output_upload_completed", it.outputUploadCompletedTimestamp],
      ["worker_completed", it.workerCompletedTimestamp],
    ] as const;
    let before = 0;
    for (const [name, time] of times) {
      if (time === undefined) fail(`${name}_timestamp is not there`);
      const at = time.seconds + time.nanos / 1e9;
      demand(at >= before, `${name}_timestamp is before the one that precedes it`);
      before = at;
    }
  }),
  optional("outputs/resource-use", "Auxiliary metadata tells what the command used.", async (server) => {
    const { executionMetadata } = await run(server, {});
    demand((executionMetadata?.auxiliaryMetadata.length ?? 0) > 0, "auxiliary_metadata is empty");
  }),
];

/** The checks of §2.6 about commands. */
export const COMMAND_CHECKS: readonly Check[] = section(
  "2.6",
  [...INPUTS, ...OUTPUTS],
  ({ noExecution }) => noExecution,
);
