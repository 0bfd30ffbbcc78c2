/** A server of ours with everything, on a real disk, and `reapi-conform` run against it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { directRunner, nodeClock, nodeFileSystem, startGuardian } from "@kahn/system";
import { testServer } from "../server.fixture.ts";
import { realPlace } from "../store/store.fixture.ts";
import { conform } from "./conform.ts";

/** What a run of the program came to. */
export interface ConformRun {
  readonly exitCode: number;
  readonly out: string;
  readonly error: string;
}

/** Runs the program in this process. */
export async function runConform(...argv: readonly string[]): Promise<ConformRun> {
  let out = "";
  let error = "";
  const exitCode = await conform(argv, {
    clock: nodeClock(),
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readFile: (path) => readFileSync(path),
  });
  return { exitCode, out, error };
}

/** Starts a server that also executes, under bubblewrap where it works; `close` at the end. */
export async function startWholeServer(config = "") {
  const place = realPlace();
  const folder = mkdtempSync(`${tmpdir()}/kahn-conform-`);
  const guardian = startGuardian({ token: `conform-${process.pid}-${folder.slice(-6)}`, graceMs: 100 });
  const processes = directRunner({ clock: nodeClock(), guardian });
  const store = await place.open();
  const settings = `dir: ${folder}\nexecution: { slots: 4 }\n${config}`;
  const it = await testServer({ config: settings, fs: nodeFileSystem(), ports: { store, processes } });
  return {
    target: `grpc://${it.url.slice("http://".length)}`,
    reported: it.reported,
    close: async () => {
      await it.close();
      await processes.close();
      place.cleanup();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
