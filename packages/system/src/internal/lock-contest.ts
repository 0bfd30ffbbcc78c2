/**
 * One contender's part in the contest for a lock; the rules and why they are safe stand at the head of `../lock.ts`.
 *
 * Invariant: `won` is answered only by one who, after its socket was published, found nobody else alive.
 */
import { existsSync } from "node:fs";
import type { Clock } from "@kahn/core";
import { InvariantError, sleep } from "@kahn/core";
import { ownIdentity, type ProcessIdentity } from "../process-identity.ts";
import type { LockHolder, LockRoom } from "./lock-room.ts";
import {
  lockNumbers,
  makeFolder,
  numberedFolder,
  publish,
  socketIdentity,
  socketIn,
  sweepFolder,
  unpublishedFolders,
  writeRecord,
} from "./lock-room.ts";
import { type ListeningSocket, lifeOf, listenAt, waitForEnd } from "./lock-socket.ts";
import { errnoOf } from "./refusal.ts";

/** A socket with its record, ready to be published, or published. */
export interface Contender {
  readonly socket: ListeningSocket;
  readonly holder: LockHolder;
  readonly folder: string;
  /** Its socket file. */
  readonly identity: string;
}

/** Somebody who listens on a published socket. */
export interface Living {
  readonly folder: string;
  /** Resolves when they no longer do, or the signal aborts; `false` when that cannot be waited for. */
  readonly ended: (signal: AbortSignal | undefined) => Promise<void> | false;
  /** Gives up waiting. */
  readonly leave: () => void;
}

/** How an attempt went. */
export type Outcome =
  | { readonly kind: "won"; readonly contender: Contender }
  | { readonly kind: "occupied"; readonly living: Living };

/** What a contest needs to know. */
export interface Entrant {
  readonly owner: { readonly label: string; readonly command: string };
  readonly clock: Clock;
}

/** How long to leave a socket alone whose queue of waiters is full. */
const CROWDED_MS = 50;

/** A file system that holds no socket files answers with one of these. */
const NO_SOCKETS: ReadonlySet<string | undefined> = new Set(["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EINVAL"]);

/** Takes part in the contest for one lock until it has won or leaves. */
export class Contest {
  readonly #entrant: Entrant;
  readonly #rooms: readonly LockRoom[];
  readonly #listen: typeof listenAt;
  readonly #dead = new Set<string>();
  #roomIndex = 0;
  #contender: Contender | undefined;

  /** @param rooms the places to try, the next one only where the one before it cannot hold sockets. */
  constructor(entrant: Entrant, rooms: readonly LockRoom[], listen: typeof listenAt = listenAt) {
    this.#entrant = entrant;
    this.#rooms = rooms;
    this.#listen = listen;
  }

