/** The commands of `processRunnerContract`, as shell texts for real runners and as scripts for the fake one. */
import type { ProcessScript, ScriptSource } from "../process-script.ts";

/** Shell texts by name. Each begins with what makes it recognisable and needs nothing but a POSIX shell. */
export const PROCESS_SCRIPTS = {
  succeeds: "exit 0",
  "exits-3": "exit 3",
  "dies-of-usr1": "kill -USR1 $$; sleep 60",
  prints: "echo out; echo err >&2",
  "prints-much": "i=1000000; while [ $i -lt 1020000 ]; do echo $i; i=$((i+1)); done",
  "prints-environment": `echo "\${GREETING-unset}|\${HOME-unset}"`,
  "makes-file": "echo made > made",
  "reads-input": `echo "[$(cat)]"`,
  // `exec`, so that the process that waits is the one that is started.
  waits: "echo ready; exec sleep 60",
  "waits-with-child": "sleep 60 & echo ready; wait",
  "tidies-up-on-term": "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done",
  "ignores-term": "trap '' TERM; echo ready; while :; do sleep 0.02; done",
  "leaves-stubborn-child":
    "(trap '' TERM; : > armed; while :; do sleep 0.02; done) & while [ ! -e armed ]; do sleep 0.01; done; exit 0",
} as const;

const MUCH = Array.from({ length: 20_000 }, (_, index) => `${1_000_000 + index}\n`).join("");

const WAITING: ProcessScript = { stdout: "ready\n", hangs: true };

const FAKES: Readonly<Record<keyof typeof PROCESS_SCRIPTS, ScriptSource>> = {
  succeeds: ({ argv, env }) => (argv[0] === "sh" && env.PATH === "/bin" ? {} : { notStarted: "ENOENT" }),
  "exits-3": { exit: 3 },
  "dies-of-usr1": { exit: "SIGUSR1" },
  prints: { stdout: "out\n", stderr: "err\n" },
  "prints-much": { stdout: MUCH },
  "prints-environment": ({ env }) => ({ stdout: `${env.GREETING ?? "unset"}|${env.HOME ?? "unset"}\n` }),
  "makes-file": { files: { made: "made\n" } },
  "reads-input": { stdout: "[]\n" },
  waits: WAITING,
  "waits-with-child": { ...WAITING, grandchild: "dies-on-term" },
  "tidies-up-on-term": { ...WAITING, onTerm: 7 },
  "ignores-term": { ...WAITING, onTerm: "ignores" },
  "leaves-stubborn-child": { grandchild: "needs-kill" },
};

/** Scripts with which a fake runner behaves as the shell texts do, where PATH is `/bin`. Labels are the texts' names. */
export function processContractScripts(): Readonly<Record<string, ScriptSource>> {
  return FAKES;
}
