// The runner with real processes, with and without a sandbox. Defects are numbered as in the specification of `remote`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { digestHash, digestOf } from "@kahn/core";
import { afterAll, expect, test } from "vitest";
import { command, completed, printed, type RealRig, realRig, script, storeTree } from "./hermetic.fixture.ts";

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const canSandbox = spawnSync("/usr/bin/bwrap", bwrap).status === 0;
const LEVELS = canSandbox ? (["required", "off"] as const) : (["off"] as const);

const rigs = new Map<string, RealRig>();
afterAll(async () => {
  for (const rig of rigs.values()) await rig.end();
});

function rigOf(mode: "required" | "off"): RealRig {
  const rig = rigs.get(mode) ?? realRig({ mode });
  rigs.set(mode, rig);
  return rig;
}

/** Every blob file of a store with its mode and bytes: what no command may change. */
function storeState(rig: RealRig): string[] {
  const folder = `${rig.directory}/store`;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return files
    .map((each) => `${each.parentPath}/${each.name}`)
    .filter((path) => path.includes("/cas/"))
    .map((path) => `${path} ${statSync(path).mode.toString(8)} ${digestOf(readFileSync(path))}`)
    .sort();
}

/** Live processes with this text among their arguments. */
function alive(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const state = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/.*\) /s, "")[0];
      return state !== "Z" && readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").includes(mark);
    } catch {
      return false; // It has ended while the list was read.
    }
  });
}

test.each(LEVELS)("D10: a command sees the environment it was given and nothing else (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const environments = [
    [],
    [{ name: "PATH", value: "/usr/bin:/bin" }],
    [
      ...[
        { name: "A", value: "x=y z\n'" },
        { name: "KAHN_PROCESS", value: "mine" },
      ],
      ...[
        { name: "PWD", value: "/elsewhere" },
        { name: "_", value: "" },
        { name: "times", value: "t" },
      ],
    ],
  ];
  for (const environment of environments) {
    const run = await runner.run({
      command: command(["/usr/bin/env", "-0"], { environment }),
      inputRoot,
      label: "env",
    });
    const lines = printed(run)
      .stdout.split("\0")
      .filter((line) => line !== "");
    expect(lines.sort()).toEqual(environment.map(({ name, value }) => `${name}=${value}`).sort());
  }
});

test.each(LEVELS)("HOME and TMPDIR are private folders where the runner provides them (%s)", async (mode) => {
  const rig = realRig({ mode }, { providesHome: true });
  try {
    const inputRoot = await storeTree(rig.blobs, { f: "1" });
    const text = 'test -z "$(ls -A "$HOME")" && echo x >"$HOME/f" && mktemp >/dev/null && echo "$TMPDIR"';
    const run = await rig.runner.run({ command: script(text), inputRoot, label: "home" });
    const stdout = mode === "off" ? `${rig.directory}/x/runs/1/tmp\n` : "/tmp\n";
    expect(printed(run)).toEqual({ stdout, stderr: "" });
  } finally {
    await rig.end();
  }
});

test.each(LEVELS)(
  "standard input is /dev/null, no shell reads start-up files, and no descriptor leaks (%s)",
  async (mode) => {
    const { blobs, runner } = rigOf(mode);
    const inputRoot = await storeTree(blobs, { f: "1" });
    const text =
      "readlink /proc/self/fd/0; for fd in 3 4 5 6; do [ -e /proc/self/fd/$fd ] && echo leaks $fd; done; true";
    const run = await runner.run({ command: command(["bash", "-c", text]), inputRoot, label: "stdin" });
    expect(printed(run)).toEqual({ stdout: "/dev/null\n", stderr: "" });
  },
);

test.each(LEVELS)(
  "the program is sought along the command's own PATH, a relative one in the working directory (%s)",
  async (mode) => {
    const { blobs, runner } = rigOf(mode);
    const tool = "#!/bin/sh\necho tool of $0";
    const inputRoot = await storeTree(blobs, { "bin/tool.sh": tool, "w/a=b.sh": tool, "w/f": "1" });
    const run = (argv: string[], PATH: string) =>
      runner.run({
        command: command(argv, { workingDirectory: "w", environment: [{ name: "PATH", value: PATH }] }),
        ...{ inputRoot, label: "path" },
      });
    expect(printed(await run(["tool.sh"], "../bin")).stdout).toBe("tool of ../bin/tool.sh\n");
    expect(printed(await run(["./a=b.sh"], "/bin")).stdout).toBe("tool of ./a=b.sh\n");
    const gone = await run(["tool.sh"], "/bin");
    expect(completed(gone).result.exitCode).toBe(127);
    expect(printed(gone).stderr).toContain("tool.sh");
  },
);

