import type { BlobStore } from "@kahn/core";
import { memoryActionCache, memoryBlobStore, memoryFileSystem, seededRandom } from "@kahn/testing";
import type { ActionCacheSubject, BlobStoreSubject } from "@kahn/testing/contract";
import { actionCacheContract, blobStoreContract } from "@kahn/testing/contract";
import { describe, test } from "vitest";
import { completenessChecked } from "./completeness.ts";
import type { DiskStore } from "./disk-store.ts";
import { limited } from "./limited.ts";
import { locateBlob } from "./locate.ts";
import { metered, meteredActions } from "./metered.ts";
import { flipByte, realPlace, recordPath, testClock, testStore, value } from "./store.fixture.ts";
import { tiered } from "./tiered.ts";
import { verified } from "./verified.ts";

// Every store of this package, and every decorator around one, keeps the contracts of the ports.

/** Every small blob is packed. */
const PACKED = 64 * 1024;

interface Place {
  readonly store: DiskStore;
  readonly subject: BlobStoreSubject;
}

function memoryPlace(packedMaxBytes = 0): Place {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  fs.makeDirectory("/work");
  return subjectOf(testStore({ fs, clock, packedMaxBytes }), { fs, root: "/work" });
}

function diskPlace(packedMaxBytes = 0): Place {
  const { fs, clock, random, root, cleanup } = realPlace();
  fs.makeDirectory(`${root}/work`);
  const store = testStore({ fs, clock, random, root: `${root}/store`, packedMaxBytes });
  return subjectOf(store, { fs, root: `${root}/work`, cleanup });
}

function subjectOf(store: DiskStore, rest: Pick<BlobStoreSubject, "fs" | "root" | "cleanup">): Place {
  const { fs } = rest;
  const subject: BlobStoreSubject = {
    ...rest,
    store: store.blobs,
    lose: async (digest) => {
      const { path, ...place } = value(await locateBlob(store, digest))!;
      if (!path.endsWith(".pack")) fs.remove(path);
      else {
        // A pack without this one: damaged, and found to be.
        flipByte(fs, { path, ...place });
        value(await store.blobs.read(digest));
      }
    },
    damage: async (digest) => flipByte(fs, value(await locateBlob(store, digest))!),
  };
  return { store, subject };
}

function around(place: Place, wrap: (blobs: BlobStore) => BlobStore): BlobStoreSubject {
  return { ...place.subject, store: wrap(place.subject.store) };
}

function tieredOver({ store, subject }: Place) {
  const remote = memoryBlobStore(subject.fs);
  return tiered({
    local: store,
    remotes: [{ name: "remote", blobs: remote, actions: memoryActionCache(remote), read: true, write: true }],
    fs: subject.fs,
    clock: testClock(),
    random: seededRandom(7),
    temporary: store.temporary,
    onWarning: (problem) => {
      throw new Error(problem.message);
    },
  });
}

const blobStores: Record<string, () => BlobStoreSubject> = {
  "disk store in memory": () => memoryPlace().subject,
  "disk store on disk": () => diskPlace().subject,
  "packed store in memory": () => memoryPlace(PACKED).subject,
  "packed store on disk": () => diskPlace(PACKED).subject,
  "packed tiered store": () => {
    const place = memoryPlace(PACKED);
    return { ...place.subject, store: tieredOver(place).blobs };
  },
  "tiered store": () => {
    const place = memoryPlace();
    return { ...place.subject, store: tieredOver(place).blobs };
  },
  "metered store": () => around(memoryPlace(), metered),
  "verified store": () => {
    const place = memoryPlace();
    return around(place, (blobs) => verified(blobs, place.subject.fs));
  },
  "limited store": () => {
    const place = memoryPlace();
    return around(place, (blobs) => limited(blobs, place.subject.fs, { maxBlobBytes: 1e9 }));
  },
};

for (const [name, make] of Object.entries(blobStores)) {
  describe(name, () => {
    for (const { name, run } of blobStoreContract(make)) test(name, run);
  });
}

function actionSubject(place: Place, wrap: (place: Place) => ActionCacheSubject["cache"]): ActionCacheSubject {
  const { store, subject } = place;
  return {
    cache: wrap(place),
    blobs: store.blobs,
    damage: (action) => flipByte(subject.fs, { path: recordPath(store, action) }),
    ...(subject.cleanup === undefined ? {} : { cleanup: subject.cleanup }),
  };
}

const actionCaches: Record<string, () => ActionCacheSubject> = {
  "disk action cache in memory": () => actionSubject(memoryPlace(), ({ store }) => store.actions),
  "disk action cache on disk": () => actionSubject(diskPlace(), ({ store }) => store.actions),
  "metered action cache": () => actionSubject(memoryPlace(), ({ store }) => meteredActions(store.actions)),
  "tiered action cache": () => {
    // A damaged local record is healed from the remote, so there is no damage to be seen.
    const { damage: _, ...subject } = actionSubject(memoryPlace(), (place) => tieredOver(place).actions);
    return subject;
  },
  "completeness-checked action cache": () => {
    const place = memoryPlace();
    const subject = actionSubject(place, ({ store }) => completenessChecked(store.actions, store.blobs));
    return { ...subject, lose: place.subject.lose! };
  },
  "completeness-checked action cache over packs": () => {
    const place = memoryPlace(PACKED);
    const subject = actionSubject(place, ({ store }) => completenessChecked(store.actions, store.blobs));
    return { ...subject, lose: place.subject.lose! };
  },
};

for (const [name, make] of Object.entries(actionCaches)) {
  describe(name, () => {
    for (const { name, run } of actionCacheContract(make)) test(name, run);
  });
}
