/**
 * A session: one command's view of one workspace, with every port wired.
 *
 * Owns:      the wiring. This is the only place where implementations of ports are chosen.
 * Invariant: what a command does not use is not opened: each part is made at its first use.
 */

import { type DiskStore, openDiskStore, openValueStore, type ValueStore } from "@kahn/cas";
import { err, type JournalStore, ok, type Problem, ProblemError, type Result } from "@kahn/core";
import { openResultMemo, openRunHistory, type ResultMemo, type RunHistory } from "@kahn/exec";
import { fileJournalStore } from "@kahn/journal";
import { bootId, livenessOf, ownIdentity } from "@kahn/system";
import { openFileStates, type WorkspaceModel, type WorkTreeStates } from "@kahn/workspace";
import type { SessionHost } from "../cli/host.ts";
import { cacheSection } from "./cache-limits.ts";
import { loadModel } from "./load-model.ts";
import { type Locations, locationsOf } from "./locations.ts";
import { CHAIN_VARIABLE, type Chain, parseChain } from "./nesting.ts";
import { type SystemPorts, systemPorts } from "./system-ports.ts";

/** One workspace, open. */
export class WorkspaceSession {
  readonly host: SessionHost;
  readonly ports: SystemPorts;
  readonly model: WorkspaceModel;
  readonly locations: Locations;
  readonly chain: Chain;
  #states: WorkTreeStates | undefined;
  #store: DiskStore | undefined;
  #values: ValueStore | undefined;
  #history: RunHistory | undefined;
  #journals: JournalStore | undefined;
  #memo: ResultMemo | undefined;

  constructor(host: SessionHost, ports: SystemPorts, model: WorkspaceModel) {
    this.host = host;
    this.ports = ports;
    this.model = model;
    this.locations = locationsOf(model.root, cachePlace(host, model), ports);
    this.chain = parseChain(host.env[CHAIN_VARIABLE]);
  }

  /** What is known of the work tree's files. */
  get states(): WorkTreeStates {
    const { fs, clock } = this.ports;
    this.#states ??= openFileStates({
      fs,
      clock,
      indexPath: this.locations.fileIndex,
      workspaceRoot: this.model.root,
      // Without the pid namespace: a container that is started anew is not another boot.
      bootId: bootId().split("/")[0]!,
    });
    return this.#states;
  }

  /** The cache. @throws ProblemError when it cannot be opened. */
  get store(): DiskStore {
    if (this.#store === undefined) {
      const { fs, clock, random } = this.ports;
      const opened = openDiskStore({ fs, clock, random, root: this.locations.cache, owner: ownIdentity(), livenessOf });
      if (!opened.ok) throw new ProblemError(opened.problem);
      this.#store = opened.value;
    }
    return this.#store;
  }

  /** The durable value store. */
  get values(): ValueStore {
    const { fs, clock, random } = this.ports;
    this.#values ??= openValueStore({
      fs,
      clock,
      random,
      root: this.locations.values,
      owner: ownIdentity(),
      livenessOf,
    });
    return this.#values;
  }

  /** The remembered past of all tasks. */
  get history(): RunHistory {
    this.#history ??= openRunHistory(this.ports.fs, this.locations.history);
    return this.#history;
  }

  /** Results of the last run at hand. */
  get memo(): ResultMemo {
    this.#memo ??= openResultMemo(this.ports.fs, this.locations.memo);
    return this.#memo;
  }

  /** The journals of runs. */
  get journals(): JournalStore {
    const { fs } = this.ports;
    this.#journals ??= fileJournalStore({ fs, directory: this.locations.runs });
    return this.#journals;
  }
}

/** Opens the workspace that holds the host's directory; every problem of its configuration at once. */
export async function openSession(host: SessionHost): Promise<Result<WorkspaceSession, readonly Problem[]>> {
  const ports = systemPorts(host);
  const model = await loadModel(host, ports);
  return model.ok ? ok(new WorkspaceSession(host, ports, model.value)) : err(model.problem);
}

function cachePlace(host: SessionHost, model: WorkspaceModel) {
  return { fromEnvironment: host.env.KAHN_CACHE_DIR, fromConfiguration: cacheSection(model).dir };
}