// Goal: the slot is free when the command is done. Method: grandchildren keep both streams open; one leaves the group.
test.each(LEVELS)(
  "D9: grandchildren that keep the streams open neither delay the end nor live on (%s)",
  async (mode) => {
    const { blobs, runner } = rigOf(mode);
    const inputRoot = await storeTree(blobs, { f: "1" });
    const seconds = `6${process.pid}.${mode === "off" ? 1 : 2}`;
    const away = mode === "off" ? "" : `(setsid sleep ${seconds}&);`;
    const text = `(sleep ${seconds}&); ${away} echo done`;
    const run = await runner.run({ command: script(text), inputRoot, label: "grandchild" });
    expect(printed(run).stdout).toBe("done\n");
    expect(alive(seconds)).toEqual([]);
  },
);

test.each(LEVELS)("D8: a timeout ends the whole group and keeps what was printed (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const seconds = `7${process.pid}.${mode === "off" ? 1 : 2}`;
  const text = `trap '' TERM; echo begun; sleep ${seconds} & sleep ${seconds}; sleep ${seconds}`;
  const request = { command: script(text), inputRoot, label: "slow" };
  // Long enough for the first line on a busy machine; the outcome does not depend on it otherwise.
  const outcome = await runner.run({ ...request, timeoutMs: 700 });
  expect(outcome.kind).toBe("timed-out");
  if (outcome.kind === "timed-out") expect(Buffer.from(outcome.streams.stdoutRaw ?? []).toString()).toBe("begun\n");
  expect(alive(seconds)).toEqual([]);
});

test.each(LEVELS)("an abort ends the whole group (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const seconds = `8${process.pid}.${mode === "off" ? 1 : 2}`;
  const abort = new AbortController();
  const running = runner.run(
    { command: script(`echo up; (sleep ${seconds}&); sleep ${seconds}`), inputRoot, label: "abort" },
    { output: () => abort.abort() },
    abort.signal,
  );
  expect((await running).kind).toBe("cancelled");
  expect(alive(seconds)).toEqual([]);
});

// Goal: no command harms the store, also as root, also where it owns the files. Method: write, replace, chmod and write,
// append through a link; then every blob file has its bytes and mode, and the next action sees the inputs as they were.
test.each(LEVELS)(
  "D11: a command that writes its inputs harms neither the store nor the next command (%s)",
  async (mode) => {
    const rig = rigOf(mode);
    const { blobs, runner } = rig;
    const big = Object.fromEntries(["1", "2", "3", "4", "5"].map((name) => [`lib/${name}.sh`, `echo ${name}`]));
    const inputRoot = await storeTree(blobs, { ...big, "src/a": "A", top: "T", "top.sh": "echo" });
    // Once before: both variants of the blobs are in the store then.
    await runner.run({ command: script("true"), inputRoot, label: "first" });
    const before = storeState(rig);
    const writes = ["lib/1.sh", "src/a", "top"].map(
      (path) =>
        `echo bad > ${path}; chmod u+w ${path}; echo bad >> ${path}; ln -f ${path} hard; echo bad >> hard; chmod 777 ${path}; mv x ${path}`,
    );
    await runner.run({ command: script(`${writes.join("; ")}; rm -rf lib src; true`), inputRoot, label: "vandal" });
    expect(storeState(rig)).toEqual(before);
    const look = "cat lib/1.sh src/a top; test -x lib/1.sh && test -x top.sh && test ! -x top";
    const after = await runner.run({ command: script(look), inputRoot, label: "next" });
    expect(completed(after).result.exitCode).toBe(0);
    expect(printed(after).stdout).toBe("echo 1AT");
  },
);

test.each(LEVELS)("D12: symlinks and modes of outputs come back as they were made (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { "in/f": "1" });
  const text = [
    "mkdir -p out/d/empty; echo x > out/x; chmod 755 out/x; echo y > out/d/y; ln -s y out/d/rel; ln -s /nowhere out/d/abs",
    "ln -s x out/link; ln -s gone out/dangling; ln -s ../in out/dir; chmod 000 out/d/y; chmod 555 out/d",
  ].join("; ");
  const outputPaths = ["out/x", "out/link", "out/dangling", "out/dir", "out/d", "out/none"];
  const { result } = completed(await runner.run({ command: script(text, { outputPaths }), inputRoot, label: "links" }));
  expect(result.outputFiles).toEqual([{ path: "out/x", digest: digestOf("x\n"), executable: true }]);
  expect(result.outputSymlinks).toEqual([
    { path: "out/dangling", target: "gone", leadsTo: "nothing" },
    { path: "out/dir", target: "../in", leadsTo: "directory" },
    { path: "out/link", target: "x", leadsTo: "file" },
  ]);
  expect(result.outputDirectories.map(({ path }) => path)).toEqual(["out/d"]);
});

