/**
 * The sandbox: bubblewrap, and what a command may see in it.
 *
 * Owns:      the arguments of `bwrap`, and the one trial that tells whether it works on this machine.
 * Invariant: a command in a sandbox can read its inputs and what is readable and nothing else of this machine, can write its
 *            exec root (but not the mounted inputs) and a /tmp of its own, has no capability and can gain none, sees no
 *            process but its own, dies with us, and reaches no network unless `network` is true.
 *            That holds for us too only as long as we follow no path that it can change while it lives: what is done in
 *            the exec root of a persistent worker is done through held directories (`HeldFolder`). Without a sandbox
 *            there is no boundary: a command, and above all a worker, then does what our own user may do.
 * Note:      bubblewrap reads its arguments from a descriptor: neither their number nor the values of variables show in
 *            the process table, and the client's variables (`LD_PRELOAD`!) are never in effect outside of the sandbox.
 */
import { type FileSystem, type Problem, type ProcessRunner, type Property, problem, warning } from "@kahn/core";
import type { InputMount } from "./exec-root.ts";
import type { SandboxPolicy, SandboxVerdict } from "./hermetic-action.ts";

/**
 * What a command may read beside its inputs unless the policy says otherwise: programs, libraries, and of /etc only
 * what those need. Paths that are not there are left out; symlinks among them are shown as symlinks.
 */
export const SYSTEM_PATHS: readonly string[] = [
  ...["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"],
  ...["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group", "nsswitch.conf", "localtime"].map(
    (name) => `/etc/${name}`,
  ),
  ...["ssl", "ca-certificates", "pki", "mime.types", "magic", "fonts"].map((name) => `/etc/${name}`),
];

/** What names cannot be resolved without; shown only with the network. */
const NETWORK_PATHS = ["/etc/resolv.conf", "/etc/hosts", "/etc/services"];

/** Where the exec root is, for a command in a sandbox: the same in every run, so that paths in outputs are equal. */
export const SANDBOX_EXEC_ROOT = "/kahn/exec";

const DEFAULT_PROGRAM = "/usr/bin/bwrap";

/** What one sandbox is made of. Paths are absolute, outside of it. */
export interface SandboxSpec {
  readonly execRoot: string;
  readonly temporary: string;
  readonly mounts: readonly InputMount[];
  /** Relative to the exec root. */
  readonly workingDirectory: string;
  readonly environment: readonly Property[];
  readonly network: boolean;
}

/** Sandboxes of one policy. */
export class Sandbox {
  readonly #fs: FileSystem;
  readonly #policy: SandboxPolicy;
  #verdict: Promise<SandboxVerdict> | undefined;
  #base: readonly string[] | undefined;
  #networkBase: readonly string[] | undefined;

  constructor(fs: FileSystem, policy: SandboxPolicy) {
    this.#fs = fs;
    this.#policy = policy;
  }

  /** Absolute path of bubblewrap. */
  get program(): string {
    return this.#policy.program ?? DEFAULT_PROGRAM;
  }

  /** The level that runs get; tried once. @param room an absolute folder for the trial's output. */
  verdict(processes: ProcessRunner, room: string): Promise<SandboxVerdict> {
    this.#verdict ??= this.#decide(processes, room);
    return this.#verdict;
  }

  /** Whether a request that asks, or does not ask, for the network gets it. */
  allowsNetwork(asked: boolean): boolean {
    const network = this.#policy.network ?? "never";
    return network === "always" || (network === "asked" && asked);
  }