  /** Tries until it has won or found somebody to wait for. Rejects with the system's errors. */
  async attempt(): Promise<Outcome> {
    for (;;) {
      const room = this.#room;
      const living = await findLiving(room, { dead: this.#dead });
      if (living !== undefined) return { kind: "occupied", living };
      const contender = await this.#prepared(room);
      if (contender === undefined) continue;
      const number = (lockNumbers(room)[0] ?? 0) + 1;
      const published = publish(room, contender.folder, number);
      if (published === "taken") continue;
      this.#contender = undefined;
      if (published === "published" && (await this.#isAlone(room, number, contender))) {
        await sweep(room, number, this.#dead);
        return { kind: "won", contender };
      }
      // What was published stays as the remains of a dead one, for the owner to sweep.
      contender.socket.close();
    }
  }

  /** Waits until it is worth trying again. */
  async wait(living: Living, signal: AbortSignal | undefined): Promise<void> {
    await (living.ended(signal) || sleep(this.#entrant.clock, CROWDED_MS, signal));
  }

  /** Takes part no more. */
  leave(): void {
    this.#contender?.socket.close();
    if (this.#contender !== undefined) sweepFolder(this.#contender.folder);
    this.#contender = undefined;
  }

  get #room(): LockRoom {
    const room = this.#rooms[this.#roomIndex];
    if (room === undefined) throw new InvariantError("a contest without a place");
    return room;
  }

  /**
   * Nobody else listens, and others can see that we do: an owner that took our folder for a dead one's (it looked
   * before we listened) may have removed the socket file since. Looked at last, for such an owner is gone by now or
   * was found alive.
   */
  async #isAlone(room: LockRoom, number: number, contender: Contender): Promise<boolean> {
    const rival = await findLiving(room, { except: number, dead: this.#dead });
    rival?.leave();
    return rival === undefined && socketIdentity(numberedFolder(room, number)) === contender.identity;
  }

  /** The contender of before, or a fresh one; `undefined` when the next room is to be tried. */
  async #prepared(room: LockRoom): Promise<Contender | undefined> {
    if (this.#contender !== undefined) return this.#contender;
    const folder = makeFolder(room);
    try {
      this.#contender = await this.#prepare(folder);
      return this.#contender;
    } catch (error) {
      // An owner took the folder for a dead one's, between making it and listening in it: once more. Asked of the
      // folder, because libuv says EACCES for a socket in a folder that is gone.
      if (errnoOf(error) === "ENOENT" || !existsSync(folder)) return undefined;
      sweepFolder(folder);
      if (!NO_SOCKETS.has(errnoOf(error)) || this.#roomIndex + 1 === this.#rooms.length) throw error;
      this.#roomIndex++;
      return undefined;
    }
  }

  async #prepare(folder: string): Promise<Contender> {
    const { owner, clock } = this.#entrant;
    const socket = await this.#listen(socketIn(folder));
    try {
      const { label, command } = owner;
      self ??= ownIdentity();
      const holder = { ...self, label, command, acquiredAtMs: clock.nowMs() };
      writeRecord(folder, holder);
      const identity = socketIdentity(folder);
      if (identity === undefined) throw Object.assign(new Error(`swept: ${folder}`), { code: "ENOENT" });
      return { socket, holder, folder, identity };
    } catch (error) {
      socket.close();
      throw error;
    }
  }
}

/**
 * The highest number on which somebody listens. Rejects when the system does not let us ask.
 *
 * @param dead published sockets found dead, by identity: they stay so, and are not asked again. Added to.
 */
export async function findLiving(
  room: LockRoom,
  { except, dead = new Set() }: { readonly except?: number; readonly dead?: Set<string> } = {},
): Promise<Living | undefined> {
  for (const number of lockNumbers(room)) {
    const folder = numberedFolder(room, number);
    const identity = number === except ? undefined : socketIdentity(folder);
    if (identity === undefined || dead.has(identity)) continue;
    const life = await lifeOf(socketIn(folder));
    if (life.kind === "alive") {
      const { connection } = life;
      return {
        folder,
        ended: (signal) => waitForEnd(connection, signal),
        leave: () => void connection.destroy(),
      };
    }
    if (life.kind === "crowded") return { folder, ended: () => false, leave: () => {} };
    dead.add(identity);
  }
  return undefined;
}

/** Removes what the dead left. Only for the owner: nobody else can be one while this goes on. */
async function sweep(room: LockRoom, own: number, dead: ReadonlySet<string>): Promise<void> {
  for (const number of lockNumbers(room)) {
    const folder = numberedFolder(room, number);
    const identity = number === own ? undefined : socketIdentity(folder);
    if (number !== own && (identity === undefined || dead.has(identity))) sweepFolder(folder);
  }
  for (const folder of unpublishedFolders(room)) {
    const life = await lifeOf(socketIn(folder));
    if (life.kind === "dead") sweepFolder(folder);
    else if (life.kind === "alive") life.connection.destroy();
  }
}

/** Does not change while the process lives, and costs two child processes on macOS. */
let self: ProcessIdentity | undefined;