test.each(LEVELS)(
  "no file of this machine becomes an output through a symlink that the command made (%s)",
  async (mode) => {
    const rig = rigOf(mode);
    const inputRoot = await storeTree(rig.blobs, { f: "1" });
    writeFileSync(`${rig.directory}/secret`, "secret");
    const request = {
      command: script(`rmdir out; ln -s ${rig.directory} out`, { outputPaths: ["out/secret"] }),
      inputRoot,
    };
    const outcome = await rig.runner.run({ ...request, label: "thief" });
    expect(outcome).toMatchObject({ kind: "invalid", problem: { code: "output-path-blocked" } });
  },
);

test.each(LEVELS)("a socket or pipe among the outputs is refused by name (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const request = { command: script("mkdir d; mkfifo d/pipe", { outputPaths: ["d"] }), inputRoot, label: "pipe" };
  const outcome = await runner.run(request);
  expect(outcome).toMatchObject({ kind: "invalid", problem: { code: "output-not-storable" } });
  if (outcome.kind === "invalid") expect(outcome.problem.message).toContain("d/pipe");
});

test.each(LEVELS)("D26: a flood of output goes through files, and the result names it by digest (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const run = await runner.run({ command: script("head -c 20000000 /dev/zero"), inputRoot, label: "flood" });
  const { result } = completed(run);
  expect(result.stdoutRaw).toBeUndefined();
  expect(result.stdout).toBe(digestOf(Buffer.alloc(20_000_000)));
});

// Goal: D24 was one pair of arguments per input file. Method: far more inputs than such a command line could hold.
test.each(LEVELS)("D24: an action of many inputs in many directories starts (%s)", async (mode) => {
  const rig = realRig({ mode }, {}, 65_536);
  try {
    const count = 1000 * Number(process.env.KAHN_TEST_SCALE ?? 1);
    const files: Record<string, string> = {};
    for (let index = 0; index < count; index++) files[`${"d".repeat(40)}${index % 97}/${"f".repeat(60)}${index}`] = "x";
    const inputRoot = await storeTree(rig.blobs, files);
    const run = await rig.runner.run({ command: script("find . -type f | wc -l"), inputRoot, label: "many" });
    expect(printed(run).stdout.trim()).toBe(String(count));
  } finally {
    await rig.end();
  }
});

test.each(LEVELS)("an action in BLAKE3 has outputs, trees and streams in BLAKE3 (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const { loadEngine } = await import("@kahn/cas");
  const inputRoot = (await loadEngine("blake3")).digest(new Uint8Array());
  const text = "mkdir d; echo 1 > d/f; echo 2 > g; head -c 5000 /dev/zero; head -c 2000000 /dev/zero > big";
  const outputPaths = ["d", "g", "big"];
  const { result } = completed(
    await runner.run({ command: script(text, { outputPaths }), inputRoot, label: "blake3" }),
  );
  const digests = [
    ...result.outputFiles.map((each) => each.digest),
    ...result.outputDirectories.map((each) => each.tree),
  ];
  expect([...digests, result.stdout].every((digest) => digest?.startsWith("blake3:"))).toBe(true);
  expect(await blobs.findMissing(digests)).toEqual({ ok: true, value: [] });
});

test.skipIf(!canSandbox)(
  "in a sandbox inputs cannot be written, and this machine's files and processes are not there",
  async () => {
    const { blobs, runner } = rigOf("required");
    const home = mkdtempSync(`${homedir()}/.kahn-secret-`);
    try {
      writeFileSync(`${home}/key`, "secret");
      const shared = mkdtempSync(`${tmpdir()}/kahn-seen-`);
      const lib = Object.fromEntries(["1", "2", "3", "4"].map((name) => [`lib/${name}`, name]));
      const inputRoot = await storeTree(blobs, { ...lib, top: "T" });
      const tries = [
        ...["echo bad >> lib/1", "chmod u+w lib/1", "touch lib/new", "rm -f lib/1", "echo bad >> top"],
        ...[`cat ${home}/key`, `ls ${shared}`, "cat /etc/shadow", "mkdir /new", "mount -t tmpfs none /tmp"],
        ...[`kill -0 ${process.pid}`, "mkdir /kahn/new"],
      ];
      for (const each of tries) {
        const run = completed(await runner.run({ command: script(each), inputRoot, label: each }));
        expect(run.result.exitCode, each).not.toBe(0);
      }
      const own =
        'echo 1 > new && echo 1 > /tmp/new && ls /tmp && id -u && pwd && test ! -e /home -o -z "$(ls -A /home)"';
      expect(printed(await runner.run({ command: script(own), inputRoot, label: "own" })).stdout).toBe(
        "new\n1000\n/kahn/exec\n",
      );
      rmSync(shared, { recursive: true });
    } finally {
      rmSync(home, { recursive: true });
    }
  },
);

