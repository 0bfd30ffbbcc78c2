/**
 * What one run of a program costs.
 *
 * The processor time is that of the whole tree of processes that was waited for, asked of bash (`times`), which stands
 * on every machine that has this repository's tools and resolves a millisecond; GNU time resolves ten and is often not
 * installed, and Node does not say what its children used.
 */
import { spawnSync } from "node:child_process";

/** The cost of one run. */
export interface Cost {
  readonly exitCode: number | null;
  readonly wallMs: number;
  /** User and system time of the program and of everything it started and waited for. */
  readonly cpuMs: number;
}

/** What to run, and how. */
export interface Program {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** File descriptor that takes what it prints. */
  readonly output: number;
  readonly timeoutMs: number;
}

/** Runs a program to its end. */
export function measure({ command, cwd, env, output, timeoutMs }: Program): Cost {
  const startedMs = performance.now();
  const { status, output: streams } = spawnSync(
    "bash",
    ["-c", '"$@"; code=$?; times >&3; exit $code', "bash", ...command],
    {
      cwd,
      env: { ...env },
      stdio: ["ignore", output, output, "pipe"],
      encoding: "utf8",
      timeout: timeoutMs,
    },
  );
  const wallMs = performance.now() - startedMs;
  return { exitCode: status, wallMs, cpuMs: childrenCpuMs(streams?.[3] ?? "") };
}

/** Reads the second line of `times`: `0m1.234s 0m0.056s`, user and system time of the children. NaN if there is none. */
export function childrenCpuMs(text: string): number {
  const [, children = ""] = text.trim().split("\n");
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    (match) => Number(match[1]) * 60_000 + Number(match[2]) * 1000,
  );
  return parts.length === 2 ? Math.round(parts[0]! + parts[1]!) : Number.NaN;
}
