/** A run that dies anywhere: at every record boundary and inside of writes, with everything deleted that may be. */
import type { SeededRandom } from "@kahn/testing";
import { seededRandom, testScale } from "@kahn/testing";
import { expect, test } from "vitest";
import { checkRun, inFlightOf, type LifeSpan, type WholeRun } from "./checks.fixture.ts";
import { ROUNDS, RUN } from "./graph.fixture.ts";
import {
  type Between,
  type Camera,
  clean,
  type Life,
  type LifeOptions,
  live,
  type Moment,
  newWorld,
  type Photograph,
  type Progress,
  recordsOf,
  type World,
} from "./lives.fixture.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const SEED = Number(process.env.KAHN_TEST_SEED ?? 1);
/** Deaths of the first test; at scale 10 and more every place at which the run can die is one. */
const DEATHS = SCALE >= 10 ? Number.POSITIVE_INFINITY : Math.round(40 * SCALE);
const TIMEOUT_MS = 180_000 * Math.max(1, SCALE);

/** Bytes of the frame around the records of an append: checksum, length, count and kind. */
const FRAME_BYTES = 12;

const isRecord = ({ call }: Moment) => call.operation === "append" && call.path.startsWith(`/journals/${RUN}/`);

/** Everything that a death can leave of a call: nothing, a part of each class of bytes, all. */
function progressesOf(moment: Moment): readonly Progress[] {
  const { sizeBytes = 0, operation } = moment.call;
  if (!isRecord(moment)) return operation === "append" ? ["before", sizeBytes >> 1] : ["before"];
  const body = FRAME_BYTES + ((sizeBytes - FRAME_BYTES) >> 1);
  return ["before", 1, 3, 6, 9, FRAME_BYTES - 1, FRAME_BYTES, body, sizeBytes - 1, "after"];
}

/** Every `stride`-th of all places, beginning with a random one. */
function everyNth(stride: number, random: SeededRandom): Camera {
  let left = random.int(1, stride);
  return (moment) =>
    progressesOf(moment).filter(() => {
      if (--left > 0) return false;
      left = stride;
      return true;
    });
}

const between = (random: SeededRandom): Between => ({
  cache: random.pick(["removed", "collected"]),
  snapshots: random.pick(["removed", "kept"]),
  downMs: random.pick([0, 7, 1000]),
});

const spanOf = (life: Omit<Life, "photographs" | "result">): LifeSpan => ({ ...life, records: recordsOf(life.world) });
const deadSpan = (dead: Photograph): LifeSpan => ({ ...dead, records: recordsOf(dead) });

async function lived(world: World, options: LifeOptions): Promise<Life & WholeRun> {
  const life = await live(world, options);
  return { ...life, result: life.result!, lives: [spanOf(life)] };
}

let reference: Promise<WholeRun> | undefined;
function undisturbed(): Promise<WholeRun> {
  reference ??= lived(newWorld(), { camera: () => [] });
  return reference;
}

// Goal: acceptance 2 of workflows. A death between any two records, or in the middle of any write, loses nothing that
// was recorded and repeats nothing but what was in flight, though the cache is deleted and everything is collected
// that nothing refers to. Method: one life gives the disks of all its deaths; each is cleaned and the run resumed.
test(
  "a run of 200 steps that dies at any record or inside of any write ends as if it had not",
  async () => {
    const random = seededRandom(SEED);
    const whole = await undisturbed();
    expect(whole.result).toMatchObject({ status: "completed" });
    expect(whole.result.steps).toBeGreaterThan(200);
    expect(whole.lives[0]!.executions.length).toBeGreaterThan(200);
    expect(whole.lives[0]!.records.filter(({ k }) => k === "once").length).toBe(ROUNDS);
    let places = 0;
    const counting: Camera = (moment) => {
      places += progressesOf(moment).length;
      return [];
    };
    await live(newWorld(), { camera: counting });
    const stride = Math.max(1, Math.floor(places / DEATHS));
    const seen = { deaths: 0, repeated: 0, collected: 0, torn: 0 };
    const camera = everyNth(stride, random);
    const filmed = await live(newWorld(), { camera, snapshots: { kind: "every", records: 15 } });
    for (const dead of filmed.photographs) {
      const died = deadSpan(dead);
      const cleaned = await clean(dead, between(random));
      const next = await lived(cleaned, { camera: () => [] });
      try {
        seen.repeated += checkRun({ result: next.result, lives: [died, ...next.lives] }, whole);
      } catch (cause) {
        throw new Error(`seed ${SEED}, died at ${dead.at}`, { cause });
      }
      seen.deaths++;
      seen.collected += cleaned.removed;
      if (/\d$/.test(dead.at)) seen.torn++;
    }
    console.log(`crashes: ${places} places, ${JSON.stringify(seen)}`);
    expect(seen.repeated).toBeGreaterThan(0);
    expect(seen.collected).toBeGreaterThan(0);
    expect(seen.torn).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

// Goal: the same for a run that never gets far: what a death left is all that the next life has. Method: each life
// dies at one of its first few records, in all ways in turn, until the run has ended.
test(
  "a run that dies again after every few records ends as if it had not",
  async () => {
    const random = seededRandom(SEED + 1);
    const whole = await undisturbed();
    const lives: LifeSpan[] = [];
    let world = newWorld();
    let inFlight = 0;
    for (;;) {
      let records = random.int(2, 6);
      const camera: Camera = (moment) =>
        isRecord(moment) && --records === 0 ? [random.pick(progressesOf(moment))] : [];
      const life = await live(world, { camera, photographsMax: 1, snapshots: { kind: "every", records: 20 } });
      const [dead] = life.photographs;
      if (dead === undefined) {
        const repeated = checkRun({ result: life.result!, lives: [...lives, spanOf(life)] }, whole);
        console.log(`crashes: ${lives.length} in a row, ${repeated} executions repeated, ${inFlight} were in flight`);
        expect(repeated).toBeLessThanOrEqual(inFlight);
        break;
      }
      lives.push(deadSpan(dead));
      inFlight += inFlightOf(lives.at(-1)!).length;
      world = await clean(dead, between(random));
    }
    expect(lives.length).toBeGreaterThan(30);
  },
  TIMEOUT_MS,
);