test.skipIf(!canSandbox)(
  "in a sandbox there is no network, unless the request asks and the policy lets it",
  async () => {
    let reached = 0;
    const server = createServer((socket) => {
      reached++;
      socket.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const asked = realRig({ mode: "required", network: "asked" });
    try {
      const connect = command(["bash", "-c", `exec 9<>/dev/tcp/127.0.0.1/${port}`]);
      const codeOf = async (rig: RealRig, network: boolean) => {
        const inputRoot = await storeTree(rig.blobs, { f: "1" });
        return completed(await rig.runner.run({ command: connect, inputRoot, network, label: "net" })).result.exitCode;
      };
      expect(await codeOf(rigOf("required"), true)).not.toBe(0);
      expect(await codeOf(asked, false)).not.toBe(0);
      expect(reached).toBe(0);
      expect(await codeOf(asked, true)).toBe(0);
    } finally {
      await asked.end();
      server.close();
    }
  },
);

// With the network, outputs are taken from held directories first: it must not show.
test.skipIf(!canSandbox)("outputs with the network are those without it", async () => {
  const asked = realRig({ mode: "required", network: "asked" });
  try {
    const text =
      "mkdir -p d/e/empty real && ln -s real way && echo 1 >d/e/f && ln -s e/f d/l && echo 2 >way/o && ln -s d dl";
    const inputRoot = await storeTree(asked.blobs, { f: "1" });
    const made = script(`${text} && chmod 500 d/e && chmod 0 d/e/empty && chmod +x d/e/f`, {
      outputPaths: ["d", "way/o", "dl", "d/e/f", "none/x"],
    });
    const runOf = (network: boolean) => asked.runner.run({ command: made, inputRoot, network, label: "net" });
    const [alone, served] = [completed(await runOf(false)).result, completed(await runOf(true)).result];
    expect(alone.outputFiles.map(({ path }) => path)).toEqual(["d/e/f", "way/o"]);
    for (const list of ["outputFiles", "outputDirectories", "outputSymlinks"] as const) {
      expect(served[list]).toEqual(alone[list]);
    }
  } finally {
    await asked.end();
  }
});

// Goal: what the client sets takes effect inside only. Method: a library that every program would load and miss.
test.skipIf(!canSandbox)(
  "variables of the command are not in effect outside of the sandbox, nor to be seen there",
  async () => {
    const rig = rigOf("required");
    const inputRoot = await storeTree(rig.blobs, { f: "1" });
    const secret = `secret-${process.pid}-value`;
    const environment = [
      { name: "LD_PRELOAD", value: "/no/such/library.so" },
      { name: "PATH", value: "/usr/bin:/bin" },
      { name: "TOKEN", value: secret },
    ];
    let seen = "";
    const look = () => {
      for (const pid of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
        try {
          seen += readFileSync(`/proc/${pid}/cmdline`, "latin1");
        } catch {
          // It has ended while the list was read.
        }
      }
    };
    const abort = new AbortController();
    const output = () => {
      look();
      abort.abort();
    };
    const request = { command: script("echo up; sleep 600", { environment }), inputRoot, label: "preload" };
    const outcome = await rig.runner.run(request, { output }, abort.signal);
    if (outcome.kind !== "cancelled") throw new Error(JSON.stringify(outcome));
    // `env`, inside, is the first that meets the library; the launcher's shell and bubblewrap do not.
    expect(Buffer.from(outcome.streams?.stderrRaw ?? []).toString()).not.toContain("bwrap");
    expect(seen).toContain("bwrap");
    expect(seen).not.toBe("");
    expect(seen).not.toContain(secret);
  },
);

test.skipIf(!canSandbox)(
  "a staged tree is made once for all actions that have it, and goes when it is in nobody's use",
  async () => {
    const rig = realRig({ mode: "required" }, { stagedEntriesMax: 10 });
    try {
      const tree = (name: string) => Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`${name}/${n}`, `${name}${n}`]));
      const staged = () => readdirSync(`${rig.directory}/x/trees`);
      const run = async (files: Record<string, string>, main: string) => {
        const inputRoot = await storeTree(rig.blobs, { ...files, main });
        return printed(await rig.runner.run({ command: script("cat */*"), inputRoot, label: main })).stdout;
      };
      await Promise.all([run(tree("a"), "1"), run(tree("a"), "2")]);
      expect(staged()).toEqual(["1"]);
      expect(await run(tree("a"), "3")).toBe("a1a2a3a4a5a6");
      expect(staged()).toEqual(["1"]);
      expect(await run(tree("b"), "4")).toBe("b1b2b3b4b5b6");
      expect(staged()).toEqual(["2"]);
      expect(await rig.blobs.findMissing([digestOf("a1")])).toEqual({ ok: true, value: [] });
      expect(digestHash(digestOf("a1")).length).toBe(64);
    } finally {
      await rig.end();
    }
  },
);
