/** Every command with one line of help, and where it is loaded from when it is wanted. */
import type { CommandEntry } from "./command.ts";

/** The commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "run",
    summary: "Run tasks and all that they need, except what a cache has the results of",
    load: async () => (await import("../commands/run.ts")).run,
  },
  {
    name: "why",
    summary: "Say why a task would run, what its cached result rests on, or how two actions differ",
    load: async () => (await import("../commands/why.ts")).why,
  },
  {
    name: "ls",
    summary: "List projects and their tasks",
    load: async () => (await import("../commands/ls.ts")).ls,
  },
  {
    name: "init",
    summary: "Write a kahn.jsonc that fits this workspace",
    load: async () => (await import("../commands/init.ts")).init,
  },
  {
    name: "doctor",
    summary: "Check this machine, this workspace and its server",
    load: async () => (await import("../commands/doctor.ts")).doctor,
  },
  {
    name: "runs",
    summary: "List, show and prune past runs; print a task's output again",
    load: async () => (await import("../commands/runs.ts")).runs,
  },
  {
    name: "cache",
    summary: "Show, check, trim and clear the cache",
    load: async () => (await import("../commands/cache.ts")).cache,
  },
  {
    name: "flow",
    summary: "Run durable workflows: graphs that keep state, wait for people and survive a crash",
    load: async () => (await import("../commands/flow.ts")).flow,
  },
  {
    name: "serve",
    summary: "Be a server: the caches of every build tool, and remote execution, from one store",
    load: async () => (await import("../commands/serve.ts")).serve,
  },
  {
    name: "serve-token",
    summary: "Make a token for clients of a server",
    load: async () => (await import("../commands/serve-token.ts")).serveToken,
  },
  {
    name: "exec",
    summary: "Run one action of a server again, there or here, or open a shell in its inputs",
    load: async () => (await import("../commands/exec.ts")).exec,
  },
  {
    name: "replay",
    summary: "Run one action several times and name what differs",
    load: async () => (await import("../commands/replay.ts")).replay,
  },
];