  /** Arguments of bubblewrap, as it reads them from a descriptor: each ended by a NUL byte. */
  arguments(spec: SandboxSpec): string {
    const { execRoot, temporary, mounts, workingDirectory, environment, network } = spec;
    const own = [
      ...["--bind", temporary, "/tmp", "--bind", execRoot, SANDBOX_EXEC_ROOT],
      ...mounts.flatMap(({ from, place }) => ["--ro-bind", from, `${SANDBOX_EXEC_ROOT}/${place}`]),
      ...["--remount-ro", "/"],
      ...["--chdir", workingDirectory === "" ? SANDBOX_EXEC_ROOT : `${SANDBOX_EXEC_ROOT}/${workingDirectory}`],
      "--clearenv",
      ...environment.flatMap(({ name, value }) => ["--setenv", name, value]),
    ];
    return [...this.#shared(network), ...own].map((argument) => `${argument}\0`).join("");
  }

  #shared(network: boolean): readonly string[] {
    if (network) {
      this.#networkBase ??= [...isolation(true), ...this.#readable(NETWORK_PATHS), ...this.#alsoReadable()];
      return this.#networkBase;
    }
    this.#base ??= [...isolation(false), ...this.#readable([]), ...this.#alsoReadable()];
    return this.#base;
  }

  #readable(more: readonly string[]): string[] {
    return [...(this.#policy.readable ?? SYSTEM_PATHS), ...more].flatMap((path) => {
      const stat = this.#fs.lstat(path);
      if (stat === undefined) return [];
      const target = stat.kind === "symlink" ? this.#fs.readLink(path) : undefined;
      // A link is shown as one, unless what it leads to would not be there: /etc/resolv.conf often leads to /run.
      if (target !== undefined && !path.startsWith("/etc/")) return ["--symlink", target, path];
      return ["--ro-bind-try", path, path];
    });
  }

  #alsoReadable(): string[] {
    return (this.#policy.alsoReadable ?? []).flatMap((path) => ["--ro-bind-try", path, path]);
  }

  async #decide(processes: ProcessRunner, room: string): Promise<SandboxVerdict> {
    const { mode } = this.#policy;
    if (mode === "off") return { kind: "level", level: "none" };
    const reason = await this.#try(processes, room);
    if (reason === undefined) return { kind: "level", level: "bubblewrap" };
    return mode === "required"
      ? { kind: "refused", problem: unavailable(this.program, reason) }
      : { kind: "level", level: "none", lowered: lowered(this.program, reason) };
  }

  /** Why there is no sandbox; `undefined` when there is one. */
  async #try(processes: ProcessRunner, room: string): Promise<string | undefined> {
    if (this.#fs.lstat(this.program) === undefined) return "it is not installed";
    const stderr = `${room}/trial.stderr`;
    const trial = processes.start({
      argv: [this.program, ...this.#shared(false), "--", "/usr/bin/env", "-u", "PWD", "true"],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      stdout: { kind: "file", path: `${room}/trial.stdout` },
      stderr: { kind: "file", path: stderr },
      graceMs: 1000,
      label: "sandbox trial",
    });
    const exit = await trial.ended;
    if (exit.kind === "exited" && exit.exitCode === 0) return undefined;
    if (exit.kind === "not-started") return exit.message;
    const said = Buffer.from(this.#fs.readFile(stderr) ?? new Uint8Array())
      .toString()
      .trim();
    return said === "" ? "a trial of it failed" : said.slice(0, 300);
  }
}

function isolation(network: boolean): string[] {
  return [
    // `--unshare-user` for root too: only in a user namespace of its own is a mode of a file an obstacle to it.
    ...["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"],
    ...(network ? [] : ["--unshare-net"]),
    ...["--uid", "1000", "--gid", "1000", "--hostname", "kahn", "--cap-drop", "ALL", "--die-with-parent"],
    ...["--proc", "/proc", "--dev", "/dev"],
  ];
}

function unavailable(program: string, reason: string): Problem<"sandbox-unavailable"> {
  return problem("sandbox-unavailable", `the sandbox ${program} does not work here: ${reason}`, { next: NEXT });
}

function lowered(program: string, reason: string): Problem<"sandbox-lowered"> {
  const message = `actions run without a sandbox, since ${program} does not work here: ${reason}`;
  return warning("sandbox-lowered", message, { next: NEXT });
}

const NEXT =
  "Install bubblewrap and allow user namespaces (sysctl user.max_user_namespaces), or set the sandbox to off.";
