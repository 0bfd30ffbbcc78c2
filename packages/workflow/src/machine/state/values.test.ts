// Goal: what cannot be kept is refused by a short name of the place, however the value is made.
import { digestOf } from "@kahn/core";
import { expect, test } from "vitest";
import { memoryValues, ValueCodec } from "./values.ts";

function refusal(value: unknown) {
  const encoded = new ValueCodec(memoryValues((bytes) => digestOf(bytes))).encode(value);
  if (encoded.ok) throw new Error("it was kept");
  return encoded.problem;
}

test("a value that contains itself is refused with where it does, once round", () => {
  const tree: Record<string, unknown> = { name: "root", kids: [{ name: "a" }] };
  (tree.kids as Record<string, unknown>[])[0]!.parent = tree;
  expect(refusal({ tree })).toMatchObject({
    code: "flow-value-unserialisable",
    message: "A value that contains itself cannot be kept",
    facts: [
      ["at", "tree.kids[0].parent"],
      ["which is", "tree"],
    ],
  });
  const self: unknown[] = [];
  self.push(new Map([["self", new Set([self])]]));
  expect(refusal(self).facts).toEqual([
    ["at", "[0]<0><0>"],
    ["which is", "the value itself"],
  ]);
});

test("a value that holds another twice does not contain itself; one that is too deep is named shortly", () => {
  const shared = { n: 1 };
  const codec = new ValueCodec(memoryValues((bytes) => digestOf(bytes)));
  expect(codec.encode({ a: shared, b: [shared, shared] })).toMatchObject({ ok: true });
  let deep: unknown = shared;
  for (let level = 0; level < 300; level++) deep = { [`level${level}`]: deep, twice: shared };
  const { message, facts } = refusal(deep);
  expect(message).toBe("A value nested more than 200 deep cannot be kept");
  expect(facts?.[0]?.[1]).toMatch(/^level299\.level298\..*…/);
  expect(facts?.[0]?.[1]?.length).toBeLessThanOrEqual(200);
  expect(refusal({ [`k${"x".repeat(5000)}`]: () => {} }).facts?.[0]?.[1]?.length).toBeLessThanOrEqual(200);
});

// Goal: the state changes by writes alone. Method: values of each kind, small and large, changed by their maker after
// they were encoded, and changed where they were decoded.
test("what is kept stays as it was written, whatever its maker does to it afterwards", () => {
  for (const length of [1, 3000]) {
    const texts = Array.from({ length }, (_, index) => `text ${index}`);
    const made = () => ({
      map: new Map([["k", { texts: [...texts] }]]),
      set: new Set(texts),
      date: new Date(5),
      bytes: new Uint8Array(length * 4).fill(7),
    });
    const codec = new ValueCodec(memoryValues((bytes) => digestOf(bytes)));
    const value = made();
    const encoded = codec.encode(value);
    value.map.set("more", { texts: [] });
    value.set.clear();
    value.date.setTime(0);
    value.bytes.fill(0);
    expect(() => value.map.get("k")!.texts.push("more")).toThrow(TypeError);
    expect(codec.decode(encoded.ok ? encoded.value : null)).toEqual(made());
  }
});

test("maps and sets of the state refuse to be changed, with what is in them; copies of them do not", () => {
  const codec = new ValueCodec(memoryValues((bytes) => digestOf(bytes)));
  for (const length of [1, 3000]) {
    const encoded = codec.encode({ map: new Map([["k", [{ n: length }]]]), set: new Set(["x".repeat(length * 2)]) });
    type Kept = { readonly map: Map<string, { n: number }[]>; readonly set: Set<string> };
    const { map, set } = codec.decode(encoded.ok ? encoded.value : null) as Kept;
    const changes = [
      () => map.set("k", []),
      () => map.delete("k"),
      () => map.clear(),
      () => map.get("k")!.push({ n: 0 }),
      () => void (map.get("k")![0]!.n = 0),
      () => set.add("y"),
      () => set.delete("x"),
      () => set.clear(),
    ];
    for (const change of changes) expect(change).toThrow(TypeError);
    expect([[...map], set.size]).toEqual([[["k", [{ n: length }]]], 1]);
    expect([new Map(map).set("l", []).size, structuredClone(set).add("y").size]).toEqual([2, 2]);
    expect(codec.encode({ map, set })).toEqual(encoded);
  }
});

test("bytes that are kept in memory are nobody else's", () => {
  const values = memoryValues((bytes) => digestOf(bytes));
  const bytes = new Uint8Array([1, 2, 3]);
  const put = values.put(bytes);
  bytes.fill(0);
  const read = () => (put.ok ? values.get(put.value) : put);
  const first = read();
  if (first.ok) first.value!.fill(9);
  expect(read()).toEqual({ ok: true, value: new Uint8Array([1, 2, 3]) });
});
