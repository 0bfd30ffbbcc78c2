/**
 * The spawner: a process that stays small and starts processes for one that may grow, because `fork` takes time in
 * proportion to the memory of the caller.
 *
 * A program of its own, bundled beside the main one (entry `@kahn/system/spawner-main`); `spawnerRunner` runs it.
 *
 * Owns:  a direct runner, and through it the guardian.
 * Never: outlives the process that started it; then its own end tells the guardian to end what runs.
 */
import type { RunningProcess } from "@kahn/core";
import { nodeClock } from "./clock.ts";
import { directRunner } from "./direct-runner.ts";
import { startGuardian } from "./guardian.ts";
import type { SpawnerReply, SpawnerRequest, SpawnerSettings } from "./internal/spawner-protocol.ts";

function reply(message: SpawnerReply): void {
  // A failed write means that the parent is gone, and `disconnect` is about to say so.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function serve(settings: SpawnerSettings): void {
  const runner = directRunner({ clock: nodeClock(), guardian: startGuardian(settings) });
  const running = new Map<number, RunningProcess>();
  // Signals are for the process that it serves, which then says what to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("disconnect", () => process.exit(0));
  process.on("message", (request: SpawnerRequest) => {
    switch (request.kind) {
      case "start": {
        const { id, spec } = request;
        const started = runner.start(spec);
        running.set(id, started);
        reply({ kind: "started", id, pid: started.pid });
        void started.ended.then((exit) => {
          running.delete(id);
          reply({ kind: "ended", id, exit });
        });
        return;
      }
      case "end":
        running.get(request.id)?.end(request.how);
        return;
      case "close":
        void runner.close().then(() => process.disconnect());
    }
  });
}

serve(JSON.parse(process.argv[2] ?? "") as SpawnerSettings);
